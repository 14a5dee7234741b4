"""Apache Burr with its SQLite persister, which keeps the whole state after each action."""

import time
from itertools import pairwise

from peers import burr as memory

REQUIRES = memory.REQUIRES
HOW = {
    "durable_chain": "the same actions with SQLitePersister (SQLite's defaults: rollback journal, synchronous=FULL)",
    "durable_growing_state": "the same",
    "untouched_state": "the same, with a field of 50 KB that no action reads",
    "answers": "halted before the action that takes the answer: step(inputs=...), then run(halt_before=...)",
    "durable_cold_start": "one action, a new file",
}


def builder(job):
    from burr.core import ApplicationBuilder
    from burr.core.persistence import SQLitePersister

    persister = SQLitePersister.from_values(job.file("burr.db"))
    persister.initialize()
    return ApplicationBuilder().with_identifiers(app_id="benchmark").with_state_persister(persister)


def chained(job, make, state):
    names = [f"step_{number}" for number in range(job.size)]
    actions = {name: make(number) for number, name in enumerate(names)}
    built = builder(job).with_actions(**actions).with_transitions(*pairwise(names))
    return built.with_entrypoint(names[0]).with_state(**state).build(), names[-1]


def durable_chain(job, **more):
    step = memory.advancing(job)
    app, last = chained(job, lambda number: step, job.start() | more)
    return memory.runner(app, last, lambda state: state["count"])


durable_cold_start = durable_chain


def untouched_state(job):
    return durable_chain(job, ballast=job.ballast())


def durable_growing_state(job):
    from burr.core import action

    def make(number):
        @action(reads=["chunks"], writes=["chunks"])
        def step(state):
            return state.append(chunks=job.chunk(number))

        return step

    app, last = chained(job, make, {"chunks": []})
    return memory.runner(app, last, lambda state: len(state["chunks"]))


def answers(job):
    from burr.core import action

    @action(reads=[], writes=["asked"])
    def question(state):
        return state.update(asked=True)

    @action(reads=["count"], writes=["count"])
    def take(state, answer: int):
        return state.update(count=state["count"] + answer)

    built = builder(job).with_actions(question=question, take=take)
    built = built.with_transitions(("question", "take"), ("take", "question"))
    app = built.with_entrypoint("question").with_state(count=0, asked=False).build()
    app.run(halt_before=["take"])

    def run():
        for _ in range(job.size):
            begin = time.perf_counter()
            app.step(inputs={"answer": 1})
            app.run(halt_before=["take"])
            job.trip(begin)
        return app.state["count"]

    return run
