"""What binds names: assignments, loop targets, ``as``, walrus, ``del``."""

from __future__ import annotations

import ast
from collections.abc import Sequence
from typing import Any

from perfscan.analyzers.annotations import annotation_of
from perfscan.analyzers.expressions import UNKNOWN, Expressions, span_of
from perfscan.analyzers.facts import Assign, Value
from perfscan.analyzers.sharing import Shared


class Bindings(Expressions):
    """The part of the walk that collects assignments."""

    def __init__(self, shared: Shared) -> None:
        super().__init__(shared)
        self.assigns: list[Assign] = []

    def bind(self, target: ast.expr, op: str, value: Value, node: Any) -> None:
        """Record ``target op value``, for each name of a tuple on its own."""
        if isinstance(target, ast.Tuple | ast.List):
            self._unpack(target.elts, op, value, node)
        elif isinstance(target, ast.Starred):
            self.bind(target.value, op, Value("list", "", None, (UNKNOWN,)), node)
        else:
            self._record(self.value(target, "receiver"), op, value, None, node)

    def _unpack(self, targets: list[ast.expr], op: str, value: Value, node: Any) -> None:
        parts: Sequence[Value]
        if value.kind in {"tuple", "list"} and len(value.items) == len(targets):
            parts = value.items
        elif (pairs := self._pairs(value)) and len(targets) == 2:
            parts = pairs
        else:
            parts = [Value("other", "?", None, (), value.names)] * len(targets)
        for target, part in zip(targets, parts, strict=True):
            self.bind(target, op, part, node)

    def _pairs(self, value: Value) -> tuple[Value, Value] | None:
        """Return what ``for a, b in`` binds over ``x.items()`` and ``enumerate(x)``."""
        if value.kind != "element" or not value.items[0].ref.startswith("@"):
            return None
        number = value.items[0].ref[1:]
        if not number.isdigit():
            return None
        func, args = self.calls[int(number)][2], self.calls[int(number)][3]
        nothing = Value("other", "?", None, (), value.names)
        if func.endswith(".items"):
            inner = Value("ref", func[: -len(".items")], None, (), value.names)
            return (nothing, Value("element", "", None, (inner,), value.names))
        if func == "enumerate" and args:
            return (nothing, Value("element", "", None, args[:1], value.names))
        return None

    def _record(
        self, target: Value, op: str, value: Value, annotation: Value | None, node: Any
    ) -> None:
        if target.kind == "ref":
            key = target.items[0] if target.ref.endswith(".[]") and target.items else None
            span = span_of(node)
            self.assigns.append(
                Assign(target.ref, op, value, annotation, self.block, span, len(self.calls), key)
            )

    def assign(self, node: ast.Assign) -> None:
        """Record ``a = b = value``."""
        value = self.value(node.value, "assigned")
        for target in node.targets:
            self.bind(target, "=", value, node)

    def annotated(self, node: ast.AnnAssign) -> None:
        """Record ``a: type = value`` and ``a: type``."""
        value = self.value(node.value, "assigned") if node.value else UNKNOWN
        target = self.value(node.target, "receiver")
        op = "=" if node.value else ":"
        self._record(target, op, value, annotation_of(node.annotation, self.shared), node)

    def augmented(self, node: ast.AugAssign) -> None:
        """Record ``a += value``."""
        value = self.value(node.value, "assigned")
        target = self.value(node.target, "receiver")
        self._record(target, type(node.op).__name__ + "=", value, None, node)

    def delete(self, node: ast.Delete) -> None:
        """Record ``del a, b[c]``."""
        for target in node.targets:
            self.bind(target, "del", UNKNOWN, node)
