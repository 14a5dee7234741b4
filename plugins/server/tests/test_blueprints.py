"""Blueprints over HTTP: kept, read, taken out of use; checked and explained."""

import asyncio
import json
import subprocess
import sys

import pytest

PURE = {"id": "pure", "flow": {"kind": "seq", "children": []}, "metadata": {"version_label": "1.0.0"}}
SECOND = {**PURE, "metadata": {"version_label": "1.2.0", "description": "the second"}}
WRONG = {
    "id": "wrong",
    "flow": {"kind": "step", "ref": "nobody", "in": {"op": "path", "at": "$"}, "out": {"op": "path", "at": "$.a"}},
    "agents": [{"name": "a", "kind": "functoin", "spec": {}}],
}


def inline(blueprint):
    return {"blueprint": {"kind": "inline", "value": blueprint}}


@pytest.fixture
async def kept(served):
    """Keep two versions of one Blueprint; return what was told of them."""
    told = [(await served.http.post("/v1/blueprints/pure", json=each)).json() for each in (PURE, SECOND)]
    return [each["version"] for each in told]


class TestAdd:
    async def test_row_89_first_201_the_same_again_200(self, served):
        first = await served.http.post("/v1/blueprints/pure", json=PURE)
        again = await served.http.post("/v1/blueprints/pure", json=dict(reversed(PURE.items())))

        assert (first.status_code, first.json()["seeded"]) == (201, True)
        assert (again.status_code, again.json()["seeded"]) == (200, False)
        assert first.json()["version"] == again.json()["version"]

    async def test_row_89_another_id_than_the_address_says_is_400(self, served):
        answer = await served.http.post("/v1/blueprints/other", json=PURE)

        assert (answer.status_code, answer.json()["code"]) == (400, "id_mismatch")

    async def test_row_89_an_archived_one_is_409(self, served, kept):
        await served.http.delete("/v1/blueprints/pure")

        answer = await served.http.post("/v1/blueprints/pure", json={**PURE, "metadata": {}})

        assert (answer.status_code, answer.json()["code"]) == (409, "blueprint_archived")

    async def test_what_cannot_be_compiled_is_422_with_all_its_problems(self, served):
        answer = await served.http.post("/v1/blueprints/wrong", json=WRONG)

        assert answer.status_code == 422
        assert {problem["code"] for problem in answer.json()["problems"]} >= {"unknown_kind", "unresolved_ref"}
        assert (await served.http.get("/v1/blueprints")).json() == {"blueprints": []}

    async def test_who_and_why_are_kept_and_forge_nothing(self, served):
        message = "because\narchive: true"
        told = await served.http.post("/v1/blueprints/pure", params={"message": "because", "by": "ann"}, json=PURE)
        odd = await served.http.post("/v1/blueprints/pure", params={"message": message}, json=SECOND)

        assert (told.json()["rationale"], told.json()["author"]) == ("because", "ann")
        assert odd.status_code == 400

    async def test_a_write_on_top_of_another_version_than_the_head_is_409(self, served, kept):
        third = {**PURE, "metadata": {}}

        late = await served.http.post("/v1/blueprints/pure", params={"parent": kept[0]}, json=third)
        none = await served.http.post("/v1/blueprints/pure", params={"parent": "none"}, json=third)
        good = await served.http.post("/v1/blueprints/pure", params={"parent": kept[1][:12]}, json=third)

        assert [each.status_code for each in (late, none, good)] == [409, 409, 201]

    async def test_writers_at_once_lose_nothing(self, served):
        bodies = [{**PURE, "metadata": {"description": str(number)}} for number in range(8)]

        told = await asyncio.gather(*(served.http.post("/v1/blueprints/pure", json=body) for body in bodies))

        assert {answer.status_code for answer in told} == {201}
        assert (await served.http.get("/v1/blueprints/pure/history")).json()["count"] == 8

    @pytest.mark.parametrize("blueprint_id", [".hidden", "a@b", "-x"])
    async def test_what_is_no_id_is_refused(self, served, blueprint_id):
        answer = await served.http.post(f"/v1/blueprints/{blueprint_id}", json={**PURE, "id": blueprint_id})

        assert (answer.status_code, answer.json()["code"]) == (422, "invalid_id")


class TestRead:
    async def test_the_head_is_the_newest_with_its_version(self, served, kept):
        told = (await served.http.get("/v1/blueprints/pure/head")).json()

        assert (told["version"], told["blueprint"]["metadata"]) == (kept[1], SECOND["metadata"])

    @pytest.mark.parametrize(("selector", "which"), [("latest", 1), ("=1.0.0", 0), ("1.0.0", 1), ("^1", 1)])
    async def test_a_version_is_chosen_as_the_command_line_does(self, served, kept, selector, which):
        told = await served.http.get(f"/v1/blueprints/pure/versions/{selector}")

        assert told.json()["version"] == kept[which]

    async def test_a_version_is_chosen_by_the_first_digits_of_its_hash(self, served, kept):
        told = await served.http.get(f"/v1/blueprints/pure/versions/{kept[0][:10]}")

        assert (told.status_code, told.json()["blueprint"]["metadata"]) == (200, PURE["metadata"])

    async def test_the_history_has_the_fields_of_the_seeds(self, served, kept):
        told = (await served.http.get("/v1/blueprints/pure/history?limit=1")).json()

        assert (told["count"], told["entries"][0]["hash"]) == (1, kept[1])
        assert (told["entries"][0]["version_label"], told["entries"][0]["rationale"]) == ("1.2.0", "")

    async def test_the_list_is_that_of_the_local_command(self, served, kept, tmp_path):
        told = (await served.http.get("/v1/blueprints")).json()["blueprints"]

        command = [sys.executable, "-m", "swarm_core", "bp", "list", "--json", "--store"]
        run = await asyncio.to_thread(
            subprocess.run, [*command, f"sqlite:///{tmp_path}/swarm.db"], capture_output=True, text=True, check=True
        )
        assert told == json.loads(run.stdout)

    @pytest.mark.parametrize("rest", ["head", "history", "versions/latest", "versions/abcdef"])
    async def test_what_is_not_there_is_404(self, served, rest):
        for blueprint_id in ("nowhere", ".hidden", "x" * 400):
            assert (await served.http.get(f"/v1/blueprints/{blueprint_id}/{rest}")).status_code == 404

    @pytest.mark.parametrize(("version", "status"), [("^9", 404), ("deadbeef", 404), ("no version", 422)])
    async def test_a_version_that_is_not_there_is_refused(self, served, kept, version, status):
        assert (await served.http.get(f"/v1/blueprints/pure/versions/{version}")).status_code == status


class TestArchive:
    async def test_out_of_use_and_into_use_again(self, served, kept):
        archived = await served.http.delete("/v1/blueprints/pure")
        head = await served.http.get("/v1/blueprints/pure/head")
        version = await served.http.get(f"/v1/blueprints/pure/versions/{kept[0]}")
        listed = (await served.http.get("/v1/blueprints?archived=true")).json()["blueprints"]
        back = await served.http.post("/v1/blueprints/pure/unarchive")
        again = await served.http.get("/v1/blueprints/pure/head")

        statuses = [each.status_code for each in (archived, head, version, back, again)]
        assert statuses == [204, 409, 200, 204, 200]
        assert [each["blueprint_id"] for each in listed] == ["pure"]

    async def test_what_is_not_there_is_404(self, served):
        assert (await served.http.delete("/v1/blueprints/nowhere")).status_code == 404
        assert (await served.http.post("/v1/blueprints/nowhere/unarchive")).status_code == 404


class TestCheck:
    async def test_everything_that_is_wrong_is_told_at_once(self, served):
        answer = await served.http.post("/v1/check", json=inline(WRONG))

        assert answer.status_code == 200
        assert {problem["code"] for problem in answer.json()["problems"]} >= {"unknown_kind", "unresolved_ref"}

    async def test_what_is_no_blueprint_is_a_problem_too(self, served):
        answer = await served.http.post("/v1/check", json=inline({"id": "a", "flow": {"kind": "stp"}}))

        assert answer.status_code == 200
        assert [problem["path"] for problem in answer.json()["problems"]] == ["$.flow.kind"]

    async def test_nothing_is_wrong_with_a_good_one(self, served, kept):
        by_id = await served.http.post("/v1/check", json={"blueprint": {"kind": "id", "id": "pure"}})

        assert (await served.http.post("/v1/check", json=inline(PURE))).json() == {"problems": []}
        assert by_id.json() == {"problems": []}

    async def test_it_is_explained_as_the_local_command_does(self, served, tmp_path):
        blueprint = {
            "id": "explained",
            "flow": {**WRONG["flow"], "ref": "a"},
            "agents": [{"name": "a", "kind": "function", "spec": {"fn_id": "identity"}}],
            "hints": {"per_agent": {"a": {"timeout": "5s", "retry": {"max_attempts": 3}}}},
            "budget": {"dispatches": 9},
        }
        (tmp_path / "explained.json").write_text(json.dumps(blueprint))

        told = (await served.http.post("/v1/explain", json=inline(blueprint))).json()

        command = [sys.executable, "-m", "swarm_core", "explain", "explained.json", "--json"]
        run = await asyncio.to_thread(subprocess.run, command, capture_output=True, text=True, check=True, cwd=tmp_path)
        assert told == json.loads(run.stdout)
