import ast

from perfscan.analyzers.extraction import extract
from perfscan.analyzers.facts import FileFacts, Value
from perfscan.analyzers.sharing import Shared


def facts_of(source: str) -> FileFacts:
    return extract(ast.parse(source), "bot.py", source.count("\n"))


def test_what_occurs_twice_is_one_object() -> None:
    one, two = facts_of("a.b.c('x', k)\na.b.c('x', k)").calls
    assert one.names is two.names
    assert one.args[0] is two.args[0]
    assert one.args[1] is two.args[1]


def test_equal_constants_of_different_types_stay_apart() -> None:
    facts = facts_of("f(1, 1.0, True)\ndef g(a=1): pass\ndef h(a=True): pass")
    assert [type(value.const) for value in facts.calls[0].args] == [int, float, bool]
    defaults = [function.params[0].default for function in facts.functions]
    assert [default and type(default.const) for default in defaults] == [int, bool]


def test_one_spelling_may_read_different_names() -> None:
    facts = facts_of("f(a[i].x)\nf(a[j].x)\nf(a[i].x)")
    assert [call.args[0].names for call in facts.calls] == [("a", "i"), ("a", "j"), ("a", "i")]
    assert {call.args[0].ref for call in facts.calls} == {"a.[].x"}


def test_names_are_joined_once_each_in_order() -> None:
    shared = Shared()
    values = [Value("list", names=names) for names in [(), ("b", "a"), ("c",), ("a", "d")]]
    assert shared.names(values) == ("b", "a", "c", "d")
    assert shared.names(values * 5) == ("b", "a", "c", "d")
    assert shared.names([]) == ()
