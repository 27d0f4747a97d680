"""Expressions to ``Value``s: names become references, calls become facts on the way."""

from __future__ import annotations

import ast
from collections import defaultdict
from collections.abc import Callable
from sys import intern
from typing import Any

from perfscan.analyzers.facts import (
    Await,
    Block,
    Call,
    Comparison,
    Read,
    Subscript,
    Value,
    packed,
)
from perfscan.analyzers.sharing import Shared

UNKNOWN = Value("other", "?")
_STAR = Value("star")
_PLAIN = frozenset({str, int, float, bool, type(None)})
_OWNER, _AWAITED = Call._fields.index("owner"), Call._fields.index("awaited")
_EQUALITY = (ast.Eq, ast.NotEq, ast.In, ast.NotIn)
_SEQUENCES = {ast.List: "list", ast.Tuple: "tuple", ast.Set: "set"}
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


def span_of(node: Any) -> int:
    """Return where ``node`` stands, packed."""
    return packed(node.lineno, node.col_offset, node.end_lineno, node.end_col_offset)


def plain_names(target: ast.expr) -> tuple[str, ...]:
    """Return the names that the target of a ``for`` binds."""
    if isinstance(target, ast.Name):
        return (target.id,)
    return tuple([node.id for node in ast.walk(target) if isinstance(node, ast.Name)])


class Expressions:
    """The part of the walk that turns expressions into values and collects calls."""

    def __init__(self) -> None:
        self.shared = Shared()
        self.refs = self.shared.refs
        self.block = 0
        self.blocks: list[Block] = []
        self.calls: list[list[Any]] = []
        """Rows of ``Call``; lists until the file is done because owners get their number later."""
        self.awaits: list[Await] = []
        self.reads: list[Read] = []
        self.subscripts: list[Subscript] = []
        self.comparisons: list[Comparison] = []
        self.owner = -1

    # What the statement walk provides.

    def bind(self, target: ast.expr, op: str, value: Value, node: ast.AST) -> None:
        """Record ``target op value``."""
        raise NotImplementedError

    def make_lambda(self, node: ast.Lambda) -> Value:
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
        if isinstance(node, ast.Name):  # a third of all expressions
            return self.refs[node.id]
        return _HANDLERS[type(node)](self, node, use)

    def values(self, nodes: list[ast.expr], use: str) -> tuple[Value, ...]:
        """Summarise several expressions that are used alike."""
        return tuple([self.value(node, use) for node in nodes]) if nodes else ()

    def _attribute(self, node: ast.Attribute, use: str) -> Value:
        base = self.value(node.value, "receiver")
        ref = f"{base.ref if base.kind == 'ref' else self._reference(base)}.{node.attr}"
        value = self.shared.ref(ref, base.names)
        if use != "receiver":
            self.reads.append(Read(value.ref, self.block, span_of(node), len(self.calls)))
        return value

    def _reference(self, value: Value) -> str:
        if value.kind == "ref":
            return value.ref
        if value.kind == "const":
            return f"${type(value.const).__name__}"
        return _LITERALS.get(value.kind, "?")

    def _constant(self, node: ast.Constant, use: str) -> Value:
        constant = node.value
        if type(constant) in _PLAIN:
            return self.shared.constant(constant)
        return Value("other", f"${type(constant).__name__}")

    def _call(self, node: ast.Call, use: str) -> Value:
        func = self.value(node.func, "receiver")
        args: tuple[Value, ...] = ()
        keywords: tuple[tuple[str, Value], ...] = ()
        names, owner, first = func.names, self.owner, len(self.calls)
        if node.args or node.keywords:
            # Arguments come before the call has its number: they point to a placeholder.
            placeholder = self.owner = owner - 2 if owner < -1 else -2
            args = self.values(node.args, "argument")
            if node.keywords:
                keywords = tuple(
                    [
                        (word.arg or "**", self.value(word.value, "argument"))
                        for word in node.keywords
                    ]
                )
            self.owner = owner
            for row in self.calls[first:]:
                if row[_OWNER] == placeholder:
                    row[_OWNER] = len(self.calls)
            names = self.shared.names((func, *args, *[value for _, value in keywords]))
        ref = func.ref if func.kind == "ref" else self._reference(func)
        number = len(self.calls)
        self.calls.append(
            [number, self.block, ref, args, keywords, span_of(node), use, owner, False, names]
        )
        return Value("ref", intern(f"@{number}"), None, (), names)

    def _await(self, node: ast.Await, use: str) -> Value:
        value = self.value(node.value, use)
        if value.kind == "ref" and value.ref.startswith("@") and value.ref[1:].isdigit():
            self.calls[int(value.ref[1:])][_AWAITED] = True
        elif self.reads and self.reads[-1].ref == value.ref:
            self.reads.pop()  # awaited, so it is a coroutine and not a value
        self.awaits.append(Await(self.block, value, span_of(node), len(self.calls)))
        return value

    def _subscript(self, node: ast.Subscript, use: str) -> Value:
        base = self.value(node.value, "receiver")
        index = self.value(node.slice, "argument")
        names = self.shared.names((base, index))
        if type(node.ctx) is ast.Load:
            span, order = span_of(node), len(self.calls)
            self.subscripts.append(Subscript(self._reference(base), index, self.block, span, order))
        step = (
            "" if isinstance(node.slice, ast.Slice) else ".[]"
        )  # a slice is the same kind of thing
        return Value("ref", self._reference(base) + step, None, (index,), names)

    def _sequence(self, node: ast.List | ast.Tuple | ast.Set, use: str) -> Value:
        items = self.values(node.elts, "element")
        return Value(_SEQUENCES[type(node)], "", None, items, self.shared.names(items))

    def _dict(self, node: ast.Dict, use: str) -> Value:
        keys = tuple([self.value(key, "element") if key else _STAR for key in node.keys])
        items = self.values(node.values, "element")
        return Value("dict", "", None, items, self.shared.names((*keys, *items)), -1, keys)

    def _fstring(self, node: ast.JoinedStr, use: str) -> Value:
        items = self.values(node.values, "element")
        return Value("fstring", "", None, items, self.shared.names(items))

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
        return Value("binary", type(node.op).__name__, None, items, self.shared.names(items))

    def _boolean(self, node: ast.BoolOp, use: str) -> Value:
        items = self.values(node.values, use)
        return Value("boolean", type(node.op).__name__, None, items, self.shared.names(items))

    def _unary(self, node: ast.UnaryOp, use: str) -> Value:
        operand, negations = node.operand, [node.op]
        while isinstance(operand, ast.UnaryOp):  # as in "not not a": the first one counts
            negations.append(operand.op)
            operand = operand.operand
        item = self.value(operand, use)
        if isinstance(item.const, int | float) and all(isinstance(n, ast.USub) for n in negations):
            return Value("const", "", item.const * (-1) ** len(negations))
        return Value("binary", type(node.op).__name__, None, (item,), item.names)

    def _compare(self, node: ast.Compare, use: str) -> Value:
        items = self.values([node.left, *node.comparators], use)
        for op, left, right in zip(node.ops, items, items[1:], strict=False):
            if isinstance(op, _EQUALITY):
                name, span, order = type(op).__name__, span_of(node), len(self.calls)
                self.comparisons.append(Comparison(name, left, right, self.block, span, order))
        return Value("compare", type(node.ops[0]).__name__, None, items, self.shared.names(items))

    def _conditional(self, node: ast.IfExp, use: str) -> Value:
        tests: list[Value] = []
        items: list[Value] = []
        last: ast.expr = node
        while isinstance(last, ast.IfExp):  # "a if x else b if y else c" has three items
            tests.append(self.value(last.test, "test"))
            items.append(self.value(last.body, use))
            last = last.orelse
        items.append(self.value(last, use))
        return Value("conditional", "", None, tuple(items), self.shared.names((*tests, *items)))

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
        names = self.shared.names((element, value) if value else (element,))
        self.block = outer
        return Value("comp", _MADE[type(node)], None, (element,), names, inner, keys)

    def _yield(self, node: ast.Yield | ast.YieldFrom, use: str) -> Value:
        value = self.value(node.value, "yielded") if node.value else None
        self.record_yield(node, value)
        return UNKNOWN

    def _slice(self, node: ast.Slice, use: str) -> Value:
        parts = [self.value(part) for part in (node.lower, node.upper, node.step) if part]
        return Value("other", ":", None, tuple(parts), self.shared.names(parts))

    def _lambda(self, node: ast.Lambda, use: str) -> Value:
        return self.make_lambda(node)


def _unknown(walk: Expressions, node: ast.expr, use: str) -> Value:
    return UNKNOWN


_HANDLERS: dict[type[ast.AST], Callable[[Expressions, Any, str], Value]] = defaultdict(
    lambda: _unknown,
    {
        ast.Attribute: Expressions._attribute,
        ast.Constant: Expressions._constant,
        ast.Call: Expressions._call,
        ast.Await: Expressions._await,
        ast.Subscript: Expressions._subscript,
        ast.List: Expressions._sequence,
        ast.Tuple: Expressions._sequence,
        ast.Set: Expressions._sequence,
        ast.Dict: Expressions._dict,
        ast.JoinedStr: Expressions._fstring,
        ast.FormattedValue: Expressions._formatted,
        ast.BinOp: Expressions._binary,
        ast.BoolOp: Expressions._boolean,
        ast.UnaryOp: Expressions._unary,
        ast.Compare: Expressions._compare,
        ast.IfExp: Expressions._conditional,
        ast.Starred: Expressions._starred,
        ast.NamedExpr: Expressions._walrus,
        ast.ListComp: Expressions._comprehension,
        ast.SetComp: Expressions._comprehension,
        ast.GeneratorExp: Expressions._comprehension,
        ast.DictComp: Expressions._comprehension,
        ast.Lambda: Expressions._lambda,
        ast.Yield: Expressions._yield,
        ast.YieldFrom: Expressions._yield,
        ast.Slice: Expressions._slice,
    },
)
