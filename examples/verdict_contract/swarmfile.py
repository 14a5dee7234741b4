"""The workers of the verdict example."""

from swarm_core import function


@function
def review(text):
    """Judge a change as a language model might: in its own words first, in the right ones once it is told."""
    verdict = "blocked" if "drop" in text else "pass"
    return verdict if "Your last answer was refused" in text else f"{verdict.capitalize()}."


@function
def report(ctx):
    """Say why nothing was merged."""
    return {"merged": False, "why": f"the reviewer says {ctx['verdict']!r}"}


@function
def merge(change):
    """Merge the change."""
    return {"merged": True, "change": change}
