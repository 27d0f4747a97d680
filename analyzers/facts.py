"""What one file tells: flat, picklable facts, indexed by position; no syntax tree survives.

Expressions become ``Value``s. A chain of names is a *reference*, a dotted string: ``self.ex.get``;
the result of call number 7 of the file is ``@7``; a subscript is the segment ``[]``; a literal
receiver is ``$str``; what cannot be named is ``?``. ``await`` is transparent in references.
"""

from __future__ import annotations

from functools import partial
from typing import Any, NamedTuple

Place = tuple[int, int, int, int]
"""Line, column, end line, end column as ``ast`` gives them: columns 0-based, in UTF-8 bytes."""

_WIDTH, _HEIGHT = 16, 14
_WIDEST, _HIGHEST = (1 << _WIDTH) - 1, (1 << _HEIGHT) - 1


def packed(line: int, column: int, end_line: int, end_column: int) -> int:
    """Return a place as one number, which takes a sixth of the memory and sorts by position.

    Columns end at 65,535 and extents at 16,383 lines: what lies beyond is cut off there.
    """
    height = end_line - line
    if column > _WIDEST or end_column > _WIDEST or height > _HIGHEST:
        column, end_column = min(column, _WIDEST), min(end_column, _WIDEST)
        height = min(height, _HIGHEST)
    return ((line << _WIDTH | column) << _HEIGHT | height) << _WIDTH | end_column


def line_of(span: int) -> int:
    """Return the line on which a packed place begins."""
    return span >> (_WIDTH + _HEIGHT + _WIDTH)


def place_of(span: int) -> Place:
    """Return a packed place as the four numbers that it stands for."""
    line = line_of(span)
    height = span >> _WIDTH & _HIGHEST
    column = span >> (_HEIGHT + _WIDTH) & _WIDEST
    return (line, column, line + height, span & _WIDEST)


NOWHERE: Place = (1, 0, 1, 0)

SCOPES = frozenset({"module", "function", "class", "comp"})
"""Block kinds that hold names of their own."""

LOOPS = frozenset({"for", "while", "comp"})
"""Block kinds whose body runs repeatedly. An iterable stands outside, a ``while`` test inside."""


class Value(NamedTuple):
    """An expression in summary.

    kind: ``ref``, ``const``, ``list``, ``tuple``, ``set``, ``dict`` (items are its values),
    ``comp`` (one item: the element), ``fstring``, ``lambda``, ``binary``, ``compare``, ``boolean``
    (``and``/``or``), ``conditional``, ``star``, ``element`` (what iterating the item yields),
    ``part`` (number ``const`` of what the item unpacks to), ``type`` (``type[item]``), ``other``.
    """

    kind: str
    ref: str = ""
    """The reference of a ``ref``; the operator of a ``binary`` or ``compare``; what a ``comp``
    makes: ``list``, ``set``, ``dict`` or ``generator``; ``:`` for a slice; ``""`` else."""
    const: str | int | float | bool | None = None
    items: tuple[Value, ...] = ()
    names: tuple[str, ...] = ()
    """Every plain name that the expression reads."""
    block: int = -1
    """The block of a ``comp`` or ``lambda``."""
    keys: tuple[Value, ...] = ()
    """The keys of a ``dict``, one for each item (``**mapping`` has a ``star``), and of a ``comp``
    that makes a dict."""


class Block(NamedTuple):
    """A stretch of code with one role; blocks nest up to the module's, number 0.

    kind: module, function, class, for, while, comp, if, else, try, except, finally, with, case.
    """

    number: int
    kind: str
    parent: int
    scope: int
    """The block that holds the names bound here: itself for a scope."""
    function: int
    """The function that runs this code, -1 at module (and class) level."""
    span: int
    """The header; for ``for``, ``while``, ``if`` and ``with`` up to the end of its expression."""
    end_line: int
    value: Value | None = None
    """Iterable, condition, context manager, or exception type."""
    targets: tuple[str, ...] = ()
    """Names bound by the header."""
    is_async: bool = False

    @property
    def line(self) -> int:
        """The line on which it begins."""
        return line_of(self.span)

    @property
    def place(self) -> Place:
        """Where it stands."""
        return place_of(self.span)


class Call(NamedTuple):
    """One call. ``number`` also orders calls as they are evaluated."""

    number: int
    block: int
    func: str
    """The reference that is called; ``?`` when it has no name."""
    args: tuple[Value, ...]
    keywords: tuple[tuple[str, Value], ...]
    """``**mapping`` has the name ``**``."""
    span: int
    use: str
    """statement, assigned, returned, argument, receiver, with, iterated, test, yielded, element,
    decorator or other. ``await`` is looked through."""
    owner: int
    """The call of which this is an argument, however deep in it, or -1."""
    awaited: bool
    names: tuple[str, ...]

    @property
    def line(self) -> int:
        """The line on which it begins."""
        return line_of(self.span)

    @property
    def place(self) -> Place:
        """Where it stands."""
        return place_of(self.span)


class Assign(NamedTuple):
    """One binding: ``target op value``.

    op: ``=``, ``+=`` and so on, ``for``, ``with``, ``except``, ``:=``, ``:`` (annotation only),
    ``del``.
    """

    target: str
    op: str
    value: Value
    annotation: Value | None
    block: int
    span: int
    order: int
    """Number of calls evaluated before: compares with ``Call.number``."""
    key: Value | None = None
    """The subscript of a target that ends in ``[]``."""

    @property
    def line(self) -> int:
        """The line on which it begins."""
        return line_of(self.span)

    @property
    def place(self) -> Place:
        """Where it stands."""
        return place_of(self.span)


class Jump(NamedTuple):
    """``return``, ``yield``, ``break``, ``continue``, ``raise`` or ``assert`` (its condition)."""

    kind: str
    block: int
    value: Value | None
    span: int

    @property
    def place(self) -> Place:
        """Where it stands."""
        return place_of(self.span)


class Await(NamedTuple):
    """One ``await``; its value is the awaited expression."""

    block: int
    value: Value
    span: int
    order: int

    @property
    def place(self) -> Place:
        """Where it stands."""
        return place_of(self.span)


class Read(NamedTuple):
    """An attribute that is read and not called: ``w3.eth.block_number``."""

    ref: str
    block: int
    span: int
    order: int

    @property
    def place(self) -> Place:
        """Where it stands."""
        return place_of(self.span)


class Subscript(NamedTuple):
    """A subscript that is read: ``df.iloc[i]`` has the ref ``df.iloc`` and the key ``i``.

    Slices are meant, too (``key.ref`` is ``:``). Bound ones are ``Assign``s with a ``key``.
    """

    ref: str
    """What the subscript is taken of."""
    key: Value
    block: int
    span: int
    order: int

    @property
    def place(self) -> Place:
        """Where it stands."""
        return place_of(self.span)


class Comparison(NamedTuple):
    """``left op right`` where op, as in ``ast``, is In, NotIn, Eq or NotEq; chains are taken apart.

    Those in comprehensions are meant, too, in the block of their ``for``.
    """

    op: str
    left: Value
    right: Value
    block: int
    span: int
    """Of the whole chain."""
    order: int

    @property
    def place(self) -> Place:
        """Where it stands."""
        return place_of(self.span)


class Param(NamedTuple):
    """A parameter; kind: plain, args (``*a``), keyword, kwargs (``**k``)."""

    name: str
    kind: str
    annotation: Value | None
    default: Value | None


class Function(NamedTuple):
    """A ``def`` or lambda."""

    number: int
    name: str
    qualname: str
    """Dotted within the module: ``Class.method``, ``outer.inner``."""
    owner: int
    """The class of a method, -1 else."""
    parent: int
    """The enclosing function, -1 else."""
    outer: int
    """The block in which the ``def`` stands."""
    block: int
    is_async: bool
    is_generator: bool
    decorators: tuple[Value, ...]
    params: tuple[Param, ...]
    returns: Value | None
    """The annotation."""
    span: int
    end_line: int
    shared: tuple[str, ...]
    """Names declared ``global`` or ``nonlocal``."""
    statements: int

    @property
    def line(self) -> int:
        """The line on which it begins."""
        return line_of(self.span)

    @property
    def place(self) -> Place:
        """Where it stands."""
        return place_of(self.span)


class Class(NamedTuple):
    """A class statement."""

    number: int
    name: str
    qualname: str
    outer: int
    block: int
    bases: tuple[Value, ...]
    decorators: tuple[Value, ...]
    span: int
    end_line: int

    @property
    def line(self) -> int:
        """The line on which it begins."""
        return line_of(self.span)

    @property
    def place(self) -> Place:
        """Where it stands."""
        return place_of(self.span)


class Import(NamedTuple):
    """``import module as bound`` (name empty) or ``from module import name as bound``."""

    module: str
    name: str
    bound: str
    level: int
    block: int
    span: int
    """The statement."""

    @property
    def line(self) -> int:
        """The line on which it begins."""
        return line_of(self.span)

    @property
    def place(self) -> Place:
        """Where it stands."""
        return place_of(self.span)


class FileFacts(NamedTuple):
    """Everything the linker and the rules may know about one file."""

    path: str
    """Relative to the root, forward slashes."""
    lines: int
    blocks: tuple[Block, ...]
    calls: tuple[Call, ...]
    assigns: tuple[Assign, ...]
    jumps: tuple[Jump, ...]
    awaits: tuple[Await, ...]
    functions: tuple[Function, ...]
    classes: tuple[Class, ...]
    imports: tuple[Import, ...]
    reads: tuple[Read, ...] = ()
    subscripts: tuple[Subscript, ...] = ()
    comparisons: tuple[Comparison, ...] = ()
    comments: bool = False
    """The text speaks of perfscan, so there may be suppression comments."""

    def __reduce__(self) -> tuple[Any, ...]:
        """Pickle tables by column: half the time, because rows are no objects of their own."""
        tables = {name: tuple(zip(*getattr(self, name), strict=True)) for name in _ROWS}
        return (_restored, (self.path, self.lines, self.comments, tables))


_ROWS: dict[str, type[Any]] = {
    "blocks": Block,
    "calls": Call,
    "assigns": Assign,
    "jumps": Jump,
    "awaits": Await,
    "functions": Function,
    "classes": Class,
    "imports": Import,
    "reads": Read,
    "subscripts": Subscript,
    "comparisons": Comparison,
}


def _restored(
    path: str, lines: int, comments: bool, tables: dict[str, tuple[tuple[Any, ...], ...]]
) -> FileFacts:
    rows = {
        name: tuple(map(partial(tuple.__new__, _ROWS[name]), zip(*columns, strict=True)))
        for name, columns in tables.items()
    }
    return FileFacts(path, lines, **rows, comments=comments)
