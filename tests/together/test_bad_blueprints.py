"""Blueprints that are wrong, given to `swarm check` and `swarm run` as their users give them (BP 1 to 37)."""

import asyncio
import json
import os
import subprocess
import sys

import pytest

from swarm_core import Swarm, function
from swarm_core.model.access import Role

FLOW = '"flow": {"kind": "seq", "children": []}'
GOOD = f'{{"id": "x", {FLOW}}}'
YAML = "id: x\nflow: {kind: seq, children: []}\n"
BOMB = "\n".join(
    ["a: &a [x, x, x, x, x, x, x, x, x]"]
    + [f"{c}: &{c} [{', '.join(['*' + chr(ord(c) - 1)] * 9)}]" for c in "bcdefghi"]
)


def agents(*names):
    return json.dumps(
        {"id": "x", "flow": {"kind": "seq", "children": []}, "agents": [{"name": n, "kind": "fake"} for n in names]}
    )


def looping(most):
    counter, cond, body = '{"op": "path", "at": "$.n"}', '{"op": "lit", "value": 1}', '{"kind": "seq", "children": []}'
    node = f'"kind": "loop", "counter": {counter}, "cond": {cond}, "body": {body}, "max": {most}'
    return f'{{"id": "x", "flow": {{{node}}}}}'


def stepping(ref):
    step = {"kind": "step", "ref": ref, "in": {"op": "lit", "value": 1}, "out": {"op": "path", "at": "$.o"}}
    return json.dumps({"id": "x", "flow": step, "agents": [{"name": "writer", "kind": "fake"}]})


# file, its text, the code of the first problem, and a part of what is told about it
WRONG = [
    pytest.param("a.json", "", "blueprint_empty", "empty", id="bp1-json"),
    pytest.param("a.yaml", "# nothing\n", "blueprint_empty", "comments", id="bp1-yaml"),
    pytest.param("a.json", '{"id": x}', "json_syntax", "a.json:1:8", id="bp2-json"),
    pytest.param("a.yaml", "a: b: c", "yaml_syntax", "a.yaml:1:5", id="bp2-yaml"),
    pytest.param("a.json", f"[{GOOD}]", "wrong_type", "expected an object, got an array", id="bp3-list"),
    pytest.param("a.json", "null", "wrong_type", "expected an object, got null", id="bp3-null"),
    pytest.param("a.toml", GOOD, "unknown_format", "accepted: .json, ", id="bp4"),
    pytest.param("a.json", GOOD + " " * 2**21, "too_large", "2,097,152 bytes", id="bp5"),
    pytest.param("a.json", "[" * 200_000, "too_deep", "at most 500 levels", id="bp6"),
    pytest.param("a.yaml", "[" * 100_000, "too_deep", "at most 500 levels", id="bp7-flow"),
    pytest.param("a.yaml", "- " * 100_000, "too_deep", "at most 500 levels", id="bp7-block"),
    pytest.param("a.yaml", BOMB, "alias_limit", "alias", id="bp8"),
    pytest.param("a.yaml", "a: &a [*a]", "cyclic", "$.a", id="bp9"),
    pytest.param("a.yaml", f"a: &a {{x: 1}}\nb:\n  <<: *a\n{YAML}", "merge_key", "$.b", id="bp10"),
    pytest.param("a.yaml", "id: !!python/name:os.system x", "bad_tag", "!!python/name:os.system", id="bp11-python"),
    pytest.param("a.yaml", "id: !!binary aGk=", "bad_tag", "!!binary", id="bp11-binary"),
    pytest.param("a.yaml", "id: 017", "bad_number", '"017"', id="bp12-octal"),
    pytest.param("a.yaml", "1: x", "bad_key", "quotes", id="bp12-int-key"),
    pytest.param("a.yaml", "~: x", "bad_key", "quotes", id="bp12-null-key"),
    pytest.param("a.json", f'{{"id": "a", "id": "b", {FLOW}}}', "duplicate_key", "line 1, column 2", id="bp13-json"),
    pytest.param("a.yaml", "id: a\nid: b\n", "duplicate_key", "line 1, column 1", id="bp13-yaml"),
    pytest.param("a.yaml", f"{YAML}---\n{YAML}", "multiple_documents", "a.yaml:3:1", id="bp14"),
    pytest.param("a.json", GOOD.encode("utf-16"), "not_utf8", "UTF-16", id="bp15-utf16"),
    pytest.param("a.yaml", b"id: caf\xe9", "not_utf8", "byte 7", id="bp15-latin1"),
    pytest.param("a.json", f'{{"id": "a\\u0000b", {FLOW}}}', "bad_name", "$.id", id="bp16"),
    pytest.param("a.json", f'{{"id": "\\ud800", {FLOW}}}', "bad_unicode", "U+D800", id="bp17"),
    pytest.param("a.json", f'{{"id": "x", "default_init_ctx": NaN, {FLOW}}}', "bad_number", "NaN", id="bp18-nan"),
    pytest.param("a.json", f'{{"id": "x", "default_init_ctx": 1e400, {FLOW}}}', "bad_number", "1e400", id="bp18-inf"),
    pytest.param("a.json", f'{{"id": "x", "default_init_ctx": {"9" * 5000}, {FLOW}}}', "number_range", "2^64",
                 id="bp19-digits"),
    pytest.param("a.json", f'{{"id": "x", "default_init_ctx": {2**64}, {FLOW}}}', "number_range", "2^64", id="bp19"),
    pytest.param("a.json", '{"id": "x", "flow": {"kind": "seq", "childern": []}}', "missing_field", "'children'",
                 id="bp20-missing"),
    pytest.param("a.json", f'{{"id": "x", {FLOW}, "agnets": []}}', "unknown_field", "did you mean 'agents'?",
                 id="bp20"),
    pytest.param("a.json", f'{{"id": 5, {FLOW}}}', "wrong_type", "expected a string, got", id="bp21"),
    pytest.param("a.json", '{"id": "x", "flow": {"kind": "stp"}}', "unknown_node_kind", "step, seq, branch",
                 id="bp22-kind"),
    pytest.param("a.json", '{"id": "x", "flow": {"kind": "let", "at": "$.a", "value": {"op": "pth"}}}', "unknown_op",
                 "did you mean 'path'?", id="bp22-op"),
    pytest.param("a.json", f'{{"id": "x", {FLOW}, "schema_version": "0.2.0"}}', "schema_version", "reads 0.1.x",
                 id="bp23-newer"),
    pytest.param("a.json", f'{{"id": "x", {FLOW}, "schema_version": "abc"}}', "schema_version", "reads 0.1.x",
                 id="bp23-word"),
    pytest.param("a.json", stepping("writre"), "unresolved_ref", "did you mean 'writer'?", id="bp24"),
    pytest.param("a.json", agents("plan", "plan"), "duplicate_agent", "'plan'", id="bp25"),
    pytest.param("a.json", agents("plan", "Plan"), "duplicate_agent", "differ only in case", id="bp25-case"),
    pytest.param("a.json", agents("../x"), "bad_name", "letters, digits", id="bp26-path"),
    pytest.param("a.json", agents("a\u202eb"), "bad_name", "letters, digits", id="bp26-rtl"),
    pytest.param("a.json", agents("x" * 10_000), "bad_name", "letters, digits", id="bp26-long"),
    pytest.param("a.json", agents("a").replace("fake", "fak"), "unknown_kind", "did you mean 'fake'? installed: ",
                 id="bp27-near"),
    pytest.param("a.json", agents("a").replace("fake", "operator"), "invalid_spec", "'operator_ref' (string) required",
                 id="bp27-seat", marks=pytest.mark.needs("operator")),
    pytest.param("a.json", json.dumps({"id": "x", "flow": {"kind": "seq", "children": [
        {"kind": "seq", "children": []}] * 10_000}}), "too_many_nodes", "10,000", id="bp29-nodes"),
    pytest.param("a.json", '{"id": "x", "flow": ' + '{"kind": "seq", "children": [' * 201 + "]}" * 201 + "}",
                 "too_deep", "at most 200 levels", id="bp29-nesting"),
    pytest.param("a.json", looping(-1), "out_of_range", "4294967295", id="bp31-negative"),
    pytest.param("a.json", looping(2**40), "out_of_range", "4294967295", id="bp31-huge"),
    pytest.param("a.json", looping(1.5), "wrong_type", "got the number 1.5", id="bp31-fraction"),
    pytest.param("a.json", looping('"3"'), "wrong_type", "got the string '3'", id="bp31-text"),
]  # fmt: skip


class TestRefused:
    @pytest.mark.parametrize(("name", "text", "code", "told"), WRONG)
    def test_check_tells_code_place_and_what_to_do_and_leaves_the_folder_alone(
        self, cli, write, folder, name, text, code, told
    ):
        write(name, text)

        ended = cli("check", name, "--json")
        plain = cli("check", name)

        first = ended.problems[0]
        assert (3, False, code) == (ended.code, ended.json["ok"], first["code"])
        assert told in plain.out
        assert (name, "error") == (first["file"], first["severity"])
        assert {"message", "path"} <= first.keys()
        assert [name] == [path.name for path in folder.iterdir()]

    @pytest.mark.parametrize(
        ("name", "text", "code", "told"),
        [case for case in WRONG if case.id in ("bp2-json", "bp8", "bp20", "bp27-near")],
    )
    def test_run_refuses_what_check_refuses_and_prints_no_result(self, cli, write, name, text, code, told):
        ended = cli("run", write(name, text))

        assert (3, "") == (ended.code, ended.out)
        assert told in ended.err

    @pytest.mark.parametrize("text", ["no", "on", "1:30", "2001-12-14", "0o8", "y"])
    def test_bp12_words_that_yaml_1_1_read_otherwise_reach_the_flow_as_text(self, cli, write, text):
        ended = cli("run", write("a.yaml", f"{YAML}default_init_ctx: {{a: {text}}}\n"))

        assert {"a": text} == ended.json

    @pytest.mark.parametrize("number", [2**63, 2**64 - 1, -(2**63), 9_007_199_254_740_993])
    def test_bp19_an_integer_in_range_reaches_the_result_exactly(self, cli, write, number):
        ended = cli("run", write("a.json", f'{{"id": "x", "default_init_ctx": {{"n": {number}}}, {FLOW}}}'))

        assert f'"n": {number}\n' in ended.out

    def test_bp15_a_byte_order_mark_is_fine(self, cli, write):
        assert 0 == cli("check", write("a.json", b"\xef\xbb\xbf" + GOOD.encode())).code

    @pytest.mark.parametrize("text", ["[" * 200_000, BOMB, "[" * 100_000, "- " * 1_000_000, None])
    def test_bp5_bp6_bp7_bp8_refusing_a_bomb_costs_no_memory(self, folder, text):
        """A refusal needs at most 64 MiB more than checking a good file does; without a text, 8 GiB of zeros."""
        files = [
            folder / "good.yaml",
            folder / ("bomb.json" if text and text.startswith("[" * 150_000) else "bomb.yaml"),
        ]
        files[0].write_text(YAML)
        if text is None:
            with files[1].open("wb") as file:
                file.truncate(8 * 1024**3)
        else:
            files[1].write_text(text)

        (_, least), (code, most) = (_memory_of_check(path) for path in files)

        assert 3 == code
        assert most - least <= 64 * 1024


def _memory_of_check(path):
    """Return the exit code of `swarm check` and the most KiB of memory it had."""
    null = subprocess.DEVNULL
    process = subprocess.Popen([sys.executable, "-m", "swarm_core", "check", path], stdout=null, stderr=null)
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    return process.returncode, usage.ru_maxrss


class TestLayers:
    def test_bp28_an_unknown_layer_is_a_warning_and_an_error_when_strict(self, cli, write, flow):
        hints = {"spawner_hints": {"layers": ["long_holdd"]}}
        strict = {**hints, "strategy": {"strict_layers": True}}

        doubted = cli("check", write("a.json", flow.blueprint(flow.nothing, **hints)), "--json")
        refused = cli("check", write("b.json", flow.blueprint(flow.nothing, **strict)), "--json")

        assert [(0, "unknown_layer", "warning"), (3, "unknown_layer", "error")] == [
            (ended.code, ended.problems[0]["code"], ended.problems[0]["severity"]) for ended in (doubted, refused)
        ]

    def test_bp28_a_layer_that_is_not_installed_is_told_with_what_brings_it(self, cli, write, flow, monkeypatch):
        monkeypatch.setenv("SWARM_DISABLE_PLUGINS", "1")
        blueprint = flow.blueprint(flow.nothing, spawner_hints={"layers": ["audit"]})

        ended = cli("check", write("a.json", blueprint), "--json")

        assert "audit" in ended.problems[0]["hint"]


class TestReferences:
    def test_bp30_a_blueprint_extends_no_other(self, cli, write):
        ended = cli("check", write("a.json", f'{{"id": "x", {FLOW}, "extends": "a.json"}}'), "--json")

        assert [("unknown_field", "$.extends")] == [(p["code"], p["path"]) for p in ended.problems]

    def test_bp30_a_reference_to_the_file_itself_is_its_text_and_no_circle(self, cli, write):
        text = f"{YAML}default_init_ctx: {{me: {{$file: a.yaml}}}}\n"

        assert {"me": text} == cli("run", write("a.yaml", text)).json

    def test_fr46_a_directive_that_comes_with_the_data_stays_data(self, cli, write, flow):
        blueprint = flow.blueprint(flow.let("$.copy", flow.path("$.given")))

        ended = cli("run", write("a.json", blueprint), "--ctx", '{"given": {"$file": "a.json"}}')

        assert {"$file": "a.json"} == ended.json["copy"]


class TestFanouts:
    def test_bp32_a_million_lanes_are_refused(self, run_flow, flow):
        result = run_flow(flow.fanout(flow.path("$.items"), flow.nothing), {"items": [1] * 10**6})

        assert ("LimitError", "max_lanes") == (result.error["kind"], result.error["op"])
        assert "1,000,000 items is more than max_lanes allows (100,000)" in result.error["message"]

    def test_bp32_the_operator_says_how_many(self, cli, write, flow, monkeypatch):
        monkeypatch.setenv("SWARM_ENGINE_MAX_LANES", "2")

        codes = [
            cli("run", write("a.json", flow.blueprint(flow.fanout(flow.lit([0] * n), flow.nothing)))).code
            for n in (2, 3)
        ]

        assert [0, 1] == codes

    @pytest.mark.parametrize(
        ("items", "got"),
        [("abc", "the string 'abc'"), ({"a": 1}, "an object"), (None, "null"), (3, "the number 3"), (True, "true")],
    )
    def test_bp33_items_that_are_no_array_are_an_error_that_try_catches(self, run_flow, flow, items, got):
        body = flow.fanout(flow.lit(items), flow.nothing)

        failed = run_flow(body)
        caught = run_flow(flow.attempt(body))

        assert ("TypeError", "fanout.items") == (failed.error["kind"], failed.error["op"])
        assert {"why": f"fanout.items: expected an array, got {got}"} == caught.final_ctx

    def test_bp34_lanes_that_write_at_one_place_do_not_meet(self, run_flow, flow):
        """Each lane has a ctx of its own; what goes out is the joined value and nothing else."""
        body = flow.seq(flow.let("$.same", flow.path("$.item")), flow.step("echo", "$.same.deeper", 1))

        collided = run_flow(flow.fanout(flow.lit([{}, {"a": 1}]), body), {"same": "before"}, echo=lambda given: given)

        lanes = [
            {"same": {"deeper": 1}, "item": {}},
            {"same": {"a": 1, "deeper": 1}, "item": {"a": 1}},
        ]
        assert {"same": "before", "lanes": lanes} == collided.final_ctx


class TestWriting:
    def test_bp35_writing_at_the_root_replaces_the_whole_ctx(self, run_flow, flow):
        """The language says so (rules of flow.ir, "Paths"), so it is not refused."""
        assert 5 == run_flow(flow.let("$", flow.lit(5)), {"a": 1}).final_ctx

    def test_bp35_no_key_is_reserved(self, run_flow, flow):
        keys = ["_", "_run", "__proto__", "$file"]
        writes = [flow.let(f'$["{key}"]', flow.lit(1)) for key in keys]

        assert dict.fromkeys(keys, 1) == run_flow(flow.seq(*writes)).final_ctx


class TestItself:
    def test_bp36_p36_an_agent_that_starts_itself_ends_at_the_depth_limit(self, run_flow, flow):
        async def again(call):
            return await call.context.start_child("again", None)

        result = run_flow(flow.step("again"), again=again)

        assert "spawn depth exceeded: 4 >= 4" in result.error["message"]
        assert (4, 4) == (result.counts["tasks"], result.counts["blocked"])

    async def test_bp37_a_run_keeps_the_blueprint_that_it_began_with(self, folder, write, flow):
        """While the first step waits for an answer, everything the Blueprint was made of changes on disk."""
        blueprint = {**flow.blueprint(flow.seq(flow.step("asks", "$.answer"), flow.step("tells", "$.told")), "asks")}
        blueprint["agents"].append({"name": "tells", "kind": "fake", "spec": {"answers": [{"$file": "prompt.md"}]}})
        write("prompt.md", "as it was")
        write("a.json", blueprint)

        @function
        async def asks(call):
            return await call.context.ask("ready?")

        async with Swarm.open(functions=[asks]) as swarm:
            launched = await swarm.launch(folder / "a.json")
            while not (waiting := [task.suspended_on for task in launched.tasks() if task.suspended_on]):
                await asyncio.sleep(0.01)
            write("prompt.md", "changed")
            write("a.json", flow.blueprint(flow.nothing))
            await swarm.engine.door.resume(swarm.engine.attach("s", Role.SENIOR), waiting[0], "yes")
            result = await launched.wait()

        assert {"answer": "yes", "told": "as it was"} == result.final_ctx
