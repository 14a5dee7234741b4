"""`swarm run --operator-kind`, `--operator`, `--senior` and `--hook`: who stands behind a run."""

import pytest

STEP = "{kind: step, ref: worker, in: {op: lit, value: 1}, out: {op: path, at: $.out}}"
FACES = f"{{id: f, flow: {STEP}, agents: [{{name: worker, kind: function, spec: {{fn_id: faces}}}}]}}"
FUNCTIONS = """
from swarm_core import function

@function
def faces(call):
    asked = call.operator
    return [str(asked.kind), asked.operator is not None, asked.senior_bridge is not None, asked.spawn_hook is not None]

@function
def clerk(call):
    return "by the clerk"
"""


@pytest.fixture
def blueprint(write):
    write("swarmfile.py", FUNCTIONS)
    return write("faces.yaml", FACES)


class TestSession:
    @pytest.mark.parametrize(
        ("options", "faces"),
        [
            ([], ["automate", False, False, False]),
            (["--operator-kind", "main_ai"], ["main_ai", False, False, False]),
            (["--operator-kind", "main_ai", "--operator-kind", "worker=composite"], ["composite", False, False, False]),
            (["--operator", "clerk"], ["automate", True, False, False]),
            (["--senior", "clerk", "--hook", "clerk"], ["automate", False, True, True]),
        ],
    )
    def test_the_workers_see_who_was_named(self, swarm, blueprint, options, faces):
        done = swarm("run", blueprint, "--quiet", *options)

        assert (0, {"out": faces}) == (done.code, done.json), done.err

    @pytest.mark.parametrize(
        ("options", "told"),
        [
            (["--operator-kind", "mainai"], "'mainai' is no operator kind; did you mean 'main_ai'?"),
            (["--operator-kind", "worker="], "'' is no operator kind"),
            (["--operator-kind", "main_ai", "--operator-kind", "composite"], "it is main_ai already"),
            (["--operator-kind", "wroker=main_ai"], "no agent is named 'wroker'; did you mean 'worker'?"),
            (["--operator", "clark"], "nothing is attached as 'clark', and no function has this name; did you mean"),
            (["--hook", "nobody"], "functions of swarmfile.py: "),
        ],
    )
    def test_what_names_nobody_is_refused(self, swarm, blueprint, options, told):
        done = swarm("run", blueprint, *options)

        assert (2, True) == (done.code, told in done.err), done.err
        assert [] == swarm("runs", "--json").json

    def test_a_resumed_run_has_the_same_faces(self, swarm, write):
        write("swarmfile.py", FUNCTIONS)
        asked = "{kind: step, ref: editor, in: {op: lit, value: 1}, out: {op: path, at: $.yes}}"
        agents = "[{name: worker, kind: function, spec: {fn_id: faces}}, {name: editor, kind: ask}]"
        blueprint = write("b.yaml", f"{{id: b, flow: {{kind: seq, children: [{asked}, {STEP}]}}, agents: {agents}}}")

        run = swarm("run", blueprint, "--json", "--operator", "clerk", "--operator-kind", "main_ai").json["run_id"]
        swarm("answer", run, "yes")

        assert ["main_ai", True, False, False] == swarm("resume", run, "--quiet").json["out"]
