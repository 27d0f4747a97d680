import re

import pytest

from perfscan.analyzers.registry import SECTIONS, Rule, all_rules, parse_manual

GOOD = """Report a thing.

    What it does:
        Looks.

    Why it costs a bot:
        It waits.

    Example:
        if x:
            y()

    Use instead:
        z()

    When it is fine:
        Never.
    """


def test_a_manual_is_taken_apart() -> None:
    manual = parse_manual(GOOD, "PS000")
    assert manual.summary == "Report a thing."
    assert (manual.what, manual.why, manual.fine) == ("Looks.", "It waits.", "Never.")
    assert (manual.bad, manual.good) == ("if x:\n    y()", "z()")


@pytest.mark.parametrize("section", SECTIONS)
def test_a_missing_section_is_named(section: str) -> None:
    with pytest.raises(ValueError, match=section):
        parse_manual(GOOD.replace(f"{section}:", ""), "PS000")


def test_ids_and_names_are_unique_and_ordered() -> None:
    rules = all_rules()
    numbers = [int(rule.id[2:]) for rule in rules]
    assert numbers == sorted(set(numbers))
    assert len({rule.name for rule in rules}) == len(rules)


@pytest.mark.parametrize("rule", all_rules(), ids=lambda rule: rule.id)
def test_rules_are_called_by_the_book(rule: Rule) -> None:
    assert re.fullmatch(r"PS\d{3,4}", rule.id)
    assert re.fullmatch(r"[a-z]+(-[a-z0-9]+)+", rule.name)
    assert rule.check.__module__.rpartition(".")[2] == rule.name.replace("-", "_")
