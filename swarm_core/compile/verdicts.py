"""Verdict contracts against the flow: which conditions look at an agent's verdict, and whether they can be right.

The flow is gone over once, in its order. On the way stands what is known of the ctx: at which paths there may be an
agent's verdict, and which words can be there at all. A step whose agent has a contract writes one of the contract's
values at `out` + `verdict.path`; a `let` copies it, or writes a word of its own; everything else that is written there
makes it unknown. What is unknown is never held against a condition.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from attrs import define, field, frozen

from swarm_core.compile.lints.paths import (
    Keys,
    Target,
    below,
    is_within,
    listed,
    overlap,
    own_targets,
    read_by,
    reads,
    target_of,
    text_of,
    written,
)
from swarm_core.model.blueprint import Blueprint
from swarm_core.model.nodes import Branch, Compare, Expr, Fanout, In, Join, Let, Lit, Loop, Node, Path, Seq, Step, Try
from swarm_core.model.problem import Problem
from swarm_core.model.walk import expressions, walk

_MOST = 500  # paths that are followed at the same time: forgetting one claims nothing


@frozen(eq=False, repr=False)
class Word:
    """What may stand at a path: `words`, of which those in the contracts of `agents`; anything unless `complete`."""

    words: frozenset[str]
    agents: frozenset[str]
    complete: bool = True


Known = Mapping[Keys, Word]


@frozen(eq=False, repr=False)
class _Contract:
    """An agent's contract: where in the result its value stands, and which values there are, in their order."""

    at: int
    keys: Keys
    values: tuple[str, ...]


@frozen(eq=False, repr=False)
class _Look:
    """A condition that compares a path with a literal: `place` is where the literal stands."""

    place: str
    keys: Keys
    literals: tuple[tuple[str, object], ...]
    word: Word


def check_verdicts(blueprint: Blueprint) -> Iterator[Problem]:
    """Yield what is wrong between the agents' verdict contracts and the flow: three lints."""
    contracts = _contracts(blueprint)
    if not contracts:
        return
    search = _Search(contracts)
    search.on(blueprint.flow, "$.flow", {})
    for look in search.looks:
        yield from _strangers(look, contracts)
    yield from _unhandled(search.looks, contracts)
    yield from _never_read(blueprint, contracts)


def _contracts(blueprint: Blueprint) -> dict[str, _Contract]:
    found: dict[str, _Contract] = {}
    for at, agent in enumerate(blueprint.agents):
        if agent.verdict is not None and agent.name not in found:
            target = target_of(agent.verdict.path)
            if target is not None and target.exact:
                found[agent.name] = _Contract(at, target.keys, agent.verdict.values)
    return found


# following verdicts through the flow -------------------------------------------------------------------------


@define(eq=False, repr=False)
class _Search:
    """One way through a flow; `looks` are the conditions that compare what may be a verdict."""

    contracts: Mapping[str, _Contract]
    looks: list[_Look] = field(factory=list)

    def on(self, node: Node, path: str, known: Known) -> Known:
        """Return what is known after a node, from what is known before it."""
        known = self._head(node, known) if isinstance(node, Loop) else known
        self._look(node, path, known)
        match node:
            case Step():
                known = _put(known, written(node.out), self._answer(node))
            case Let():
                known = _put(known, written(node.at), _assigned(node, known))
            case Seq():
                for at, child in enumerate(node.children):
                    known = self.on(child, f"{path}.children[{at}]", known)
            case Branch():
                then = self.on(node.then, f"{path}.then", known)
                known = _either(then, self.on(node.else_, f"{path}.else", known))
            case Try():
                done = self.on(node.body, f"{path}.body", known)
                failed = known if node.err_at is None else _put(known, written(node.err_at), {})
                known = _either(done, self.on(node.catch, f"{path}.catch", failed))
            case Loop():
                self.on(node.body, f"{path}.body", known)
            case Fanout():
                known = self._after_fanout(node, path, known)
        return known

    def _after_fanout(self, node: Fanout, path: str, known: Known) -> Known:
        lane = self.on(node.body, f"{path}.body", _put(known, written(node.bind), {}))
        kept = lane if node.join in (Join.ANY, Join.RACE) else {}
        return _put(known, written(node.out), kept)

    def _answer(self, step: Step) -> Known:
        contract = self.contracts.get(step.ref)
        if contract is None:
            return {}
        return {contract.keys: Word(frozenset(contract.values), frozenset({step.ref}))}

    def _head(self, loop: Loop, known: Known) -> Known:
        """Return what is known whenever a loop comes to its condition: before it, or after any of its rounds."""
        known = _put(known, written(loop.counter), {})
        waiting: list[Node] = [loop.body]
        changes: list[tuple[Target | None, Known]] = [(written(loop.counter), {})]
        while waiting:
            node = waiting.pop()
            answer = self._answer(node) if isinstance(node, Step) else _said(node) if isinstance(node, Let) else {}
            changes.extend((written(expr), answer) for expr in own_targets(node))
            if not isinstance(node, Fanout):
                waiting.extend(child for _, child in below(node))
        for target, answer in changes:
            known = _either(known, _put(known, target, answer))
        return known

    def _look(self, node: Node, path: str, known: Known) -> None:
        """Note what the conditions of a node compare."""
        if not known or not read_by(node):
            return
        places = tuple(f"{path}.{name}" for name, _ in read_by(node))
        for place, expr in expressions(node, path):
            if isinstance(expr, Compare | In) and place.startswith(places) and (look := _compared(expr, place, known)):
                self.looks.append(look)


def _put(known: Known, target: Target | None, answer: Known) -> Known:
    """Return what is known after a value was written, of which `answer` is known below it."""
    if target is None:
        return {}
    kept = {keys: word for keys, word in known.items() if not overlap(keys, target.keys)}
    if target.exact and len(kept) < _MOST:
        kept.update((target.keys + keys, word) for keys, word in answer.items())
    return kept


def _either(one: Known, other: Known) -> Known:
    """Return what is known after two ways, one of which was gone."""
    if one is other:
        return one
    nothing = Word(frozenset(), frozenset(), complete=False)
    joined: dict[Keys, Word] = {}
    for keys in {**one, **other}:
        a, b = one.get(keys, nothing), other.get(keys, nothing)
        joined[keys] = Word(a.words | b.words, a.agents | b.agents, a.complete and b.complete)
    return joined


def _assigned(let: Let, known: Known) -> Known:
    if isinstance(let.value, Path):
        source = target_of(let.value.at)
        if source is None or not source.exact:
            return {}
        return {keys[len(source.keys) :]: word for keys, word in known.items() if is_within(keys, source.keys)}
    return _said(let)


def _said(let: Let) -> Known:
    if isinstance(let.value, Lit) and isinstance(let.value.value, str):
        return {(): Word(frozenset({let.value.value}), frozenset())}
    return {}


# what conditions compare -------------------------------------------------------------------------------------


def _compared(expr: Compare | In, place: str, known: Known) -> _Look | None:
    for path, literal, name in _pairs(expr):
        keys = target_of(path.at)
        word = known.get(keys.keys) if keys is not None and keys.exact else None
        if keys is not None and word is not None and word.agents:
            here = f"{place}.{name}.value"
            if isinstance(expr, Compare):
                return _Look(place, keys.keys, ((here, literal.value),), word)
            if isinstance(literal.value, list):
                each = tuple((f"{here}[{at}]", value) for at, value in enumerate(literal.value))
                return _Look(place, keys.keys, each, word)
    return None


def _pairs(expr: Compare | In) -> Iterator[tuple[Path, Lit, str]]:
    pairs: tuple[tuple[Expr, Expr, str], ...]
    if isinstance(expr, In):
        pairs = ((expr.needle, expr.haystack, "haystack"),)
    elif expr.op in ("eq", "ne"):
        pairs = ((expr.lhs, expr.rhs, "rhs"), (expr.rhs, expr.lhs, "lhs"))
    else:
        pairs = ()
    for path, literal, name in pairs:
        if isinstance(path, Path) and isinstance(literal, Lit):
            yield path, literal, name


# judging -----------------------------------------------------------------------------------------------------


def _strangers(look: _Look, contracts: Mapping[str, _Contract]) -> Iterator[Problem]:
    """Yield a problem for each literal that can never be what it is compared with."""
    if not look.word.complete:
        return
    for place, value in look.literals:
        if not (isinstance(value, str) and value in look.word.words):
            yield _stranger(look, place, value, contracts)


def _stranger(look: _Look, place: str, value: object, contracts: Mapping[str, _Contract]) -> Problem:
    from swarm_core.compile.lints.fixes import pointer
    from swarm_core.model.fields import type_name

    agents = sorted(look.word.agents)
    values = [each for agent in agents for each in contracts[agent].values]
    near = _nearest(value, values) if isinstance(value, str) else None
    of = f"agent {agents[0]!r}" if len(agents) == 1 else f"agents {listed(agents)}"
    return Problem(
        code="verdict_value_not_in_contract",
        message=f"{text_of(look.keys)} is the verdict of {of} and can never be {type_name(value)}",
        path=place,
        hint=f"{f'did you mean {near!r}? ' if near else ''}the contract has {listed(dict.fromkeys(values))}",
        fix=None if near is None else ({"op": "replace", "path": pointer(place), "value": near},),
    )


def _nearest(word: str, values: list[str]) -> str | None:
    from difflib import get_close_matches

    bare = {_bare(value): value for value in reversed(values)}
    close = get_close_matches(_bare(word), bare, n=1)
    return bare[close[0]] if close else None


def _bare(word: str) -> str:
    return word.strip(" .!\"'\t\n").casefold()


def _unhandled(looks: list[_Look], contracts: Mapping[str, _Contract]) -> Iterator[Problem]:
    """Yield a problem for each contract of which conditions name some values and leave out two or more.

    A single value that is left is the one for which the other way is there.
    """
    for agent, contract in contracts.items():
        mine = [value for look in looks if agent in look.word.agents for _, value in look.literals]
        named = {value for value in mine if isinstance(value, str)}
        left = [value for value in contract.values if value not in named]
        if 1 < len(left) < len(contract.values):
            yield Problem(
                code="verdict_value_unhandled",
                message=f"no condition names the verdicts {listed(left)} of agent {agent!r}: they all go the same way",
                path=f"$.agents[{contract.at}].verdict.values",
                hint="compare with all of them but one, or take out those that cannot come",
            )


def _never_read(blueprint: Blueprint, contracts: Mapping[str, _Contract]) -> Iterator[Problem]:
    """Yield a problem for each contract whose verdict no expression may read.

    What lanes write is in their fan-out's value and counts as read.
    """
    read = set(reads(blueprint.flow))
    lanes = [f"{path}.body" for path, node in walk(blueprint.flow, "$.flow") if isinstance(node, Fanout)]
    found: dict[str, list[tuple[str, Target | None]]] = {}
    for path, node in walk(blueprint.flow, "$.flow"):
        if isinstance(node, Step) and node.ref in contracts:
            found.setdefault(node.ref, []).append((path, written(node.out)))
    for agent, places in found.items():
        contract = contracts[agent]
        if all(_is_unread(path, target, contract, read, lanes) for path, target in places):
            yield Problem(
                code="verdict_never_read",
                message=f"nothing in the flow reads the verdict of agent {agent!r}",
                path=f"$.agents[{contract.at}].verdict",
                hint="branch on it, or drop the contract if only people read it",
            )


def _is_unread(path: str, target: Target | None, contract: _Contract, read: set[Keys], lanes: list[str]) -> bool:
    if target is None or any(path.startswith(lane) for lane in lanes):
        return False
    return not any(overlap(target.keys + contract.keys, keys) for keys in read)
