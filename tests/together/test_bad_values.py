"""Values of options and settings that are none, or that cannot be kept as they are written (CL 149, 150)."""

import pytest

PURE = {"id": "x", "flow": {"kind": "seq", "children": []}}


class TestValues:
    @pytest.mark.parametrize(
        ("text", "told"),
        [
            ('a={"x": 1, "x": 2}', "second time"),
            ("a=1e400", "too large for a number"),
            ('a="\\ud800"', "surrogate"),
            (f"a={2**64}", "out of range"),
            ("a=" + "[" * 60_000, "at most 500 levels"),
            (".".join("a" * 1_000) + "=1", "at most 200 levels"),
            ("a..b=1", "'a..b=1'"),
        ],
    )
    def test_cl149_a_value_that_cannot_be_kept_as_written_is_refused(self, cli, write, text, told):
        ended = cli("run", write("a.json", PURE), "--set", text)

        assert ended.code in (2, 3)
        assert told in ended.err

    @pytest.mark.parametrize("text", ["NaN", "01", "[note] text", '"open', "1_000", "-", ""])
    def test_cl149_a_value_that_is_no_json_is_text(self, cli, write, text):
        assert text == cli("run", write("a.json", PURE), "--set", f"a={text}").json["a"]

    def test_cl149_a_ctx_that_nests_too_deeply_is_refused(self, cli, write):
        ended = cli("run", write("a.json", PURE), "--ctx", "[" * 300 + "]" * 300)

        assert 3 == ended.code
        assert "nested deeper than 200 levels" in ended.err

    @pytest.mark.parametrize("text", ["-1", "0", "5 parsecs", "1e9s", "", "4000d"])
    @pytest.mark.needs("long_hold")
    def test_cl150_a_time_that_is_none_is_refused_in_hints_and_settings(self, cli, write, text):
        agents = [{"name": "a", "kind": "fake", "spec": {}}]
        blueprint = {**PURE, "agents": agents, "hints": {"per_agent": {"a": {"timeout": text}}}}

        hinted = cli("check", write("a.json", blueprint), "--json")
        write("swarm.toml", f'[engine]\ncancel_grace = "{text}"\n')
        settings = cli("run", "a.json")

        assert [(3, "bad_duration")] == [(hinted.code, problem["code"]) for problem in hinted.json["problems"]]
        assert "$.hints.per_agent.a.timeout" == hinted.json["problems"][0]["path"]
        assert 3 == settings.code
        assert "engine.cancel_grace" in settings.err

    def test_cl150_times_and_sizes_with_units_are_taken(self, cli, write):
        write("swarm.toml", '[engine]\ncancel_grace = "1.5s"\nmax_value_bytes = "10GB"\nworker_token_ttl = 90\n')
        blueprint = {**PURE, "hints": {"global": {"timeout": "2h", "retry": {"backoff": "500ms", "max_backoff": 5}}}}

        assert 0 == cli("run", write("a.json", blueprint)).code

    def test_cl150_a_size_that_is_none_is_refused(self, cli, monkeypatch):
        monkeypatch.setenv("SWARM_ENGINE_MAX_VALUE_BYTES", "ten")

        ended = cli("plugins")

        assert 3 == ended.code
        assert "'ten' is no size" in ended.err

    @pytest.mark.parametrize(
        ("toml", "told"),
        [
            ("[engine]\nmax_lanes = 'many'", "no whole number"),
            ("[engine]\n[engine]", "is no TOML"),
            ("[enginee]", "did you mean 'engine'?"),
        ],
    )
    def test_cl149_wrong_settings_stop_a_run_before_it_begins(self, cli, write, toml, told):
        write("swarm.toml", toml)

        ended = cli("run", write("a.json", PURE))

        assert (3, "") == (ended.code, ended.out)
        assert told in ended.err
