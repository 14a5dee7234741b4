"""The workers of the example, and the function that writes its patches."""

import yaml

from swarm_core import function


@function
def run_tests(ctx):
    """Pretend to run the tests of a build."""
    return {"passed": 40 - ctx["failed"], "failed": ctx["failed"]}


@function
def publish(build):
    """Let a build out."""
    return f"{build} is out"


@function
def hold_back(tests):
    """Hold a build back, and say why."""
    return f"held back: {tests['failed']} failed"


@function
def improve(ctx):
    """Write a patch for an issue, as a model would, by rules that know two wishes."""
    flow = yaml.safe_load(ctx["prev_bp_yaml"])["flow"]
    gate = next(at for at, node in enumerate(flow["children"]) if node["kind"] == "branch")
    if "fast" in ctx["issue"]["intent"]:
        return {
            "ops": [{"op": "replace", "path": f"/flow/children/{gate}/then/ref", "value": "express"}],
            "rationale": "an express lane for builds",
            "bump": "minor",
        }
    return {
        "ops": [{"op": "replace", "path": f"/flow/children/{gate}/cond/rhs/value", "value": 1}],
        "rationale": "the gate let builds with up to four failed tests out; now one failed test holds a build back",
        "bump": "minor",
    }
