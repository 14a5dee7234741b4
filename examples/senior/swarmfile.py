"""The workers of the senior example, and a policy."""

from swarm_core import Result, function

KNOWN = {"Teapot Works": "office"}


@function
def book(invoice):
    """Book an invoice of a supplier that is known; report ok=False for any other."""
    account = KNOWN.get(invoice["supplier"])
    if account is None:
        return Result({"unknown": invoice["supplier"], "amount": invoice["amount"]}, ok=False)
    return {"account": account}


@function
def small_sums(question):
    """Answer for the bookkeeper where it does not matter; None passes the question on."""
    return {"account": "office"} if question["value"]["amount"] < 50 else None


@function
def list_bookings(lanes):
    """Say of each invoice where it went, and whether a senior said so."""
    return [_line(lane["invoice"], lane["booking"]) for lane in lanes]


def _line(invoice, booking):
    decided = "senior_answer" in booking
    account = booking["senior_answer"]["account"] if decided else booking["account"]
    return f"{invoice['supplier']}: {account}{' (a senior said so)' if decided else ''}"
