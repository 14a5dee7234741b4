"""check_run_store and check_durable_run_store find stores that lie, lose, mix, reorder or let two win."""

import asyncio
from contextlib import asynccontextmanager

import attrs
import pytest

from swarm_core.builtin.memory_runs import MemoryRunStore
from swarm_core.builtin.sqlite import open_sqlite_runs
from swarm_core.errors import OutputNotFound, RunLost, StoreUnavailable
from swarm_core.model.run import Asked, Durability, QuestionState, RunWrite
from swarm_core.testing import ContractBroken, FailingRunStore, check_durable_run_store, check_run_store


def opening(make):
    @asynccontextmanager
    async def open_store():
        yield make()

    return open_store


async def broken(make, sentence):
    with pytest.raises(ContractBroken, match=sentence):
        await check_run_store(opening(make))


class TestRunStore:
    async def test_the_memory_store_keeps_the_contract(self):
        await check_run_store(opening(MemoryRunStore))

    async def test_a_store_that_passes_everything_on_keeps_the_contract(self):
        await check_run_store(opening(lambda: FailingRunStore(MemoryRunStore())))

    async def test_a_store_without_outputs_is_checked_as_well(self):
        class Bare(MemoryRunStore):
            def __init__(self):
                super().__init__()
                self.outputs = None

            async def delete(self, run_id):
                self.outputs = MemoryRunStore().outputs
                await super().delete(run_id)
                self.outputs = None

        await check_run_store(opening(Bare))

    async def test_pl143_a_store_that_acknowledges_and_loses_is_found(self):
        class Losing(MemoryRunStore):
            async def rows(self, run_id, after=0, limit=None):
                return [row for row in await super().rows(run_id, after, limit) if row.first_seq != 5]

        await broken(Losing, "the journal of RUN-1 is")

    async def test_a_store_that_forgets_the_last_write_is_found(self):
        class Late(MemoryRunStore):
            waiting = ()

            async def commit(self, writes):
                before, self.waiting = self.waiting, [write for write in writes if write.create is None]
                await super().commit(before)
                return await super().commit([write for write in writes if write.create is not None])

        await broken(Late, "commit|after")

    async def test_a_reordered_journal_is_found(self):
        class Reordering(MemoryRunStore):
            async def rows(self, run_id, after=0, limit=None):
                return list(reversed(await super().rows(run_id, after, limit)))

        await broken(Reordering, "the journal of RUN-1 is")

    async def test_rows_from_the_wrong_event_on_are_found(self):
        class Inclusive(MemoryRunStore):
            async def rows(self, run_id, after=0, limit=None):
                return await super().rows(run_id, after - 1, limit)

        await broken(Inclusive, r"rows\(after=3")

    async def test_a_store_that_knows_no_epochs_is_found(self):
        class Unfenced(MemoryRunStore):
            async def commit(self, writes):
                now = {name: kept.run.epoch for name, kept in self._runs.items()}
                return await super().commit(
                    [attrs.evolve(write, epoch=now.get(write.run_id, write.epoch)) for write in writes]
                )

        await broken(Unfenced, "where {'RUN-1': 'fenced'} is due")

    async def test_a_store_that_knows_no_event_numbers_is_found(self):
        class Unnumbered(MemoryRunStore):
            def _refusal(self, write):
                return super()._refusal(attrs.evolve(write, rows=()))

        await broken(Unnumbered, "where {'RUN-3': 'fenced'} is due")

    async def test_a_refused_write_that_leaves_something_is_found(self):
        class Half(MemoryRunStore):
            async def commit(self, writes):
                for write in writes:
                    for question in write.opened:
                        self._questions.setdefault(question.key, question)
                return await super().commit(writes)

        await broken(Half, "questions of a deleted run are still there")

    async def test_a_write_that_is_refused_because_of_another_is_found(self):
        class AllOrNothing(MemoryRunStore):
            async def commit(self, writes):
                refused = {write.run_id: refusal for write in writes if (refusal := self._refusal(write)) is not None}
                return refused if refused else await super().commit(writes)

        await broken(AllOrNothing, "one refused of three: RUN-1")

    async def test_a_key_that_is_given_twice_is_found(self):
        class Keyless(MemoryRunStore):
            def _refusal(self, write):
                refusal = super()._refusal(write)
                return None if refusal == "key_taken" else refusal

        await broken(Keyless, "key_taken")

    async def test_a_run_that_is_created_twice_is_found(self):
        class Overwriting(MemoryRunStore):
            def _refusal(self, write):
                return None if write.create is not None else super()._refusal(write)

        await broken(Overwriting, "where {'RUN-1': 'exists'} is due")

    async def test_two_winners_of_one_claim_are_found(self):
        class Generous(MemoryRunStore):
            async def claim(self, run_id, owner_id, epoch):
                run = (await self.get(run_id)).epoch
                await asyncio.sleep(0)
                if run != epoch:
                    raise RunLost(run_id)
                return await super().claim(run_id, owner_id, (await self.get(run_id)).epoch)

        await broken(Generous, "of eight claims of one epoch succeeded, not one")

    async def test_a_second_answer_that_counts_is_found(self):
        class Forgetful(MemoryRunStore):
            async def answer(self, key, answer, *, by, at):
                question = await self.question(key)
                self._questions[key] = attrs.evolve(question, state=QuestionState.OPEN)
                return await super().answer(key, answer, by=by, at=at)

        await broken(Forgetful, "a second answer returned .*, where AlreadyAnswered is due")

    async def test_a_second_cancel_that_counts_is_found(self):
        class Eager(MemoryRunStore):
            async def ask_cancel(self, run_id, by, at):
                self._runs[run_id].run = attrs.evolve(self._runs[run_id].run, cancel=None)
                return await super().ask_cancel(run_id, by, at)

        await broken(Eager, "ask_cancel returned .*, where the first one")

    async def test_an_answer_that_is_told_only_once_is_found(self):
        class Once(MemoryRunStore):
            async def asked(self, owner_id, now):
                found = await super().asked(owner_id, now)
                self._untaken.clear()
                return found

        await broken(Once, "an answer came and was not taken, and something else happened: asked returned")

    async def test_a_question_that_never_falls_due_is_found(self):
        class Timeless(MemoryRunStore):
            async def asked(self, owner_id, now):
                found = await super().asked(owner_id, now)
                return None if found is None else attrs.evolve(found, due=())

        await broken(Timeless, "a question's time was over a second ago")

    async def test_things_of_other_owners_are_found(self):
        class Gossip(MemoryRunStore):
            def _asked(self, held, now):
                return super()._asked(set(self._runs), now)

        await broken(Gossip, "things of another owner")

    async def test_an_expired_question_without_its_default_is_found(self):
        class Mute(MemoryRunStore):
            async def commit(self, writes):
                answers = {key: question.answer for key, question in self._questions.items()}
                done = await super().commit(writes)
                for key, answer in answers.items():
                    self._questions[key] = attrs.evolve(self._questions[key], answer=answer)
                return done

        await broken(Mute, "after it expired with a default")

    async def test_pages_that_overlap_are_found(self):
        class Overlapping(MemoryRunStore):
            async def runs(self, wanted):
                found = list(await super().runs(wanted))
                return [await self.get(wanted.before), *found] if wanted.before else found

        await broken(Overlapping, "runs.RunFilter")

    async def test_a_journal_that_outlives_its_run_is_found(self):
        class Hoarding(MemoryRunStore):
            async def delete(self, run_id):
                kept = self._runs.get(run_id)
                await super().delete(run_id)
                self.left = {**getattr(self, "left", {}), run_id: kept}

            async def commit(self, writes):
                done = await super().commit(writes)
                for name, kept in getattr(self, "left", {}).items():
                    if name in self._runs:
                        self._runs[name].rows[:0] = kept.rows
                return done

        await broken(Hoarding, "a run was deleted and another of its id begun")

    async def test_a_blueprint_that_goes_while_it_is_used_is_found(self):
        class Careless(MemoryRunStore):
            async def delete(self, run_id):
                self._blueprints.clear()
                await super().delete(run_id)

        await broken(Careless, "no Blueprint has the hash")

    async def test_an_error_without_the_nearest_id_is_found(self):
        class Curt(MemoryRunStore):
            def _not_found(self, run_id):
                error = super()._not_found(run_id)
                error.hint = None
                return error

        await broken(Curt, "does not name the nearest")

    async def test_a_store_that_fails_is_found(self):
        await broken(lambda: FailingRunStore(MemoryRunStore(), fail_at=2), "StoreUnavailable: this call was to fail")

    async def test_outputs_are_checked_too(self):
        class Dropping(MemoryRunStore):
            def __init__(self):
                super().__init__()
                self.outputs.load = self.lose

            async def lose(self, digest):
                raise OutputNotFound(digest)

        await broken(Dropping, "output not found")


class TestDurableRunStore:
    async def test_the_sqlite_store_keeps_the_contract(self, tmp_path):
        await check_durable_run_store(lambda: open_sqlite_runs(f"sqlite:///{tmp_path}/runs.db"))

    async def test_a_store_that_says_it_keeps_nothing_is_found(self):
        await self.broken(MemoryRunStore, "the store says that it keeps nothing")

    async def test_pl143_a_store_that_is_empty_when_it_is_opened_again_is_found(self):
        class Lying(MemoryRunStore):
            durability = Durability.FULL

        await self.broken(Lying, "run not found: RUN-1; the store holds no run")

    async def test_a_store_that_loses_the_last_write_is_found(self, tmp_path):
        kept = []

        class Losing(MemoryRunStore):
            durability = Durability.FULL

        @asynccontextmanager
        async def open_at():
            store = Losing()
            for writes in kept[:-1]:
                await store.commit(writes)
            commit = store.commit

            async def noted(writes):
                kept.append(writes)
                return await commit(writes)

            store.commit = noted
            yield store

        with pytest.raises(ContractBroken, match="after opening it again"):
            await check_durable_run_store(open_at)

    async def test_two_that_do_not_see_each_other_are_found(self):
        held = MemoryRunStore()

        class Blind(MemoryRunStore):
            durability = Durability.FULL

        @asynccontextmanager
        async def open_at(opened=[0]):  # noqa: B006 - it counts
            opened[0] += 1
            held.durability = Durability.FULL
            yield held if opened[0] < 5 else Blind()

        with pytest.raises(ContractBroken, match="version is the same after another one has written"):
            await check_durable_run_store(open_at)

    @staticmethod
    async def broken(make, sentence):
        with pytest.raises(ContractBroken, match=sentence):
            await check_durable_run_store(opening(make))


class TestFailingRunStore:
    async def test_the_chosen_call_fails_and_nothing_was_done(self):
        store = FailingRunStore(MemoryRunStore(), fail_at=2)
        await store.count()

        with pytest.raises(StoreUnavailable):
            await store.ask_cancel("RUN-1", "me", 1.0)

        assert (2, 1, ["count", "ask_cancel"]) == (store.calls, store.failures, store.log)
        assert {} == await store.count()

    async def test_the_calls_after_it_fail_when_it_persists(self):
        store = FailingRunStore(MemoryRunStore(), fail_at=2, persistent=True)
        await store.count()

        for _ in range(3):
            with pytest.raises(StoreUnavailable):
                await store.count()
        store.fail_at = None

        assert {} == await store.count()

    async def test_it_may_fail_after_it_was_done(self):
        inner = MemoryRunStore()
        store = FailingRunStore(inner, fail_at=1, after=True, error=lambda: OSError("gone"))

        with pytest.raises(OSError, match="gone"):
            await store.outputs.keep("RUN-1", {"d": b"x"})

        assert b"x" == await inner.outputs.load("d")

    async def test_only_what_counts_is_counted(self):
        store = FailingRunStore(MemoryRunStore(), fail_at=1, counted=("commit",))
        await store.asked("E-1", 1.0)
        await store.version()

        with pytest.raises(StoreUnavailable):
            await store.commit([])

        assert 1 == store.calls

    @pytest.mark.parametrize("plain", [True, False])
    async def test_whoever_watches_hears_of_every_call_before_and_after(self, plain):
        heard = []

        async def hear(call):
            heard.append((call.number, call.method, call.when))

        def hear_plainly(call):
            heard.append((call.number, call.method, call.when))

        store = FailingRunStore(MemoryRunStore(), watch=hear_plainly if plain else hear)

        await store.count()
        await store.asked("E-1", 1.0)

        assert [(1, "count", "before"), (1, "count", "after")] == heard[:2]
        assert [(2, "asked", "before"), (2, "asked", "after")] == heard[2:]

    async def test_what_a_watcher_raises_ends_the_call(self):
        def crash(call):
            if call.when == "after":
                raise KeyboardInterrupt

        inner = MemoryRunStore()

        with pytest.raises(KeyboardInterrupt):
            await FailingRunStore(inner, watch=crash).outputs.keep("RUN-1", {"d": b"x"})

        assert b"x" == await inner.outputs.load("d")

    async def test_everything_is_passed_on(self):
        store = FailingRunStore(MemoryRunStore())

        refused = await store.commit([RunWrite(run_id="RUN-1", epoch=1)])

        assert ({"RUN-1": "fenced"}, Asked()) == (refused, await store.asked("E-1", 1.0))
        assert (Durability.NONE, "memory://") == (store.durability, store.url)
