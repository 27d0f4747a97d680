"""What an annotation says of a type."""

from __future__ import annotations

import ast

from perfscan.analyzers.facts import Value
from perfscan.analyzers.sharing import Shared
from perfscan.analyzers.source import Unreadable, parse_expression

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
_NOTHING = Value("other", "?")


def annotation_of(node: ast.expr | None, shared: Shared) -> Value | None:
    """Return what an annotation says: ``ref``, ``boolean`` (a union), ``list``, ... or None.

    ``Optional[X]``, ``Annotated[X, ...]`` and the like are looked through; containers become
    ``list`` of what they hold, with their own name as ``ref``, tuples of fixed length ``tuple`` and
    ``type[X]`` a ``type``; string annotations are parsed.
    """
    match node:
        case ast.Name():
            return shared.refs[node.id]
        case ast.Attribute():
            ref = _dotted(node)
            return shared.ref(ref, shared.refs[ref.partition(".")[0]].names) if ref else None
        case ast.Subscript():
            return _generic(node, shared)
        case ast.BinOp():
            return _union([node.left, node.right], shared)
        case ast.Constant(value=str(text)):
            expression = parse_expression(text)
            return None if isinstance(expression, Unreadable) else annotation_of(expression, shared)
    return None


def _generic(node: ast.Subscript, shared: Shared) -> Value | None:
    name = _dotted(node.value).rpartition(".")[2]
    inner = node.slice.elts if isinstance(node.slice, ast.Tuple) else [node.slice]
    if name in _WRAPPERS:
        return _union(inner[:1] if name == "Annotated" else inner, shared)
    if name in {"type", "Type"}:
        item = annotation_of(inner[0], shared) if inner else None
        return Value("type", "", None, (item,), item.names) if item else None
    if name in {"tuple", "Tuple"} and len(inner) > 1 and not _is_ellipsis(inner[-1]):
        parts = tuple([annotation_of(part, shared) or _NOTHING for part in inner])
        return Value("tuple", "", None, parts, shared.names(parts))
    if name in _CONTAINERS:
        item = annotation_of(inner[-1 if name in _MAPPINGS else 0], shared) if inner else None
        return Value("list", name, None, (item,), item.names) if item else None
    return annotation_of(node.value, shared)


def _is_ellipsis(node: ast.expr) -> bool:
    return isinstance(node, ast.Constant) and node.value is Ellipsis


def _union(nodes: list[ast.expr], shared: Shared) -> Value | None:
    parts = [annotation_of(node, shared) for node in nodes]
    known = tuple([part for part in parts if part is not None])
    if len(known) <= 1:
        return known[0] if known else None
    return Value("boolean", "", None, known, shared.names(known))


def _dotted(node: ast.expr) -> str:
    parts: list[str] = []
    while isinstance(node, ast.Attribute):
        parts.append(node.attr)
        node = node.value
    if not isinstance(node, ast.Name):
        return ""
    return ".".join([node.id, *reversed(parts)])
