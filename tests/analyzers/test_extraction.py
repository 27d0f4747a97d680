import ast
import textwrap

import pytest

from perfscan.analyzers.extraction import extract
from perfscan.analyzers.facts import Block, Call, FileFacts


def facts_of(source: str) -> FileFacts:
    text = textwrap.dedent(source)
    return extract(ast.parse(text), "module.py", text.count("\n"))


def call_named(facts: FileFacts, func: str) -> Call:
    return next(call for call in facts.calls if call.func == func)


def kinds_around(facts: FileFacts, block: int) -> list[str]:
    kinds = []
    while block >= 0:
        kinds.append(facts.blocks[block].kind)
        block = facts.blocks[block].parent
    return kinds


@pytest.mark.parametrize(
    ("source", "funcs"),
    [
        ("a.b.c()", ["a.b.c"]),
        ("a().b()", ["a", "@0.b"]),
        ("a[k].b()", ["a.[].b"]),
        ("a[1:].b()", ["a.b"]),
        ("'x'.join(y)", ["$str.join"]),
        ("f'{x}'.strip()", ["$str.strip"]),
        ("[1].copy()", ["$list.copy"]),
        ("(a or b).c()", ["?.c"]),
        ("f(g(h()))", ["h", "g", "f"]),
    ],
)
def test_what_is_called(source: str, funcs: list[str]) -> None:
    assert [call.func for call in facts_of(source).calls] == funcs


def test_await_is_transparent_but_noted() -> None:
    facts = facts_of(
        """
        async def f():
            x = (await a()).b()
            await c(d())
        """
    )
    assert {call.func: call.awaited for call in facts.calls} == {
        "a": True,
        "@0.b": False,
        "c": True,
        "d": False,
    }


@pytest.mark.parametrize(
    ("source", "use"),
    [
        ("f()", "statement"),
        ("x = f()", "assigned"),
        ("g(f())", "argument"),
        ("f().g", "receiver"),
        ("[f()]", "element"),
        ("if f(): pass", "test"),
        ("for x in f(): pass", "iterated"),
        ("with f(): pass", "with"),
        ("@f()\ndef g(): pass", "decorator"),
        ("def g(): return f()", "returned"),
        ("def g(): yield f()", "yielded"),
    ],
)
def test_what_becomes_of_a_call(source: str, use: str) -> None:
    assert call_named(facts_of(source), "f").use == use


def test_the_owner_of_an_argument_is_the_call_that_takes_it() -> None:
    facts = facts_of("outer(*[inner(x) for x in xs], key=other(deep()))")
    owners = {
        call.func: facts.calls[call.owner].func if call.owner >= 0 else "" for call in facts.calls
    }
    assert owners == {"outer": "", "inner": "outer", "other": "outer", "deep": "other"}


def test_a_lambda_hides_its_body_from_the_call_around() -> None:
    assert call_named(facts_of("outer(lambda: inner())"), "inner").owner == -1


def test_the_iterable_is_outside_the_loop_and_the_condition_inside() -> None:
    facts = facts_of(
        """
        for x in once():
            often()
        while again():
            pass
        """
    )
    assert "for" not in kinds_around(facts, call_named(facts, "once").block)
    assert "for" in kinds_around(facts, call_named(facts, "often").block)
    assert "while" in kinds_around(facts, call_named(facts, "again").block)


def test_the_else_of_a_loop_runs_once() -> None:
    facts = facts_of("for x in y:\n    pass\nelse:\n    once()")
    assert "for" not in kinds_around(facts, call_named(facts, "once").block)


def test_try_parts_are_told_apart() -> None:
    facts = facts_of(
        """
        try:
            work()
        except ValueError as error:
            rescue()
        else:
            go_on()
        finally:
            clean()
        """
    )
    innermost = {c.func: facts.blocks[c.block].kind for c in facts.calls}
    assert innermost == {"work": "try", "rescue": "except", "go_on": "module", "clean": "finally"}


@pytest.mark.parametrize(
    ("source", "target", "op"),
    [
        ("x = 1", "x", "="),
        ("self.a.b = 1", "self.a.b", "="),
        ("d[k] = 1", "d.[]", "="),
        ("x += 1", "x", "Add="),
        ("x: int", "x", ":"),
        ("x: int = 1", "x", "="),
        ("for x in y: pass", "x", "for"),
        ("with f() as x: pass", "x", "with"),
        ("if (x := 1): pass", "x", ":="),
        ("del d[k]", "d.[]", "del"),
        ("[a for x in y]", "x", "for"),
    ],
)
def test_bindings(source: str, target: str, op: str) -> None:
    (assign,) = facts_of(source).assigns
    assert (assign.target, assign.op) == (target, op)


def test_tuples_are_bound_name_by_name() -> None:
    facts = facts_of("a, (b, *c) = first(), second()")
    assert [assign.target for assign in facts.assigns] == ["a", "b", "c"]
    assert facts.assigns[0].value.ref == "@0"


def test_what_only_the_linker_can_unpack_is_numbered() -> None:
    (key, value) = facts_of("for key, value in table.items(): pass").assigns
    assert [(a.value.kind, a.value.const) for a in (key, value)] == [("part", 0), ("part", 1)]
    assert key.value.items[0].kind == "element"


def test_what_follows_a_star_has_no_number() -> None:
    facts = facts_of("first, *rest, last = row")
    assert [assign.value.kind for assign in facts.assigns] == ["part", "list", "other"]


def test_functions_know_where_they_stand() -> None:
    facts = facts_of(
        """
        class Bot:
            async def run(self):
                def helper(): pass
                return lambda: 1
        """
    )
    names = {f.qualname: (f.owner, f.parent, f.is_async) for f in facts.functions}
    assert names == {
        "Bot.run": (0, -1, True),
        "Bot.run.helper": (-1, 0, False),
        "Bot.run.<lambda>": (-1, 0, False),
    }


def test_only_its_own_yield_makes_a_generator() -> None:
    facts = facts_of("def f():\n    def g():\n        yield 1\n    return g")
    assert {f.name: f.is_generator for f in facts.functions} == {"f": False, "g": True}


def test_long_code_needs_no_deep_stack() -> None:
    chain = "if a: pass\n" + "".join(f"elif a == {i}: f()\n" for i in range(2_000))
    assert len(facts_of(chain).calls) == 2_000
    assert len(facts_of("x = " + " + ".join(["f()"] * 900)).calls) == 900


def test_reads_are_attributes_that_are_not_called() -> None:
    facts = facts_of("a.b.c\na.d()\nself.x\nself.w.y")
    assert [read.ref for read in facts.reads] == ["a.b.c", "self.x", "self.w.y"]


def test_subscripts_are_read_with_their_key() -> None:
    facts = facts_of("y = df.iloc[i]\nz = rows[1:]\nd[k] = f()[0]")
    assert [(s.ref, s.key.kind, s.key.ref) for s in facts.subscripts] == [
        ("df.iloc", "ref", "i"),
        ("rows", "other", ":"),
        ("@0", "const", ""),
    ]


def test_comparisons_for_equality_are_taken_apart() -> None:
    facts = facts_of("[x for x in xs if x.id not in seen]\na == b in c\na < b\na is None")
    assert [(c.op, c.left.ref, c.right.ref) for c in facts.comparisons] == [
        ("NotIn", "x.id", "seen"),
        ("Eq", "a", "b"),
        ("In", "b", "c"),
    ]
    assert facts.blocks[facts.comparisons[0].block].kind == "comp"


def test_dicts_keep_their_keys() -> None:
    options = facts_of("x = {'rate': True, **more}").assigns[0].value
    assert [(key.kind, key.const) for key in options.keys] == [("const", "rate"), ("star", None)]
    assert [item.ref for item in options.items] == ["", "more"]


@pytest.mark.parametrize(
    ("source", "made"),
    [
        ("[a for a in b]", "list"),
        ("{a for a in b}", "set"),
        ("{a: 1 for a in b}", "dict"),
        ("(a for a in b)", "generator"),
    ],
)
def test_comprehensions_say_what_they_make(source: str, made: str) -> None:
    value = facts_of(f"x = {source}").assigns[-1].value
    assert (value.kind, value.ref) == ("comp", made)
    assert [key.ref for key in value.keys] == (["a"] if made == "dict" else [])


def test_blocks_are_numbered_in_order_and_nested() -> None:
    blocks = facts_of("def f():\n    if a:\n        with b: pass\n    else:\n        pass").blocks
    assert all(isinstance(block, Block) and block.number == i for i, block in enumerate(blocks))
    assert [block.kind for block in blocks] == ["module", "function", "if", "with", "else"]
    assert [block.parent for block in blocks] == [-1, 0, 1, 2, 1]
