"""The flow as values: one frozen class per node kind and per family of expression ops, and the table of spellings.

The table is the fields' metadata. Each field that stands in a document carries `metadata["form"]`, a `Form`: what the
field holds (`Holds`), its name in the document where that differs from the attribute (`in_` is `in`), its older names
with what they held, and what it holds under an older tag (`assign.at` is an expression, `let.at` a path). A field
without a default is required.

`NODE_KINDS` and `EXPR_OPS` map every tag, older ones included, to its class. `NODE_SHAPES` and `EXPR_SHAPES` map the
same tags to their fields, resolved for that tag, as a parser, an unparser or a schema generator needs them. `NEWEST`
maps the older tags to today's.

Every node has `.kind` and every expression `.op`, in the newest spelling. A family (`Compare`, `Logic`, `Arith`) keeps
its op as a field; that field has no form, because the tag says it. `Let` stands for the older `assign` too: its `at` is
then any expression.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from typing import Any, ClassVar, Literal

from attrs import NOTHING, field, fields, frozen

from swarm_core.model.shown import shown

MAX_LOOP = 2**32 - 1


class Holds(StrEnum):
    """What a field holds: in the document, and as an attribute where that differs."""

    EXPR = "expression"
    EXPRS = "array of expressions"
    NODE = "node"
    NODES = "array of nodes"
    STRING = "string"
    PATH_TEXT = "path"  # a path string, kept as str
    PATH = "path (kept as expression)"  # a path string, kept as Path
    JSON = "any JSON value"
    COUNT = "integer from 0 to 4294967295"
    LANES = "integer from 1"
    JOIN = "join"


class Join(StrEnum):
    """How the lanes of a fan-out become one value."""

    ALL = "all"
    ANY = "any"
    RACE = "race"
    ALL_SETTLED = "all_settled"


@frozen
class Form:
    """How one attribute stands in a document.

    `json` None means: under the attribute's name. `older` maps older names to what they held; `under` maps older tags
    to what the field holds there. `nullable` says that null in the document means absent.
    """

    __repr__ = shown

    holds: Holds
    json: str | None = None
    older: Mapping[str, Holds] = field(factory=dict)
    under: Mapping[str, Holds] = field(factory=dict)
    nullable: bool = False


@frozen(kw_only=True)
class FieldShape:
    """One field of one tag, resolved: `names` maps each name it may have to what it holds; the first is the newest."""

    __repr__ = shown

    attribute: str
    names: Mapping[str, Holds]
    required: bool
    nullable: bool

    @property
    def json(self) -> str:
        """Return the newest name."""
        return next(iter(self.names))


def _form(holds: Holds, **facts: Any) -> dict[str, Form]:
    return {"form": Form(holds, **facts)}


_EXPR = _form(Holds.EXPR)
_NODE = _form(Holds.NODE)
_STRING = _form(Holds.STRING)


# expressions -------------------------------------------------------------------------------------------------


@frozen(kw_only=True)
class Path:
    """Reads the ctx at a path."""

    __repr__ = shown

    op: ClassVar[str] = "path"
    at: str = field(metadata=_form(Holds.PATH_TEXT))


@frozen(kw_only=True)
class Lit:
    """A JSON value that is never interpreted; it belongs to the document and must not be changed."""

    __repr__ = shown

    op: ClassVar[str] = "lit"
    value: Any = field(metadata=_form(Holds.JSON))


@frozen(kw_only=True)
class Compare:
    """Compares two values: equality for all, order for two numbers or two strings."""

    __repr__ = shown

    op: Literal["eq", "ne", "lt", "gt", "lte", "gte"]
    lhs: Expr = field(metadata=_EXPR)
    rhs: Expr = field(metadata=_EXPR)


@frozen(kw_only=True)
class Not:
    """The opposite of a value's truthiness."""

    __repr__ = shown

    op: ClassVar[str] = "not"
    arg: Expr = field(metadata=_form(Holds.EXPR, older={"operand": Holds.EXPR}))


@frozen(kw_only=True)
class Logic:
    """Short-circuit `and` or `or` of any number of values."""

    __repr__ = shown

    op: Literal["and", "or"]
    args: tuple[Expr, ...] = field(metadata=_form(Holds.EXPRS, older={"operands": Holds.EXPRS}))


@frozen(kw_only=True)
class Exists:
    """Whether a value is there and not null."""

    __repr__ = shown

    op: ClassVar[str] = "exists"
    arg: Expr = field(metadata=_form(Holds.EXPR, older={"at": Holds.PATH}))


@frozen(kw_only=True)
class Arith:
    """Binary64 arithmetic on two numbers."""

    __repr__ = shown

    op: Literal["add", "sub", "mul", "div", "mod"]
    lhs: Expr = field(metadata=_EXPR)
    rhs: Expr = field(metadata=_EXPR)


@frozen(kw_only=True)
class Len:
    """The number of elements, keys or code points."""

    __repr__ = shown

    op: ClassVar[str] = "len"
    arg: Expr = field(metadata=_form(Holds.EXPR, older={"of": Holds.EXPR}))


@frozen(kw_only=True)
class In:
    """Whether an array has an element."""

    __repr__ = shown

    op: ClassVar[str] = "in"
    needle: Expr = field(metadata=_EXPR)
    haystack: Expr = field(metadata=_EXPR)


@frozen(kw_only=True)
class CallExtern:
    """The value of a registered pure function of the evaluated arguments."""

    __repr__ = shown

    op: ClassVar[str] = "call_extern"
    ref: str = field(metadata=_STRING)
    args: tuple[Expr, ...] = field(metadata=_form(Holds.EXPRS))


Expr = Path | Lit | Compare | Not | Logic | Exists | Arith | Len | In | CallExtern


# nodes -------------------------------------------------------------------------------------------------------


@frozen(kw_only=True)
class Step:
    """Dispatches the value of `in_` to `ref` and writes the answer at `out`."""

    __repr__ = shown

    kind: ClassVar[str] = "step"
    ref: str = field(metadata=_STRING)
    in_: Expr = field(metadata=_form(Holds.EXPR, json="in"))
    out: Expr = field(metadata=_EXPR)


@frozen(kw_only=True)
class Seq:
    """Runs its children in order and stops at the first error."""

    __repr__ = shown

    kind: ClassVar[str] = "seq"
    children: tuple[Node, ...] = field(metadata=_form(Holds.NODES))


@frozen(kw_only=True)
class Branch:
    """Runs one of two nodes; `cond` must be a real boolean."""

    __repr__ = shown

    kind: ClassVar[str] = "branch"
    cond: Expr = field(metadata=_EXPR)
    then: Node = field(metadata=_NODE)
    else_: Node = field(metadata=_form(Holds.NODE, json="else"))


@frozen(kw_only=True)
class Fanout:
    """Runs the body once per item, concurrently, each lane on a ctx of its own, and writes the joined value at `out`.

    `max_concurrency` None means: all lanes at once.
    """

    __repr__ = shown

    kind: ClassVar[str] = "fanout"
    items: Expr = field(metadata=_EXPR)
    bind: Expr = field(metadata=_EXPR)
    body: Node = field(metadata=_NODE)
    join: Join = field(metadata=_form(Holds.JOIN))
    out: Expr = field(metadata=_EXPR)
    max_concurrency: int | None = field(default=None, metadata=_form(Holds.LANES))


@frozen(kw_only=True)
class Loop:
    """Runs the body while `cond` holds, `max` times at most, counting at `counter`."""

    __repr__ = shown

    kind: ClassVar[str] = "loop"
    counter: Expr = field(metadata=_EXPR)
    cond: Expr = field(metadata=_EXPR)
    body: Node = field(metadata=_NODE)
    max: int = field(metadata=_form(Holds.COUNT))


@frozen(kw_only=True)
class Try:
    """Runs the body; on an error restores the ctx, writes the error's text at `err_at` where given, runs `catch`."""

    __repr__ = shown

    kind: ClassVar[str] = "try"
    body: Node = field(metadata=_NODE)
    catch: Node = field(metadata=_NODE)
    err_at: Expr | None = field(default=None, metadata=_form(Holds.EXPR, nullable=True))


@frozen(kw_only=True)
class Let:
    """Writes a value at a path; `at` is something else than a Path only where an older `assign` said so."""

    __repr__ = shown

    kind: ClassVar[str] = "let"
    at: Expr = field(metadata=_form(Holds.PATH, under={"assign": Holds.EXPR}))
    value: Expr = field(metadata=_EXPR)


Node = Step | Seq | Branch | Fanout | Loop | Try | Let


# the table ---------------------------------------------------------------------------------------------------

NEWEST: Mapping[str, str] = {"assign": "let", "le": "lte", "ge": "gte"}

NODE_KINDS: Mapping[str, type[Node]] = {
    "step": Step,
    "seq": Seq,
    "branch": Branch,
    "fanout": Fanout,
    "loop": Loop,
    "try": Try,
    "let": Let,
    "assign": Let,
}

EXPR_OPS: Mapping[str, type[Expr]] = {
    "path": Path,
    "lit": Lit,
    **dict.fromkeys(("eq", "ne", "lt", "gt", "lte", "gte", "le", "ge"), Compare),
    "not": Not,
    **dict.fromkeys(("and", "or"), Logic),
    "exists": Exists,
    **dict.fromkeys(("add", "sub", "mul", "div", "mod"), Arith),
    "len": Len,
    "in": In,
    "call_extern": CallExtern,
}


def _shape(tag: str, cls: type) -> tuple[FieldShape, ...]:
    return tuple(_field_shape(tag, a) for a in fields(cls) if "form" in a.metadata)


def _field_shape(tag: str, attribute: Any) -> FieldShape:
    form: Form = attribute.metadata["form"]
    newest = form.json or attribute.name
    return FieldShape(
        attribute=attribute.name,
        names={newest: form.under.get(tag, form.holds), **form.older},
        required=attribute.default is NOTHING,
        nullable=form.nullable,
    )


NODE_SHAPES: Mapping[str, tuple[FieldShape, ...]] = {kind: _shape(kind, cls) for kind, cls in NODE_KINDS.items()}
EXPR_SHAPES: Mapping[str, tuple[FieldShape, ...]] = {op: _shape(op, cls) for op, cls in EXPR_OPS.items()}
