"""Expressions to ``Value``s: names become references, calls become facts on the way."""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterable
from typing import Any

from perfscan.analyzers.facts import Await, Block, Comparison, Place, Read, Subscript, Value

UNKNOWN = Value("other", "?")
_STAR = Value("star")
_EQUALITY = (ast.Eq, ast.NotEq, ast.In, ast.NotIn)
_MADE = {
    ast.ListComp: "list",
    ast.SetComp: "set",
    ast.DictComp: "dict",
    ast.GeneratorExp: "generator",
}
_LITERALS = {
    "list": "$list",
    "dict": "$dict",
    "set": "$set",
    "tuple": "$tuple",
    "fstring": "$str",
    "comp": "$list",
}
_WRAPPERS = frozenset(
    {
        "Optional", "Union", "Annotated", "Final", "ClassVar", "Awaitable", "Required", "Mapped",
        "AsyncContextManager", "ContextManager", "InitVar",
    }
)  # fmt: skip
_MAPPINGS = frozenset(
    {"dict", "Dict", "Mapping", "MutableMapping", "defaultdict", "DefaultDict", "OrderedDict"}
)
_CONTAINERS = _MAPPINGS | frozenset(
    {
        "list", "List", "set", "Set", "frozenset", "FrozenSet", "tuple", "Tuple", "deque",
        "Deque", "Sequence", "MutableSequence", "Iterable", "Iterator", "Collection",
        "Generator", "AsyncIterator", "AsyncGenerator", "AsyncIterable",
    }
)  # fmt: skip


def place_of(node: Any) -> Place:
    """Return where ``node`` stands."""
    return (node.lineno, node.col_offset, node.end_lineno, node.end_col_offset)


def names_of(values: Iterable[Value]) -> tuple[str, ...]:
    """Return every name that ``values`` read, once each, in order."""
    return tuple(dict.fromkeys(name for value in values for name in value.names))


def plain_names(target: ast.expr) -> tuple[str, ...]:
    """Return the names that the target of a ``for`` binds."""
    return tuple([node.id for node in ast.walk(target) if isinstance(node, ast.Name)])


class Expressions:
    """The part of the walk that turns expressions into values and collects calls."""

    def __init__(self) -> None:
        self.block = 0
        self.blocks: list[Block] = []
        self.calls: list[list[Any]] = []
        """Rows of ``Call``; lists until the file is done because awaits come after."""
        self.awaits: list[Await] = []
        self.reads: list[Read] = []
        self.subscripts: list[Subscript] = []
        self.comparisons: list[Comparison] = []
        self.owner = -1
        self._dispatch: dict[type, Callable[[Any, str], Value]] = {
            ast.Name: self._name,
            ast.Attribute: self._attribute,
            ast.Constant: self._constant,
            ast.Call: self._call,
            ast.Await: self._await,
            ast.Subscript: self._subscript,
            ast.List: self._sequence,
            ast.Tuple: self._sequence,
            ast.Set: self._sequence,
            ast.Dict: self._dict,
            ast.JoinedStr: self._fstring,
            ast.FormattedValue: self._formatted,
            ast.BinOp: self._binary,
            ast.BoolOp: self._boolean,
            ast.UnaryOp: self._unary,
            ast.Compare: self._compare,
            ast.IfExp: self._conditional,
            ast.Starred: self._starred,
            ast.NamedExpr: self._walrus,
            ast.ListComp: self._comprehension,
            ast.SetComp: self._comprehension,
            ast.GeneratorExp: self._comprehension,
            ast.DictComp: self._comprehension,
            ast.Lambda: self.make_lambda,
            ast.Yield: self._yield,
            ast.YieldFrom: self._yield,
            ast.Slice: self._slice,
        }

    # What the statement walk provides.

    def bind(self, target: ast.expr, op: str, value: Value, node: ast.AST) -> None:
        """Record ``target op value``."""
        raise NotImplementedError

    def make_lambda(self, node: ast.Lambda, use: str) -> Value:
        """Record a lambda as a function."""
        raise NotImplementedError

    def record_yield(self, node: ast.AST, value: Value | None) -> None:
        """Record a ``yield``."""
        raise NotImplementedError

    def open_block(
        self,
        kind: str,
        node: Any,
        value: Value | None = None,
        *,
        is_async: bool = False,
        targets: tuple[str, ...] = (),
    ) -> int:
        """Append a block below the current one and return its index."""
        raise NotImplementedError

    # Values.

    def value(self, node: ast.expr, use: str = "other") -> Value:
        """Summarise ``node``; ``use`` says what becomes of it, should it be a call."""
        handler = self._dispatch.get(type(node))
        return handler(node, use) if handler else UNKNOWN

    def _name(self, node: ast.Name, use: str) -> Value:
        return Value("ref", node.id, None, (), (node.id,))

    def _attribute(self, node: ast.Attribute, use: str) -> Value:
        base = self.value(node.value, "receiver")
        ref = f"{self._reference(base)}.{node.attr}"
        if use != "receiver" and (ref[:5] != "self." or ref.count(".") > 1):
            self.reads.append(Read(ref, self.block, place_of(node), len(self.calls)))
        return Value("ref", ref, None, (), base.names)

    def _reference(self, value: Value) -> str:
        if value.kind == "ref":
            return value.ref
        if value.kind == "const":
            return f"${type(value.const).__name__}"
        return _LITERALS.get(value.kind, "?")

    def _constant(self, node: ast.Constant, use: str) -> Value:
        constant = node.value
        if constant is None or isinstance(constant, str | int | float):
            return Value("const", "", constant)
        return Value("other", f"${type(constant).__name__}")

    def _call(self, node: ast.Call, use: str) -> Value:
        func = self.value(node.func, "receiver")
        # Arguments are evaluated before the call has a number: they point to a placeholder.
        outer, placeholder = self.owner, self.owner - 2 if self.owner < -1 else -2
        first = len(self.calls)
        self.owner = placeholder
        args = tuple([self.value(argument, "argument") for argument in node.args])
        keywords = tuple(
            [(word.arg or "**", self.value(word.value, "argument")) for word in node.keywords]
        )
        self.owner = outer
        index = len(self.calls)
        for row in self.calls[first:]:
            if row[7] == placeholder:
                row[7] = index
        names = names_of((func, *args, *(value for _, value in keywords)))
        self.calls.append(
            [
                index,
                self.block,
                self._reference(func),
                args,
                keywords,
                place_of(node),
                use,
                outer,
                False,
                names,
            ]
        )
        return Value("ref", f"@{index}", None, (), names)

    def _await(self, node: ast.Await, use: str) -> Value:
        value = self.value(node.value, use)
        if value.kind == "ref" and value.ref.startswith("@") and value.ref[1:].isdigit():
            self.calls[int(value.ref[1:])][8] = True
        elif self.reads and self.reads[-1].ref == value.ref:
            self.reads.pop()  # awaited, so it is a coroutine and not a value
        self.awaits.append(Await(self.block, value, place_of(node), len(self.calls)))
        return value

    def _subscript(self, node: ast.Subscript, use: str) -> Value:
        base = self.value(node.value, "receiver")
        index = self.value(node.slice, "argument")
        names = names_of((base, index))
        if type(node.ctx) is ast.Load:
            ref, order = self._reference(base), len(self.calls)
            self.subscripts.append(Subscript(ref, index, self.block, place_of(node), order))
        step = (
            "" if isinstance(node.slice, ast.Slice) else ".[]"
        )  # a slice is the same kind of thing
        return Value("ref", self._reference(base) + step, None, (index,), names)

    def _sequence(self, node: ast.List | ast.Tuple | ast.Set, use: str) -> Value:
        items = tuple([self.value(item, "element") for item in node.elts])
        return Value(type(node).__name__.lower(), "", None, items, names_of(items))

    def _dict(self, node: ast.Dict, use: str) -> Value:
        keys = tuple([self.value(key, "element") if key else _STAR for key in node.keys])
        items = tuple([self.value(item, "element") for item in node.values])
        return Value("dict", "", None, items, names_of((*keys, *items)), -1, keys)

    def _fstring(self, node: ast.JoinedStr, use: str) -> Value:
        items = tuple([self.value(part, "element") for part in node.values])
        return Value("fstring", "", None, items, names_of(items))

    def _formatted(self, node: ast.FormattedValue, use: str) -> Value:
        return self.value(node.value, "element")

    def _binary(self, node: ast.BinOp, use: str) -> Value:
        # Long sums lean to the left; walking them in a loop keeps the stack flat.
        rights: list[ast.expr] = []
        left: ast.expr = node
        while isinstance(left, ast.BinOp):
            rights.append(left.right)
            left = left.left
        items = (self.value(left), *[self.value(right) for right in reversed(rights)])
        return Value("binary", type(node.op).__name__, None, items, names_of(items))

    def _boolean(self, node: ast.BoolOp, use: str) -> Value:
        items = tuple([self.value(item, use) for item in node.values])
        return Value("boolean", "", None, items, names_of(items))

    def _unary(self, node: ast.UnaryOp, use: str) -> Value:
        item = self.value(node.operand, use)
        if isinstance(node.op, ast.USub) and isinstance(item.const, int | float):
            return Value("const", "", -item.const)
        return Value("binary", type(node.op).__name__, None, (item,), item.names)

    def _compare(self, node: ast.Compare, use: str) -> Value:
        items = tuple([self.value(item, use) for item in (node.left, *node.comparators)])
        for op, left, right in zip(node.ops, items, items[1:], strict=False):
            if isinstance(op, _EQUALITY):
                name, place, order = type(op).__name__, place_of(node), len(self.calls)
                self.comparisons.append(Comparison(name, left, right, self.block, place, order))
        return Value("compare", type(node.ops[0]).__name__, None, items, names_of(items))

    def _conditional(self, node: ast.IfExp, use: str) -> Value:
        test = self.value(node.test, "test")
        items = (self.value(node.body, use), self.value(node.orelse, use))
        return Value("conditional", "", None, items, names_of((test, *items)))

    def _starred(self, node: ast.Starred, use: str) -> Value:
        item = self.value(node.value, use)
        return Value("star", "", None, (item,), item.names)

    def _walrus(self, node: ast.NamedExpr, use: str) -> Value:
        value = self.value(node.value, "assigned")
        self.bind(node.target, ":=", value, node)
        return value

    def _comprehension(
        self, node: ast.ListComp | ast.SetComp | ast.GeneratorExp | ast.DictComp, use: str
    ) -> Value:
        outer, inner = self.block, -1
        for generator in node.generators:
            iterable = self.value(generator.iter, "iterated")
            self.block = self.open_block(
                "comp",
                node,
                iterable,
                is_async=bool(generator.is_async),
                targets=plain_names(generator.target),
            )
            inner = inner if inner >= 0 else self.block
            self.bind(generator.target, "for", Value("element", "", None, (iterable,)), node)
            for condition in generator.ifs:
                self.value(condition, "test")
        keys: tuple[Value, ...] = ()
        if isinstance(node, ast.DictComp):
            keys = (self.value(node.key, "element"),)
            element = self.value(node.value, "element")
        else:
            element = self.value(node.elt, "element")
        value = self.blocks[inner].value
        names = names_of((element, value) if value else (element,))
        self.block = outer
        return Value("comp", _MADE[type(node)], None, (element,), names, inner, keys)

    def _yield(self, node: ast.Yield | ast.YieldFrom, use: str) -> Value:
        value = self.value(node.value, "yielded") if node.value else None
        self.record_yield(node, value)
        return UNKNOWN

    def _slice(self, node: ast.Slice, use: str) -> Value:
        parts = [self.value(part) for part in (node.lower, node.upper, node.step) if part]
        return Value("other", ":", None, tuple(parts), names_of(parts))


def annotation_of(node: ast.expr | None) -> Value | None:
    """Return what an annotation says of a type: ``ref``, ``boolean`` (a union), ``list`` or None.

    ``Optional[X]``, ``Annotated[X, ...]`` and the like are looked through; containers become
    ``list`` of what they hold, with their own name as ``ref``; string annotations are parsed.
    """
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        try:
            return annotation_of(ast.parse(node.value, mode="eval").body)
        except (SyntaxError, ValueError, RecursionError):
            return None
    if isinstance(node, ast.Name | ast.Attribute):
        ref = _dotted(node)
        return Value("ref", ref, None, (), (ref.partition(".")[0],)) if ref else None
    if isinstance(node, ast.BinOp):
        return _union(annotation_of(node.left), annotation_of(node.right))
    if isinstance(node, ast.Subscript):
        return _generic(node)
    return None


def _generic(node: ast.Subscript) -> Value | None:
    name = _dotted(node.value).rpartition(".")[2]
    inner = node.slice.elts if isinstance(node.slice, ast.Tuple) else [node.slice]
    if name in _WRAPPERS:
        wanted = inner[:1] if name == "Annotated" else inner
        return _union(*[annotation_of(part) for part in wanted])
    if name in _CONTAINERS:
        item = annotation_of(inner[-1 if name in _MAPPINGS else 0]) if inner else None
        return Value("list", name, None, (item,), item.names) if item else None
    return annotation_of(node.value)


def _union(*parts: Value | None) -> Value | None:
    known = tuple(part for part in parts if part is not None)
    if len(known) <= 1:
        return known[0] if known else None
    return Value("boolean", "", None, known, names_of(known))


def _dotted(node: ast.expr) -> str:
    parts: list[str] = []
    while isinstance(node, ast.Attribute):
        parts.append(node.attr)
        node = node.value
    if not isinstance(node, ast.Name):
        return ""
    return ".".join([node.id, *reversed(parts)])
