"""The workers of the audited example."""

from swarm_core import function

LIMIT = 100


@function
def assess(amount):
    """Decide whether a refund may be paid without asking anybody."""
    return {"approved": amount <= LIMIT, "limit": LIMIT}


@function
def pay(amount):
    """Pay the refund."""
    return amount
