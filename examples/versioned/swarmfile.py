"""The worker of the example of versions."""

from swarm_core import function


@function
def offer(ctx):
    """Say what a customer pays."""
    percent = round(ctx["percent"])
    return f"{ctx['total'] * (100 - percent) / 100:.2f} ({percent} % off)"
