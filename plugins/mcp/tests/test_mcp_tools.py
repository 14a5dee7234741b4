"""The tools, the resources and the prompt, called by the official client on a swarm in this process."""

import asyncio
import json
from pathlib import Path

import pytest
from jsonschema_rs import meta
from swarm_plugin_mcp.reference import page
from swarm_plugin_mcp.tools import ALIASES, TOOLS

ROOT = Path(__file__).resolve().parents[3]
SAMPLES = sorted((ROOT / "examples/samples").glob("*.yaml"))

in_repository = pytest.mark.skipif(not SAMPLES, reason="compares with the repository around the plugin")

ORIGINAL = {
    "swarm_run",
    "swarm_status",
    "swarm_cancel",
    "bp_schema",
    "bp_archive",
    "bp_unarchive",
    "mse_operator_join",
    "mse_pending_wait",
    "mse_ack",
    "mse_operator_leave",
    "mse_doctor",
}

SLOW = """
id: slow
agents: [{name: worker, kind: function, spec: {fn_id: until_told}}]
flow: {kind: step, ref: worker, in: {op: path, at: $.word}, out: {op: path, at: $.said}}
"""

ASK = """
id: refund
agents:
  - name: accountant
    kind: ask
    spec: {question: May we?, who: [ada], schema: {type: boolean}}
flow: {kind: step, ref: accountant, in: {op: path, at: $}, out: {op: path, at: $.decision}}
"""

TWO = """
id: two
flow:
  kind: seq
  children:
    - {kind: step, ref: first, in: {op: lit, value: 1}, out: {op: path, at: $.first}}
    - {kind: step, ref: second, in: {op: path, at: $.first}, out: {op: path, at: $.second}}
agents:
  - {name: first, kind: fake, spec: {answers: [{deep: [1, 2]}]}}
  - {name: second, kind: fake, spec: {answers: [done]}}
"""


class TestDescriptions:
    @pytest.mark.parametrize("tool", TOOLS.values(), ids=lambda tool: tool.name)
    async def test_a_schema_is_a_json_schema_that_says_what_each_argument_is_for(self, tool):
        schema = tool.schema()

        meta.validate(schema)

        assert "object" == schema["type"]
        assert not schema["additionalProperties"]
        assert all(about["description"] for about in schema["properties"].values())

    @pytest.mark.needs("enhance")
    async def test_the_list_has_the_original_tools_and_ours(self, tools):
        listed = {tool.name for tool in (await tools.client.list_tools()).tools}

        assert listed == set(TOOLS)
        assert listed >= ORIGINAL
        assert set(ALIASES.values()) <= listed

    @in_repository
    async def test_the_page_in_the_docs_is_the_one_made_from_the_tools(self):
        written = (ROOT / "docs/reference/mcp.md").read_text()

        assert page(level=2) in written

    @pytest.mark.parametrize("uri", ["mse://guides/getting-started", "mse://guides/blueprint-authoring"])
    async def test_guides_name_only_tools_that_exist(self, tools, uri):
        text = (await tools.client.read_resource(uri)).contents[0].text
        words = {word.strip("`.,:;()") for word in text.split()}
        named = {word for word in words if word.startswith(("swarm_", "bp_", "mse_"))}

        assert named
        assert named <= set(TOOLS)


class TestResources:
    async def test_all_can_be_read(self, tools):
        listed = (await tools.client.list_resources()).resources

        texts = {str(each.uri): (await tools.client.read_resource(str(each.uri))).contents[0].text for each in listed}

        guides = ("getting-started", "blueprint-authoring", "mcp-tool-reference")
        wanted = {*(f"mse://guides/{name}" for name in guides), "mse://api/blueprint-schema"}
        wanted |= {f"mse://blueprints/samples/{number}" for number in ("01", "02", "03")}
        assert wanted == set(texts)
        assert all(len(text) > 300 for text in texts.values())

    @in_repository
    @pytest.mark.parametrize("path", SAMPLES, ids=lambda path: path.name)
    async def test_samples_are_those_of_the_repository(self, tools, path):
        read = await tools.client.read_resource(f"mse://blueprints/samples/{path.name[:2]}")

        assert path.read_text() == read.contents[0].text

    async def test_the_schema_is_one_that_the_samples_fit(self, tools):
        schema = json.loads((await tools.client.read_resource("mse://api/blueprint-schema")).contents[0].text)

        told = await tools.call("bp_schema")

        meta.validate(schema)
        assert schema == told

    async def test_an_unknown_one_is_told_with_those_that_are(self, tools):
        with pytest.raises(Exception, match="mse://guides/getting-started"):
            await tools.client.read_resource("mse://guides/none")

    async def test_the_prompt_has_the_goal_and_the_guide(self, tools):
        listed = (await tools.client.list_prompts()).prompts
        goal = "review {{ patches }} {0}"

        told = await tools.client.get_prompt("author_blueprint", {"goal": goal, "id": "reviews"})

        assert ["author_blueprint"] == [prompt.name for prompt in listed]
        text = told.messages[0].content.text
        assert goal in text and "`reviews`" in text and "swarm_check" in text

    @pytest.mark.needs("operator")
    async def test_blueprints_in_the_authoring_guide_are_right(self, tools):
        guide = (await tools.client.read_resource("mse://guides/blueprint-authoring")).contents[0].text
        shown = [block.split("```")[0] for block in guide.split("```yaml\n")[1:]]

        for text in shown:
            checked = await tools.call("swarm_check", blueprint=text)
            assert checked["ok"], (text, checked)

        assert len(shown) >= 2


class TestRun:
    async def test_sample_01_ends_with_its_ctx(self, tools):
        sample = (await tools.client.read_resource("mse://blueprints/samples/01")).contents[0].text

        told = await tools.call("swarm_run", blueprint=sample, init_ctx={"score": 9})

        assert ("done", "out-of-range") == (told["status"], told["final_ctx"]["grade"])
        assert 64 == len(told["bound_version"])
        assert told["log_tail"][-1].startswith("2 run_ended")

    async def test_a_document_as_an_object_is_run_too(self, tools):
        document = {"id": "x", "flow": {"kind": "seq", "children": []}}

        told = await tools.call("swarm_run", blueprint={"kind": "inline", "value": document})

        assert ("done", {}) == (told["status"], told["final_ctx"] or {})

    async def test_progress_is_told_step_by_step(self, tools):
        heard = []

        async def hear(progress, total, message):
            heard.append((progress, message))

        await tools.client.call_tool("swarm_run", {"blueprint": TWO}, progress_callback=hear)

        assert [number for number, _ in heard] == sorted(number for number, _ in heard)
        assert "first started (0 steps done)" == heard[0][1]
        assert "the run ended done (2 steps done)" == heard[-1][1]

    async def test_a_file_of_the_project_is_run_with_its_functions(self, tools, project):
        (project / "loud.yaml").write_text(SLOW.replace("until_told", "shout"))

        told = await tools.call("swarm_run", file="loud.yaml", init_ctx={"word": "hello"})

        assert "HELLO" == told["final_ctx"]["said"]

    async def test_a_run_that_fails_is_a_result_with_its_error(self, tools):
        told = await tools.call("swarm_run", blueprint=SLOW.replace("until_told", "shout"), init_ctx={"word": 3})

        assert "failed" == told["status"]
        assert "AttributeError" in str(told["error"])

    async def test_the_same_key_is_the_same_run(self, tools):
        first = await tools.call("swarm_run", blueprint=ASK, init_ctx={}, key="once")

        again = await tools.call("swarm_run", blueprint=ASK, init_ctx={}, key="once")

        assert first["run_id"] == again["run_id"]

    async def test_after_the_timeout_the_run_goes_on(self, tools, project):
        begun = await tools.call("swarm_run", blueprint=SLOW, init_ctx={"word": "hello"}, timeout_secs=0.05)
        (project / "go").touch()

        end = await tools.call("swarm_watch", run_id=begun["run_id"], timeout_secs=20)

        assert "running" == begun["status"]
        assert "swarm_watch" in begun["next"]
        assert ("done", "hello") == (end["status"], end["final_ctx"]["said"])

    async def test_cancelling_the_call_leaves_the_run_going(self, tools, project, eventually):
        calling = asyncio.ensure_future(tools.call("swarm_run", blueprint=SLOW, init_ctx={"word": "hello"}))
        await eventually((project / "started").exists)
        calling.cancel()
        await asyncio.wait((calling,))
        (project / "go").touch()
        (run,) = (await tools.call("swarm_runs"))["runs"]

        end = await tools.call("swarm_watch", run_id=run["id"], timeout_secs=20)

        assert calling.cancelled()
        assert "done" == end["status"]

    async def test_a_run_is_cancelled(self, tools, project, eventually):
        begun = await tools.call("swarm_run", blueprint=SLOW, init_ctx={"word": "hello"}, detach=True)
        await eventually((project / "started").exists)

        told = await tools.call("swarm_cancel", run_id=begun["run_id"])

        assert "cancelled" == told["status"]
        assert "cancelled" == (await tools.call("swarm_status", run_id=begun["run_id"]))["status"]

    async def test_a_budget_bounds_it(self, tools):
        told = await tools.call("swarm_run", blueprint=TWO, budget={"dispatches": 1})

        assert "failed" == told["status"]


class TestRefusals:
    @pytest.mark.parametrize(
        ("arguments", "code", "said"),
        [
            ({}, "bad_arguments", "either `blueprint` or `file`"),
            ({"blueprint": "bp:x", "file": "x.yaml"}, "bad_arguments", "either `blueprint` or `file`"),
            ({"blueprnt": 1}, "bad_arguments", "did you mean 'blueprint'"),
            ({"blueprint": 7}, "bad_arguments", "expected an object or a string"),
            ({"blueprint": "hello"}, "bad_arguments", "no Blueprint"),
            ({"blueprint": "{"}, "invalid_document", "error"),
            ({"blueprint": "a: [1"}, "invalid_document", "error"),
            ({"blueprint": {"id": "x", "flow": {"kind": "stp"}}}, "invalid_document", "did you mean 'step'"),
            ({"blueprint": TWO.replace("fake", "fakee", 1)}, "invalid_blueprint", "did you mean 'fake'"),
            ({"blueprint": "bp:none"}, "blueprint_not_found", "none"),
            ({"file": "none.yaml"}, "not_found", "none.yaml"),
            ({"file": "../x.yaml"}, "outside", "project's folder"),
            ({"file": "/etc/hostname"}, "outside", "project's folder"),
            ({"file": "a\0b"}, "bad_path", "NUL"),
            ({"blueprint": TWO, "timeout_secs": -1}, "bad_arguments", "timeout_secs"),
            ({"blueprint": TWO, "operator_kind": "boss"}, "bad_arguments", "main_ai"),
            ({"blueprint": TWO, "budget": {"dispatchs": 1}}, "invalid_document", "dispatchs"),
            ({"blueprint": TWO, "layers": "none"}, "invalid_blueprint", "none"),
        ],
    )
    async def test_a_launch_that_cannot_be_is_told_with_a_hint(self, tools, arguments, code, said):
        text, told = await tools.refused("swarm_run", **arguments)

        assert code == told
        assert said in text

    async def test_a_link_out_of_the_project_is_refused(self, tools, project, tmp_path_factory):
        other = tmp_path_factory.mktemp("other") / "x.yaml"
        other.write_text(TWO)
        (project / "link.yaml").symlink_to(other)

        _, code = await tools.refused("swarm_run", file="link.yaml")

        assert "outside" == code

    async def test_an_unknown_tool_is_told_with_the_nearest(self, tools):
        text, code = await tools.refused("swarm_rn")

        assert ("unknown_tool", True) == (code, "swarm_run" in text)

    async def test_an_unknown_run_is_told(self, tools):
        _, code = await tools.refused("swarm_status", run_id="RUN-0000000000000000")

        assert "run_not_found" == code

    async def test_every_problem_of_a_blueprint_is_told(self, tools):
        wrong = {"id": "x", "flw": 1, "flow": {"kind": "stp"}}

        told = await tools.client.call_tool("swarm_run", {"blueprint": wrong})

        assert 2 <= len(told.structured_content["problems"])
        assert "flw" in told.content[0].text and "stp" in told.content[0].text


class TestLooking:
    async def test_steps_events_and_parts_of_the_result_are_shown(self, tools):
        run_id = (await tools.call("swarm_run", blueprint=TWO))["run_id"]

        steps = await tools.call("swarm_show", run_id=run_id)
        events = await tools.call("swarm_show", run_id=run_id, what="events", after=1, limit=2)
        part = await tools.call("swarm_show", run_id=run_id, what="result", path="$.first.deep[1]")
        text, code = await tools.refused("swarm_show", run_id=run_id, what="result", path="$.frist")

        assert ["first", "second"] == [step["agent"] for step in steps["steps"]]
        assert ([2, 3], 3) == ([event["seq"] for event in events["events"]], events["next"])
        assert 2 == part["result"]
        assert ("path_not_found", True) == (code, "first, second" in text)

    async def test_a_value_that_is_too_large_to_read_is_told_by_its_size(self, tools):
        big = {"id": "big", "default_init_ctx": {"text": "x" * 300_000}, "flow": {"kind": "seq", "children": []}}

        told = await tools.call("swarm_run", blueprint=big)

        assert told["final_ctx"] is None
        assert told["final_ctx_characters"] > 300_000
        assert "swarm_show" in told["final_ctx_hint"]

    async def test_runs_are_listed_page_by_page(self, tools):
        ids = [(await tools.call("swarm_run", blueprint=TWO))["run_id"] for _ in range(3)]

        first = await tools.call("swarm_runs", limit=2, status=["done"])
        rest = await tools.call("swarm_runs", limit=2, before=first["next"])

        assert ids[::-1] == [run["id"] for run in (*first["runs"], *rest["runs"])]
        assert rest["next"] is None

    async def test_a_blueprint_is_checked_and_explained(self, tools):
        checked = await tools.call("swarm_check", blueprint=TWO.replace("fake", "fakee", 1))
        bound = await tools.call("swarm_check", blueprint=TWO.replace("fake", "fakee", 1), bind={"first": "fake"})
        explained = await tools.call("swarm_explain", blueprint=TWO)

        assert not checked["ok"] and checked["problems"][0]["code"]
        assert bound["ok"]
        assert ["first", "second"] == [agent["agent"] for agent in explained["agents"]]

    async def test_the_doctor_says_where_work_is_done(self, tools):
        told = await tools.call("mse_doctor")
        status = await tools.call("swarm_server_status")

        assert ("embedded", 0) == (told["mode"], told["registered_blueprint_count"])
        assert (False, "embedded") == (status["running"], status["tools_work_on"]["mode"])


class TestQuestions:
    async def test_a_question_is_answered_and_the_run_goes_on(self, tools):
        begun = await tools.call("swarm_run", blueprint=ASK, init_ctx={"amount": 3})
        (question,) = (await tools.call("swarm_questions"))["questions"]
        _, unfit = await tools.refused("swarm_answer", key=question["key"], answer="yes", by="ada")
        _, denied = await tools.refused("swarm_answer", key=question["key"], answer=True, by="bob")

        await tools.call("swarm_answer", key=question["key"], answer=True, by="ada")
        end = await tools.call("swarm_watch", run_id=begun["run_id"], timeout_secs=20)
        _, late = await tools.refused("swarm_answer", key=question["key"], answer=False, by="ada")

        assert ("waiting", [question["key"]]) == (begun["status"], [one["key"] for one in begun["questions"]])
        assert ("answer_invalid", "answer_denied", "already_answered") == (unfit, denied, late)
        assert ("done", True) == (end["status"], end["final_ctx"]["decision"])

    async def test_a_question_outlives_the_session(self, opened, project):
        async with opened(project) as tools:
            begun = await tools.call("swarm_run", blueprint=ASK, init_ctx={})
        async with opened(project) as tools:
            answered = await tools.call("swarm_answer", key=begun["questions"][0]["key"], answer=True, by="ada")
            end = await tools.call("swarm_watch", run_id=begun["run_id"], timeout_secs=20)

        assert answered["resumed"]
        assert "done" == end["status"]

    async def test_an_answered_run_that_nobody_holds_is_not_watched_for_ever(self, opened, project):
        async with opened(project) as tools:
            begun = await tools.call("swarm_run", blueprint=ASK, init_ctx={})
        async with opened(project) as tools:
            key = begun["questions"][0]["key"]
            answered = await tools.call("swarm_answer", key=key, answer=True, by="ada", resume=False)
            seen = await tools.call("swarm_watch", run_id=begun["run_id"], timeout_secs=86_400)
            end = await tools.call("swarm_resume", run_id=begun["run_id"], timeout_secs=20)

        assert (False, "waiting", [], "done") == (answered["resumed"], seen["status"], seen["questions"], end["status"])
        assert "swarm_resume" in seen["next"]


class TestGoingOn:
    async def test_a_run_that_the_end_of_a_session_interrupted_is_resumed(self, opened, project, eventually):
        async with opened(project) as tools:
            begun = await tools.call("swarm_run", blueprint=SLOW, init_ctx={"word": "hello"}, detach=True)
            await eventually((project / "started").exists)
        (project / "go").touch()
        async with opened(project) as tools:
            before = await tools.call("swarm_status", run_id=begun["run_id"])
            end = await tools.call("swarm_resume", run_id=begun["run_id"], timeout_secs=20)

        assert ("interrupted", "done") == (before["status"], end["status"])
        assert "swarm_resume" in before["next"]

    async def test_a_rerun_shares_the_steps_before(self, tools):
        run_id = (await tools.call("swarm_run", blueprint=TWO))["run_id"]
        steps = (await tools.call("swarm_show", run_id=run_id))["steps"]

        again = await tools.call("swarm_rerun", run_id=run_id, steps=[steps[1]["address"]])
        _, code = await tools.refused("swarm_rerun", run_id=run_id, steps=["/nowhere"])

        assert ("done", run_id) == (again["status"], again["rerun_of"])
        assert "step_not_found" == code


class TestBlueprints:
    async def test_versions_are_kept_compared_run_and_archived(self, tools):
        first = await tools.call("bp_add", blueprint=TWO, message="first", by="ada")
        second = await tools.call("bp_add", blueprint=TWO.replace("done", "finished"))
        again = await tools.call("bp_add", blueprint=TWO.replace("done", "finished"))
        (listed,) = (await tools.call("bp_list"))["blueprints"]
        diff = await tools.call("bp_diff", id="two")
        old = await tools.call("swarm_run", blueprint=f"bp:two@{first['version'][:12]}")

        assert (1, 2, 2) == (first["number"], second["number"], again["number"])
        assert (True, True, False) == (first["added"], second["added"], again["added"])
        assert second["version"] == listed["version"]
        assert '-          "done"' in diff["diff"] and '+          "finished"' in diff["diff"]
        assert ("done", first["version"], second["version"], 2) == (
            old["final_ctx"]["second"],
            old["bound_version"],
            old["head"],
            old["history_len"],
        )

    async def test_archiving_needs_a_confirmation_and_can_be_undone(self, tools):
        await tools.call("bp_add", blueprint=TWO)
        dry = await tools.call("bp_archive", id="two")
        kept = await tools.call("bp_list")
        await tools.call("bp_archive", id="two", confirm=True)
        gone = await tools.call("bp_list")
        _, code = await tools.refused("swarm_run", blueprint="bp:two")
        await tools.call("bp_unarchive", id="two")
        shown = await tools.call("bp_show", id="two")

        assert (False, 1, 0) == (dry["archived"], len(kept["blueprints"]), len(gone["blueprints"]))
        assert "blueprint_archived" == code
        assert "two" == shown["blueprint"]["id"]

    async def test_a_wrong_blueprint_is_not_kept(self, tools):
        _, code = await tools.refused("bp_add", blueprint=TWO.replace("fake", "fakee", 1))

        assert "invalid_blueprint" == code
        assert not (await tools.call("bp_list"))["blueprints"]
