from __future__ import annotations

import re

import cmarkgfm
import pytest
from cmarkgfm.cmark import Options

from perfscan.reports.table import code, escape, fenced, markdown_table, plain_table, wrapped

HOSTILE = [
    "a|b",
    r"a\|b",
    "`code` and ``more``",
    "`",
    "*bold* _em_ ~~gone~~",
    "<img src=x onerror=alert(1)>",
    "<!-- comment",
    "[link](https://evil.test)",
    "![image](x)",
    "&lt;b&gt; &amp;",
    "$x$",
    "::error::boom",
    "snake_case_name",
    "trailing \\",
]


def html(markdown: str) -> str:
    return str(cmarkgfm.github_flavored_markdown_to_html(markdown, Options.CMARK_OPT_UNSAFE))


def shown(markdown: str) -> list[str]:
    """The text of each cell of a rendered table."""
    cells = re.findall(r"<t[hd](?: [^>]*)?>(.*?)</t[hd]>", html(markdown), re.S)
    entities = {"&lt;": "<", "&gt;": ">", "&quot;": '"', "&amp;": "&", "\u200b": ""}
    for number, cell in enumerate(cells):
        cells[number] = re.sub(r"</?code>", "", cell)
        for entity, char in entities.items():
            cells[number] = cells[number].replace(entity, char)
    return cells


@pytest.mark.parametrize("text", HOSTILE)
def test_text_of_others_is_shown_as_it_is(text: str) -> None:
    table = markdown_table(("A", "B"), ("left", "right"), [(escape(text), "end")])

    assert shown(table) == ["A", "B", text, "end"]
    assert "<img" not in html(table)
    assert "<a " not in html(table)


@pytest.mark.parametrize("text", [text for text in HOSTILE if "\\" not in text])
def test_code_of_others_is_shown_as_it_is(text: str) -> None:
    table = markdown_table(("A", "B"), ("left", "right"), [(code(text), "end")])

    assert shown(table) == ["A", "B", text, "end"]


def test_nobody_is_mentioned_and_nothing_is_linked() -> None:
    assert "@you" not in escape("thanks @you")
    assert "#12" not in escape("fixes #12")
    assert "://" not in escape("see https://evil.test")
    assert escape("a@ b") == "a@ b"
    assert escape("snake_case 5-10") == "snake_case 5-10", "what needs no care stays readable"


def test_control_characters_and_line_breaks_do_no_harm() -> None:
    assert escape("a\n\n# b\x1b[31m\u202e") == "a # b\\\\x1b\\[31m\\\\u202e"
    assert code("a\nb") == "`a b`"
    assert code("") == ""
    assert wrapped("a\x1b[0m\nb") == ["  a\\x1b[0m b"]


def test_fences_are_longer_than_what_they_hold() -> None:
    block = fenced("x\n````\ny", "text")

    assert block.splitlines()[0] == "`````text"
    assert html(block).count("<pre") == 1
    assert fenced("x") == "```\nx\n```"


def test_plain_tables_line_up() -> None:
    assert plain_table(("", "n"), ("left", "right"), [("ab", "1"), ("c", "23")]) == [
        "       n",
        "  ab   1",
        "  c   23",
    ]
