"""What binds names: assignments, loop targets, ``as``, walrus, ``del``."""

from __future__ import annotations

import ast
from typing import Any

from perfscan.analyzers.annotations import annotation_of
from perfscan.analyzers.expressions import UNKNOWN, Expressions, span_of
from perfscan.analyzers.facts import Assign, Value

_OPAQUE = frozenset({"ref", "element", "part"})
"""Values whose parts only the linker can know."""


class Bindings(Expressions):
    """The part of the walk that collects assignments."""

    def __init__(self) -> None:
        super().__init__()
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
        rest = next((i for i, t in enumerate(targets) if isinstance(t, ast.Starred)), len(targets))
        written = value.items if value.kind in {"tuple", "list"} else self._counted(value)
        known = written if len(written) == len(targets) else ()
        for index, target in enumerate(targets):
            if index < len(known):
                part = known[index]
            elif index < rest and value.kind in _OPAQUE:
                part = Value("part", "", index, (value,), value.names)
            else:
                part = Value("other", "?", None, (), value.names)
            self.bind(target, op, part, node)

    def _counted(self, value: Value) -> tuple[Value, ...]:
        """Return what ``for number, item in enumerate(items)`` binds."""
        ref = value.items[0].ref if value.kind == "element" else ""
        if not ref.startswith("@") or not ref[1:].isdigit():
            return ()
        func, args = self.calls[int(ref[1:])][2], self.calls[int(ref[1:])][3]
        if func != "enumerate" or not args:
            return ()
        nothing = Value("other", "?", None, (), value.names)
        return (nothing, Value("element", "", None, args[:1], value.names))

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
