from __future__ import annotations

import pytest

from swarm_core.model.blueprint import AgentHint, CompilerHints, RetryHint
from swarm_core.model.problem import Severity


def one(problems):
    (problem,) = problems
    return problem


class TestHints:
    def hinted(self, blueprint, **hints):
        return blueprint(("a", "echo"), hints=CompilerHints(per_agent={"a": AgentHint(**hints)}))

    def test_good_values_are_no_problem(self, found, blueprint):
        retry = RetryHint(max_attempts=1, backoff=0, max_backoff="2m", on=("failed", "blocked", "no_final"))

        assert found(self.hinted(blueprint, timeout="90s", concurrency=1, retry=retry)) == []

    @pytest.mark.parametrize(
        ("hints", "path"),
        [
            ({"timeout": "5 parsecs"}, "timeout"),
            ({"timeout": 0}, "timeout"),
            ({"timeout": -1}, "timeout"),
            ({"timeout": "1e9s"}, "timeout"),
            ({"timeout": True}, "timeout"),
            ({"timeout": ["1s"]}, "timeout"),
            ({"concurrency": 0}, "concurrency"),
            ({"concurrency": True}, "concurrency"),
            ({"concurrency": 1.5}, "concurrency"),
            ({"retry": RetryHint(max_attempts=0)}, "retry.max_attempts"),
            ({"retry": RetryHint(backoff="soon")}, "retry.backoff"),
            ({"retry": RetryHint(backoff=-1)}, "retry.backoff"),
            ({"retry": RetryHint(max_backoff="never")}, "retry.max_backoff"),
            ({"retry": RetryHint(on=("failed", "tiemout"))}, "retry.on[1]"),
        ],
        ids=str,
    )
    def test_a_bad_value_is_told_at_its_place(self, found, blueprint, hints, path):
        problem = one(found(self.hinted(blueprint, **hints)))

        assert (problem.code, problem.path) == ("invalid_hint", f"$.hints.per_agent.a.{path}")

    def test_an_unknown_cause_names_the_nearest(self, found, blueprint):
        problem = one(found(self.hinted(blueprint, retry=RetryHint(on=("tiemout",)))))

        assert "did you mean 'timeout'?" in problem.message

    def test_global_hints_are_looked_at_once(self, found, blueprint):
        hints = CompilerHints(global_=AgentHint(timeout="soon"))

        problem = one(found(blueprint(("a", "echo"), ("b", "echo"), hints=hints)))

        assert (problem.code, problem.path) == ("invalid_hint", "$.hints.global.timeout")

    def test_a_hint_for_a_name_that_is_no_agents_is_a_warning(self, found, blueprint):
        hints = CompilerHints(per_agent={"writter": AgentHint(timeout=1)})

        problem = one(found(blueprint(("writer", "echo"), hints=hints)))

        assert (problem.code, problem.severity) == ("unknown_hint_agent", Severity.WARNING)
        assert (problem.path, problem.hint) == ("$.hints.per_agent.writter", "did you mean 'writer'?")

    def test_a_name_that_is_no_plain_word_is_quoted_in_its_place(self, found, blueprint):
        hints = CompilerHints(per_agent={"writer.v2": AgentHint(timeout="soon")})

        problem = one(found(blueprint(("writer.v2", "echo"), hints=hints)))

        assert problem.path == '$.hints.per_agent["writer.v2"].timeout'


class TestBindings:
    def test_a_launch_may_bind_an_agent_whose_own_kind_is_not_installed(self, found, blueprint):
        assert found(blueprint(("a", "ghost"), refs=("a",)), bind={"a": "echo"}) == []

    def test_a_hint_may_bind_too(self, found, blueprint):
        hints = CompilerHints(per_agent={"a": AgentHint(bind="echo")})

        assert found(blueprint(("a", "ghost"), refs=("a",), hints=hints)) == []

    def test_a_bind_to_an_unknown_kind_is_told_where_it_stands(self, found, blueprint):
        hints = CompilerHints(per_agent={"a": AgentHint(bind="ghost")}, global_=AgentHint(bind="phantom"))

        problems = found(blueprint(("a", "echo"), ("b", "echo"), hints=hints))

        assert [(p.code, p.path) for p in problems] == [
            ("unknown_kind", "$.hints.per_agent.a.bind"),
            ("unknown_kind", "$.hints.global.bind"),
        ]

    def test_a_launch_that_binds_to_an_unknown_kind_is_told_so(self, found, blueprint):
        problem = one(found(blueprint(("a", "echo")), bind={"a": "ghost"}))

        assert (problem.code, problem.severity) == ("unknown_kind", Severity.ERROR)
        assert problem.message.startswith("agent 'a' is bound by the launch to kind 'ghost'")

    def test_a_launch_that_binds_a_name_that_is_no_agents_is_an_error(self, found, blueprint):
        problem = one(found(blueprint(("writer", "echo")), bind={"wirter": "echo"}))

        assert (problem.code, problem.hint) == ("unknown_bind_agent", "did you mean 'writer'?")

    def test_the_kind_an_agent_is_bound_to_may_want_a_spec(self, found, blueprint):
        problem = one(found(blueprint(("a", "echo", {"voice": "low"})), bind={"a": "talk"}))

        assert (problem.code, problem.path) == ("invalid_spec", "$.agents[0].kind")
        assert problem.message.startswith("agent 'a', bound to kind 'talk', spec invalid: ")
