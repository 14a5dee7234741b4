"""`swarm check` with lints, formats and fixes, and `swarm lints`, as their users meet them."""

from __future__ import annotations

import json
import stat
from pathlib import Path

import pytest

CONTRACT = """\
# a gate
id: gate
metadata: {description: A gate}
flow:
  kind: seq
  children:
    - {kind: step, ref: judge, in: {op: path, at: $.text}, out: {op: path, at: $.verdict}}
    - kind: branch   # the way
      cond: {op: eq, lhs: {op: path, at: $.verdict}, rhs: {op: lit, value: "Blocked."}}
      then: {kind: step, ref: editor, in: {op: path, at: $.text}, out: {op: path, at: $.text}}
      else: {kind: seq, children: []}
agents:
  - name: judge
    kind: fake
    verdict: {values: [pass, blocked]}
  # the one who mends
  - {name: editor, kind: fake}
  - {name: spare, kind: fake}
hints: {per_agent: {spare: {concurrency: 1}}}
"""


def codes(ended):
    return sorted(problem["code"] for problem in ended.json["problems"])


class TestLevels:
    @pytest.mark.needs("audit")
    def test_lints_are_told_beside_errors(self, swarm, write):
        ended = swarm("check", write("a.yaml", CONTRACT), "--json")

        assert (3, ["agent_never_used", "verdict_value_not_in_contract"]) == (ended.code, codes(ended))

    @pytest.mark.needs("audit")
    def test_a_level_on_the_command_line_wins(self, swarm, write):
        text = CONTRACT.replace("{description: A gate}", "{lints: {agent_never_used: deny}}")
        write("swarm.toml", '[lints]\nverdict_value_not_in_contract = "warn"\n')
        file = write("a.yaml", text)

        plain = swarm("check", file, "--json")
        told = swarm("check", file, "--json", "--lint", "agent_never_used=allow")

        severities = {problem["code"]: problem["severity"] for problem in plain.json["problems"]}
        assert {"agent_never_used": "error", "verdict_value_not_in_contract": "warning"} == severities
        assert (3, 0, ["verdict_value_not_in_contract"]) == (plain.code, told.code, codes(told))

    @pytest.mark.needs("audit")
    def test_warnings_can_be_denied(self, swarm, write):
        file = write("a.yaml", CONTRACT.replace('"Blocked."', "blocked"))

        warned = ("check", file, "--lint", "agent_never_used=warn")

        assert [0, 0, 3] == [swarm(*warned).code, swarm("check", file, "--deny-warnings").code,
                             swarm(*warned, "--deny-warnings").code]  # fmt: skip
        assert "can be run, and warnings are denied (1 warning)" in swarm(*warned, "--deny-warnings").out

    @pytest.mark.parametrize(
        ("lint", "said"),
        [
            ("unreachable_stp=warn", "did you mean 'unreachable_step'?"),
            ("unknown_kind=allow", "only lints have levels"),
            ("unreachable_step=loud", "levels: allow, warn, deny"),
            ("unreachable_step", "CODE=LEVEL"),
        ],
    )
    def test_a_level_that_makes_no_sense_is_a_usage_error(self, swarm, write, lint, said):
        ended = swarm("check", write("a.yaml", CONTRACT), "--lint", lint)

        assert (2, True) == (ended.code, said in ended.err)

    def test_a_level_in_the_settings_that_is_none_is_told_with_its_place(self, swarm, write):
        write("swarm.toml", '[lints]\nunreachable_step = "loud"\n')

        ended = swarm("check", write("a.yaml", CONTRACT))

        assert (3, True) == (ended.code, "lints.unreachable_step: a level was expected" in ended.err)

    def test_an_unknown_lint_in_the_settings_is_a_warning_there(self, swarm, write):
        write("swarm.toml", '[lints]\nunreachable_stp = "deny"\n')

        (problem,) = [p for p in swarm("check", write("a.yaml", CONTRACT), "--json").json["problems"]
                      if p["code"] == "unknown_lint"]  # fmt: skip

        assert ("swarm.toml", "warning", "lints.unreachable_stp") == (
            Path(problem["file"]).name, problem["severity"], problem["path"],
        )  # fmt: skip

    def test_a_launch_is_refused_for_what_is_denied_and_silent_about_the_rest(self, swarm, write):
        good = write("good.yaml", CONTRACT.replace('"Blocked."', "blocked"))

        refused, ran = swarm("run", write("a.yaml", CONTRACT)), swarm("run", good, "--set", "text=pass")

        assert (3, True) == (refused.code, "can never be the string 'Blocked.'" in refused.err)
        assert (0, False) == (ran.code, "spare" in ran.err)


class TestLints:
    def test_all_are_listed_with_their_levels(self, swarm, write):
        write("swarm.toml", '[lints]\nagent_never_used = "deny"\n')

        told = {lint["code"]: lint for lint in swarm("lints", "--json").json}
        listed = swarm("lints").out

        assert ("deny", "note") == (told["agent_never_used"]["level"], told["agent_never_used"]["default"])
        assert told["agent_never_used"]["from"].endswith("swarm.toml")
        assert all(code in listed for code in told)

    def test_one_is_told_in_full(self, swarm):
        ended = swarm("lints", "output_never_read")

        assert (0, True, True) == (ended.code, "what to do:" in ended.out, "lints.md#output_never_read" in ended.out)

    def test_one_that_does_not_exist_is_not_found(self, swarm):
        ended = swarm("lints", "output_never_red")

        assert (4, True) == (ended.code, "did you mean 'output_never_read'?" in ended.err)


class TestFix:
    def test_what_is_sure_is_mended_and_nothing_else_changes(self, swarm, write):
        file = write("a.yaml", CONTRACT)

        ended = swarm("check", file, "--fix")

        assert CONTRACT.replace('"Blocked."', '"blocked"') == file.read_text()
        assert (0, True) == (ended.code, "fixed: $.flow.children[1].cond.rhs.value" in ended.err)

    def test_a_denied_agent_goes_with_its_hints(self, swarm, write):
        file = write("a.yaml", CONTRACT)

        swarm("check", file, "--fix", "--lint", "agent_never_used=deny")

        wanted = CONTRACT.replace('"Blocked."', '"blocked"').replace("  - {name: spare, kind: fake}\n", "")
        assert wanted.replace("{spare: {concurrency: 1}}", "{}") == file.read_text()

    def test_fixes_that_come_to_light_by_others_are_made_too(self, swarm, write):
        """A misspelt field hides what is wrong below it."""
        text = CONTRACT.replace("children:", "childern:").replace("ref: editor", "ref: editr")
        text = text.replace("  - name: judge\n    kind: fake", "  - name: judge\n    kind: fak")

        file = write("a.yaml", text)
        ended = swarm("check", file, "--fix", "--json")

        assert CONTRACT.replace('"Blocked."', '"blocked"') == file.read_text()
        assert (0, 5) == (ended.code, len(ended.json["fixed"]))

    def test_several_agents_that_are_not_used_go_at_once(self, swarm, write):
        names = ["a", "b", "c", "d"]
        document = {"id": "x", "agents": [{"name": name, "kind": "fake"} for name in names],
                    "flow": {"kind": "step", "ref": "b", "in": {"op": "path", "at": "$"},
                             "out": {"op": "path", "at": "$.o"}}}  # fmt: skip

        file = write("a.json", json.dumps(document, indent=2))
        swarm("check", file, "--fix", "--lint", "agent_never_used=warn")

        left = json.loads(file.read_text())
        assert [{"name": "b", "kind": "fake"}] == left["agents"]
        assert {**document, "agents": left["agents"]} == left

    def test_diff_shows_the_change_and_makes_none(self, swarm, write, cwd):
        file = write("a.yaml", CONTRACT)

        ended = swarm("check", file, "--diff")

        assert CONTRACT == file.read_text()
        lines = ended.out.splitlines()
        assert [1, 1] == [sum(line[0] == mark and line[1:4] != mark * 2 + " " for line in lines) for mark in "+-"]
        assert 3 == ended.code
        assert ["a.yaml"] == [path.name for path in cwd.iterdir() if path.suffix == ".yaml"]

    def test_line_ends_byte_order_mark_rights_and_links_stay(self, swarm, write, cwd):
        real = cwd / "real" / "gate.yaml"
        real.parent.mkdir()
        real.write_bytes(b"\xef\xbb\xbf" + CONTRACT.replace("\n", "\r\n").encode())
        real.chmod(0o640)
        (cwd / "link.yaml").symlink_to(real)

        swarm("check", "link.yaml", "--fix", "--lint", "agent_never_used=warn")

        assert (cwd / "link.yaml").is_symlink()
        assert 0o640 == stat.S_IMODE(real.stat().st_mode)
        data = real.read_bytes()
        assert data.startswith(b"\xef\xbb\xbf# a gate\r\n")
        assert data.count(b"\n") == data.count(b"\r\n") == CONTRACT.count("\n") - 1
        assert ["gate.yaml"] == [path.name for path in real.parent.iterdir()]

    def test_a_place_that_the_text_spells_in_another_way_is_left_to_people(self, swarm, write):
        """Problems speak of fields by their newest names; `operands` is `args` today."""
        cond = '{op: eq, lhs: {op: path, at: $.verdict}, rhs: {op: lit, value: "Blocked."}}'
        text = CONTRACT.replace(cond, f"{{op: or, operands: [{cond}]}}")
        file = write("a.yaml", text)

        ended = swarm("check", file, "--fix")

        assert (3, text) == (ended.code, file.read_text())
        assert "not fixed: $.flow.children[1].cond.args[0].rhs.value" in ended.err

    def test_what_refers_to_other_files_is_found_while_it_is_mended(self, swarm, write):
        profile = "    profile: {system_prompt: {$file: judge.md}}\n"
        text = CONTRACT.replace("    verdict:", f"{profile}    verdict:")
        file = write("sub/a.yaml", text)
        write("sub/judge.md", "Judge it.")

        ended = swarm("check", file, "--fix")

        assert (0, text.replace('"Blocked."', '"blocked"')) == (ended.code, file.read_text())

    @pytest.mark.parametrize("text", ["id: [", "- 1\n", "", "{}"])
    def test_a_file_that_cannot_be_read_stays_as_it_is(self, swarm, write, text):
        file = write("a.yaml", text)

        assert 3 == swarm("check", file, "--fix").code
        assert text == file.read_text()

    @pytest.mark.parametrize("source", ["-", "bp:gate"])
    def test_only_files_are_mended(self, swarm, source):
        assert 2 == swarm("check", source, "--fix", stdin="{}").code

    def test_a_missing_file_is_not_found(self, swarm):
        assert 4 == swarm("check", "none.yaml", "--fix").code

    def test_without_anything_to_fix_the_file_is_not_touched(self, swarm, write):
        file = write("a.yaml", CONTRACT.replace('"Blocked."', "blocked"))
        before = file.stat().st_mtime_ns

        ended = swarm("check", file, "--fix")

        assert (0, before) == (ended.code, file.stat().st_mtime_ns)
        assert "nothing to fix" in ended.err


class TestFormats:
    def test_json_has_the_fix(self, swarm, write):
        problem = next(p for p in swarm("check", write("a.yaml", CONTRACT), "--format", "json").json["problems"]
                       if p["code"].startswith("verdict"))  # fmt: skip

        assert [{"op": "replace", "path": "/flow/children/1/cond/rhs/value", "value": "blocked"}] == problem["fix"]

    @pytest.mark.needs("audit")
    def test_sarif_has_the_structure_that_its_schema_demands(self, swarm, write):
        """Of SARIF 2.1.0: the required properties, the enumerations, and indexes that lead somewhere."""
        log = swarm("check", write("a b.yaml", CONTRACT), "--format", "sarif").json

        assert ("2.1.0", 1) == (log["version"], len(log["runs"]))
        run = log["runs"][0]
        driver = run["tool"]["driver"]
        assert isinstance(driver["name"], str)
        assert len({rule["id"] for rule in driver["rules"]}) == len(driver["rules"])
        assert run["columnKind"] in ("utf16CodeUnits", "unicodeCodePoints")
        assert 2 == len(run["results"])
        for result in run["results"]:
            assert driver["rules"][result["ruleIndex"]]["id"] == result["ruleId"]
            assert result["level"] in ("none", "note", "warning", "error")
            assert isinstance(result["message"]["text"], str)
            (location,) = result["locations"]
            physical = location["physicalLocation"]
            assert physical["artifactLocation"]["uri"].endswith("a%20b.yaml")
            assert physical["region"]["startLine"] >= 1 <= physical["region"]["startColumn"]
            assert isinstance(location["logicalLocations"][0]["fullyQualifiedName"], str)
        known = {"version", "$schema", "runs", "inlineExternalProperties", "properties"}
        assert set(log) <= known
        assert set(run["results"][0]) <= {"ruleId", "ruleIndex", "level", "message", "locations", "properties"}

    @pytest.mark.needs("audit")
    def test_sarif_of_a_sound_file_has_no_results(self, swarm, write):
        log = swarm("check", write("a.json", {"id": "x", "flow": {"kind": "seq", "children": []}}), "--format", "sarif")

        assert (0, []) == (log.code, log.json["runs"][0]["results"])

    def test_github_gets_one_command_a_problem_that_cannot_be_steered(self, swarm, write):
        text = CONTRACT.replace("name: spare", 'name: "spa\\nre::x"')

        lines = swarm("check", write("a,b.yaml", text), "--format", "github").out.splitlines()

        assert all(line.startswith(("::error file=", "::warning file=", "::notice file=")) for line in lines)
        assert "a%2Cb.yaml,line=18,col=" in "".join(lines)

    def test_an_unknown_format_is_a_usage_error(self, swarm, write):
        assert 2 == swarm("check", write("a.yaml", CONTRACT), "--format", "xml").code
