from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from perfscan.replay import json_text


@pytest.mark.parametrize(
    ("text", "path", "before", "after"),
    [
        ('{"id": 1, "result": 1.10}', ("id",), '{"id": ', ', "result": 1.10}'),
        ('{"result": {"id": 1}, "id": 1}', ("id",), '{"result": {"id": 1}, "id": ', "}"),
        ('{"a": "\\"id\\": 1", "id":"x"}', ("id",), '{"a": "\\"id\\": 1", "id":', "}"),
        (
            '{"p":{"subscription":7,"x":1}}',
            ("p", "subscription"),
            '{"p":{"subscription":',
            ',"x":1}}',
        ),
    ],
)
def test_text_is_cut_around_the_right_value(
    text: str, path: tuple[str, ...], before: str, after: str
) -> None:
    assert json_text.around(text, path) == (before, after)


@pytest.mark.parametrize("text", ["[1]", "{}", '{"x":{"id":1}}', "no json", "", '"id": 1'])
def test_there_may_be_no_such_value(text: str) -> None:
    assert json_text.around(text, ("id",)) is None


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(["id", "a", '"id":']) | st.text(), inner, max_size=3)
    ),
    max_leaves=8,
)


@given(st.dictionaries(st.sampled_from(["id", "a", "b"]), JSON, min_size=1), JSON)
def test_only_the_value_is_replaced(value: dict[str, object], new: object) -> None:
    cut = json_text.around(json.dumps(value), ("id",))
    if "id" not in value:
        assert cut is None
        return
    assert cut is not None
    assert json.loads(cut[0] + json.dumps(new) + cut[1]) == {**value, "id": new}


@given(st.lists(JSON, max_size=4), st.sampled_from([None, 1]))
def test_elements_of_an_array(values: list[object], indent: int | None) -> None:
    texts = json_text.elements(json.dumps(values, indent=indent))
    assert [json.loads(text) for text in texts] == values


@pytest.mark.parametrize("text", ["{}", "[1", "x"])
def test_other_text_has_no_elements(text: str) -> None:
    with pytest.raises(ValueError, match=r".+"):
        json_text.elements(text)


@pytest.mark.parametrize("levels", [65, 150, 985, 100_000])
def test_what_is_nested_too_deep_is_no_json(levels: int) -> None:
    for opening, closing in (("[", "]"), ('{"a":', "}")):
        assert json_text.json_of(opening * levels + "1" + closing * levels) is None
    assert json_text.json_of("[" * 64 + "]" * 64) is not None


def test_no_nesting_breaks_the_search_for_a_value() -> None:
    deep = "[" * 100_000 + "]" * 100_000
    assert json_text.around(f'{{"id":1,"result":{deep}}}', ("id",)) is None
