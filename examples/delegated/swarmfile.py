"""The automatic agent of the example, and a stand-in for everybody."""

from swarm_core import Call, function


@function
def draft(ctx):
    """Write a draft of the announcement."""
    return f"{ctx['product']} is here: {ctx['news']}."


@function
def stand_in(call: Call):
    """Do the work of any agent, as a rehearsal needs it."""
    if call.agent == "editor":
        return f"edited: {call.input['draft']}"
    return "a draft" if call.agent == "drafter" else "yes"
