"""Whatever the bytes of a file are: facts that hold together, or one clear reason why not."""

from __future__ import annotations

import pickle
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from perfscan.analyzers.extraction import extract
from perfscan.analyzers.facts import Block, Call, FileFacts, Value
from perfscan.analyzers.source import Unreadable, parse

ROOT = Path(__file__).resolve().parents[2]
SOURCES = [path.read_bytes() for path in sorted((ROOT / "analyzers").glob("*.py"))]

quick = settings(max_examples=150, deadline=None, derandomize=True, database=None)


def facts_of(data: bytes) -> FileFacts | None:
    """Take the way of every scanned file; None when it ends at a reason."""
    parsed = parse(data)
    if isinstance(parsed, Unreadable):
        assert parsed.message.isprintable()
        assert parsed.line is None or 0 <= parsed.line <= data.count(b"\n") + data.count(b"\r") + 2
        return None
    facts = extract(parsed.tree, "bot.py", parsed.lines)
    hold_together(facts)
    assert pickle.loads(pickle.dumps(facts)) == facts
    return facts


def hold_together(facts: FileFacts) -> None:
    blocks, calls = facts.blocks, facts.calls
    for number, block in enumerate(blocks):
        assert block.number == number
        assert -1 <= block.parent < max(number, 1)
        assert -1 <= block.function < len(facts.functions)
        assert 0 < block.line <= block.end_line <= facts.lines or not facts.lines
    for number, call in enumerate(calls):
        assert call.number == number
        assert call.owner == -1 or number < call.owner < len(calls)
    for table in (facts.functions, facts.classes):
        assert [row.number for row in table] == list(range(len(table)))
    for fact in everything(facts):
        if isinstance(fact, Value):
            assert all(int(number) < len(calls) for number in re.findall(r"@(\d+)", fact.ref))
            assert -1 <= fact.block < len(blocks)
        elif not isinstance(fact, Block):
            assert 0 <= getattr(fact, "block", 0) < len(blocks)
            assert 0 <= getattr(fact, "order", 0) <= len(calls)


def everything(fact: Any) -> Iterator[Any]:
    waiting = [fact]
    while waiting:
        fact = waiting.pop()
        if isinstance(fact, tuple):
            waiting.extend(fact)
            if hasattr(fact, "_fields"):
                yield fact


@quick
@given(st.binary(max_size=300))
def test_random_bytes(data: bytes) -> None:
    facts_of(data)


@quick
@given(st.text(max_size=200), st.sampled_from(["utf-8", "utf-8-sig", "utf-16", "latin-1", "utf-7"]))
def test_random_text_in_odd_encodings(text: str, encoding: str) -> None:
    facts_of(f"# coding: {encoding}\n{text}".encode(encoding, "replace"))


NAMES = st.sampled_from(["a", "self", "é", "print", "_", "日本"])
LEAVES = NAMES | st.sampled_from(
    [
        "1", "-1", "0.0", "1e999", "1j", "None", "True", "...", "b'x'", "'%s'", "''", "(yield)",
        "()", "[]", "{}", "f'{a!r:>{b}}'", "'\\ud800'", "0x" + "f" * 5_000,
    ]
)  # fmt: skip
SHAPES = [
    "{0}.x", "{0}[{1}]", "{0}[{1}:{2}]", "{0}[1:, ...]", "{0}({1})", "{0}(*{1}, k={2}, **{3})",
    "({0} + {1})", "({0} < {1} in {2})", "({0} and {1})", "(not {0})", "({0} if {1} else {2})",
    "(lambda a={0}, *b, c={1}, **d: {2})", "[{0}, *{1}]", "{{{0}: {1}, **{2}}}", "{{{0}, {1}}}",
    "[{0} for a in {1} if {2}]", "{{{0}: {1} for a, *b in {2}}}", "({0} async for a in {1})",
    "(await {0})", "(a := {0})", "f'{{{0}}}'", "({0}, {1})", "(yield from {0})",
]  # fmt: skip
EXPRESSIONS = st.recursive(
    LEAVES,
    lambda inner: st.tuples(st.sampled_from(SHAPES), st.lists(inner, min_size=4, max_size=4)).map(
        lambda pair: pair[0].format(*pair[1])
    ),
    max_leaves=20,
)
STATEMENTS = [
    "{0}", "a = b.c = {0}", "a, (*b, c[{0}]) = {1}", "a: '{2}' = {0}", "a: list[{0}]", "a += {0}",
    "del a, b[{0}]", "return {0}", "raise {0} from {1}", "assert {0}, {1}", "global a", "pass",
    "import a.b, c as d", "from . import *", "from ..a import b as c", "break", "continue",
    "if {0}:\n{body}elif {1}:\n{body}else:\n{body}", "while {0}:\n{body}else:\n{body}",
    "for a, b.c in {0}:\n{body}", "async for a[{0}] in {1}:\n{body}",
    "with {0} as a, {1}:\n{body}", "async with {0} as (a, b):\n{body}",
    "try:\n{body}except {0} as a:\n{body}else:\n{body}finally:\n{body}",
    "try:\n{body}except* {0}:\n{body}", "class a({0}, metaclass={1}):\n{body}",
    "@{0}\ndef a(a, /, b: {1} = {2}, *c, d={0}, **e) -> {1}:\n{body}", "async def a():\n{body}",
    "match {0}:\n case [a, *b] | {{'x': a, **b}} if {1}:\n{body} case a(b=_):\n{body}",
]  # fmt: skip


def indented(text: str) -> str:
    return "".join(f"  {line}\n" for line in text.split("\n"))


PROGRAMS = st.recursive(
    st.just("pass"),
    lambda body: st.lists(
        st.tuples(
            st.sampled_from(STATEMENTS),
            st.lists(EXPRESSIONS, min_size=3, max_size=3),
            body.map(indented),
        ).map(lambda parts: parts[0].format(*parts[1], body=parts[2])),
        min_size=1,
        max_size=3,
    ).map("\n".join),
    max_leaves=6,
)


@quick
@given(PROGRAMS)
def test_random_programs(program: str) -> None:
    facts_of(program.encode("utf-8", "surrogatepass"))


LINES = st.sampled_from([b"\n", b"\r\n", b"\r", b"\n\f", b"\n\t", b"\\\n"])
JUNK = st.sampled_from([b"\0", b"\xff", b"(", b")", b'"""', b"\xef\xbb\xbf", b"    ", b"\x0c", b""])


@quick
@given(st.data())
def test_mutilated_real_code(data: st.DataObject) -> None:
    text = data.draw(st.sampled_from(SOURCES))
    lines = text.split(b"\n")
    at = data.draw(st.integers(0, len(lines) - 1))
    kind = data.draw(st.sampled_from(["drop", "cut", "swap", "junk", "lines", "twice"]))
    if kind == "drop":
        del lines[at : at + data.draw(st.integers(1, 9))]
    elif kind == "cut":
        lines[at:] = [lines[at][: data.draw(st.integers(0, 40))]]
    elif kind == "swap":
        words = lines[at].split(b" ")
        lines[at] = b" ".join(data.draw(st.permutations(words)))
    elif kind == "junk":
        column = data.draw(st.integers(0, len(lines[at])))
        lines[at] = lines[at][:column] + data.draw(JUNK) + lines[at][column:]
    elif kind == "twice":
        lines[at:at] = lines[at // 2 : at]
    facts_of((data.draw(LINES) if kind == "lines" else b"\n").join(lines))


@pytest.fixture
def deep_stack() -> Iterator[None]:
    """The engine's: deep enough for real code."""
    depth = sys.getrecursionlimit()
    sys.setrecursionlimit(5_000)
    yield
    sys.setrecursionlimit(depth)


DEEP = {
    "brackets": "(" * 10_000 + ")" * 10_000,
    "some brackets": "x = " + "(" * 190 + "a" + ")" * 190,
    "minus": "x = " + "-" * 50_000 + "1",
    "not": "x = " + "not " * 3_000 + "a",
    "sum": "x = " + " + ".join(["f(a)"] * 5_000),
    "powers": "x = " + " ** ".join(["a"] * 2_000),
    "calls": "x = f" + ".g(a)" * 1_500,
    "subscripts": "x = a" + "[b]" * 1_500,
    "attributes": "x = a" + ".b" * 2_000,
    "comparisons": "x = a" + " in b" * 5_000,
    "and": "x = " + " and ".join(["f(a)"] * 5_000),
    "conditionals": "x = " + "a if b else " * 1_500 + "c",
    "lambdas": "x = " + "lambda: " * 1_500 + "a",
    "annotation": "x: " + " | ".join(["a.B"] * 2_000),
    "text annotation": "x: '" + "(" * 5_000 + "'",
    "elifs": "if a: pass\n" + "elif f(b): pass\n" * 2_000,
    "ifs": "".join(" " * i + "if a:\n" for i in range(2_000)) + " " * 2_000 + "pass",
    "loops": "".join(" " * i + "for a in b:\n" for i in range(90)) + " " * 90 + "f(a)",
    "functions": "".join(" " * i + f"def f{i}(a):\n" for i in range(90)) + " " * 90 + "return f0",
    "decorators": "@f(a)\n" * 5_000 + "def g(): pass",
    "with": "with " + ", ".join(["f() as a"] * 5_000) + ": pass",
    "targets": " = ".join(["a[b]"] * 5_000) + " = c",
    "arguments": "f(" + "g(a), " * 5_000 + ")",
    "dict": "x = {" + "".join(f"'k{i}': f{i}(a{i})," for i in range(5_000)) + "}",
    "text": "x = '" + "a" * 1_000_000 + "'",
    "long line": "x = [" + "f(a)," * 20_000 + "]",
    "blank lines": "\n" * 1_000_000 + "f(a)",
}


@pytest.mark.usefixtures("deep_stack")
@pytest.mark.parametrize("source", DEEP.values(), ids=DEEP)
def test_deep_and_long(source: str) -> None:
    parsed = parse(source.encode())
    if isinstance(parsed, Unreadable):
        return
    try:
        facts = extract(parsed.tree, "bot.py", parsed.lines)
    except RecursionError:
        return  # the documented one, which the engine turns into a reason
    hold_together(facts)
    assert pickle.loads(pickle.dumps(facts)) == facts


@pytest.mark.usefixtures("deep_stack")
@pytest.mark.parametrize("link", ["a if b else ", "not ", "-", "lambda: ", "b ** ", "await "])
def test_what_can_be_extracted_can_travel(link: str) -> None:
    for length in range(200, 3_000, 200):
        parsed = parse(f"x = {link * length}a".encode())
        if isinstance(parsed, Unreadable):
            break
        try:
            facts = extract(parsed.tree, "bot.py", parsed.lines)
        except RecursionError:
            break
        assert pickle.loads(pickle.dumps(facts)) == facts


def test_nothing_of_the_scanned_code_runs(tmp_path: Path) -> None:
    witness = tmp_path / "ran"
    source = f"""
import {"perfscan_is_scanning_this"}
open({str(witness)!r}, "w")
class A(metaclass=open({str(witness)!r}, "w")): x: "open({str(witness)!r}, 'w')" = 1
def f(a: open({str(witness)!r}, "w") = open({str(witness)!r}, "w")): ...
"""
    before = set(sys.modules)
    facts = facts_of(source.encode())
    assert facts is not None
    assert "open" in {call.func for call in facts.calls}
    assert not witness.exists()
    assert set(sys.modules) == before


def test_facts_of_calls_are_complete() -> None:
    (call,) = (facts_of(b"f(a)") or pytest.fail("is valid")).calls
    assert call == Call(0, 0, "f", call.args, (), call.span, "statement", -1, False, ("f", "a"))
