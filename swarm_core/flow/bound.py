"""How many dispatches a flow can make at most, as far as the document says.

A loop makes those of its body `max` times, a branch those of the arm with more, a try those of body and catch, a
fan-out those of its body once per item: a number where the items are a literal, else a symbol ("per item of $.files",
as many as it has at any time). So the bound is a sum of terms such as `6 per item of $.files per item of $.lanes`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from math import prod
from typing import Any

from attrs import field, frozen

from swarm_core.model.nodes import Branch, CallExtern, Expr, Fanout, Let, Lit, Loop, Node, Path, Seq, Step, Try
from swarm_core.model.walk import steps

Terms = Mapping[tuple[str, ...], int]


@frozen(kw_only=True)
class Bound:
    """An upper bound of dispatches; `steps` is how many steps the document has.

    `terms` maps what is counted, sorted, to its factor: `()` for the part that depends on no data, `("$.files",)` for
    dispatches per item of the array at `$.files`, `("$.files", "$.lanes")` for those per item of both.
    """

    steps: int
    terms: Terms = field(factory=dict)

    @property
    def total(self) -> int | None:
        """The number of dispatches, None when it depends on data."""
        return sum(self.terms.values()) if set(self.terms) <= {()} else None

    def given(self, lengths: Mapping[str, int]) -> int:
        """Return the bound for known numbers of items by symbol.

        Raises: KeyError, for a symbol whose number is not given.
        """
        return sum(factor * prod(lengths[symbol] for symbol in symbols) for symbols, factor in self.terms.items())

    def as_json(self) -> dict[str, Any]:
        """Return the bound as data: steps, total (null when it depends on data), terms with `per` and `count`."""
        terms = [{"per": list(symbols), "count": factor} for symbols, factor in sorted(self.terms.items())]
        return {"steps": self.steps, "total": self.total, "terms": terms, "text": str(self)}

    def __str__(self) -> str:
        parts = [
            "".join((f"{factor:,}", *(f" per item of {symbol}" for symbol in symbols)))
            for symbols, factor in sorted(self.terms.items(), key=lambda term: (len(term[0]), term[0]))
        ]
        return f"{' + '.join(parts) or '0'} dispatch{'' if self.total == 1 else 'es'}"


def dispatch_bound(node: Node) -> Bound:
    """Return the upper bound of a flow's dispatches."""
    return Bound(steps=sum(1 for _ in steps(node)), terms=_terms(node))


def _terms(node: Node) -> Terms:
    return _BOUNDS[type(node)](node)


def _step(node: Step) -> Terms:
    return {(): 1}


def _let(node: Let) -> Terms:
    return {}


def _seq(node: Seq) -> Terms:
    return _sum(_terms(child) for child in node.children)


def _try(node: Try) -> Terms:
    return _sum((_terms(node.body), _terms(node.catch)))


def _branch(node: Branch) -> Terms:
    """Take the greater factor of each term: no less than either arm, whatever the data."""
    then, other = _terms(node.then), _terms(node.else_)
    return {symbols: max(then.get(symbols, 0), other.get(symbols, 0)) for symbols in {**then, **other}}


def _loop(node: Loop) -> Terms:
    return _times(_terms(node.body), node.max)


def _fanout(node: Fanout) -> Terms:
    body = _terms(node.body)
    if isinstance(node.items, Lit):
        return _times(body, len(node.items.value) if isinstance(node.items.value, list) else 0)
    symbol = _symbol(node.items)
    return {tuple(sorted((*symbols, symbol))): factor for symbols, factor in body.items()}


def _symbol(items: Expr) -> str:
    if isinstance(items, Path):
        return f"${items.at.removeprefix('ctx').removeprefix('$')}"
    return f"{items.ref if isinstance(items, CallExtern) else items.op}(...)"


def _sum(many: Iterable[Terms]) -> Terms:
    total: dict[tuple[str, ...], int] = {}
    for terms in many:
        for symbols, factor in terms.items():
            total[symbols] = total.get(symbols, 0) + factor
    return total


def _times(terms: Terms, factor: int) -> Terms:
    return {symbols: count * factor for symbols, count in terms.items() if factor}


_BOUNDS: Mapping[type, Callable[[Any], Terms]] = {
    Step: _step,
    Let: _let,
    Seq: _seq,
    Try: _try,
    Branch: _branch,
    Loop: _loop,
    Fanout: _fanout,
}
