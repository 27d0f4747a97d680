import ast

import pytest

from perfscan.analyzers.annotations import annotation_of
from perfscan.analyzers.facts import Value
from perfscan.analyzers.sharing import Shared


def annotated(annotation: str) -> Value | None:
    return annotation_of(ast.parse(annotation, mode="eval").body, Shared())


@pytest.mark.parametrize(
    ("annotation", "kind", "ref"),
    [
        ("a.B", "ref", "a.B"),
        ("'a.B'", "ref", "a.B"),
        ("Optional[a.B]", "ref", "a.B"),
        ("a.B | C", "boolean", ""),
        ("list[a.B]", "list", "list"),
        ("dict[str, a.B]", "list", "dict"),
        ("Annotated[a.B, 'x']", "ref", "a.B"),
    ],
)
def test_annotations(annotation: str, kind: str, ref: str) -> None:
    value = annotated(annotation)
    assert value is not None
    assert (value.kind, value.ref) == (kind, ref)


@pytest.mark.parametrize(
    "annotation",
    ["1", "f(x)", "'not a type'", "'('", "'x\\0'", "list[()]", "Optional[None]", "f().A"],
)
def test_what_names_no_type_says_nothing(annotation: str) -> None:
    assert annotated(annotation) is None


def test_a_string_with_an_odd_escape_warns_nobody() -> None:
    assert annotated(repr(r"'\d'")) is None


def test_a_string_nested_too_deeply_is_no_type() -> None:
    assert annotated(repr("(" * 190 + "x" + ")" * 190)) == annotated("x")
    assert annotated(repr("-" * 100_000 + "x")) is None
