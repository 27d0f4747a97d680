from __future__ import annotations

import pytest

from perfscan.analyzers.registry import all_rules
from perfscan.analyzers.selection import choose
from perfscan.errors import InputError


@pytest.mark.parametrize("entry", ["PS102", "ps102", "blocking-sleep", "PS1", "PS"])
def test_rules_are_chosen_by_id_name_and_family(entry: str) -> None:
    assert "PS102" in {rule.id for rule in choose(all_rules(), [entry])}
    assert "PS102" not in {rule.id for rule in choose(all_rules(), [], [entry])}


def test_a_family_is_not_a_longer_number() -> None:
    chosen = {rule.id for rule in choose(all_rules(), ["PS1"])}
    everything = {rule.id for rule in all_rules()}
    assert chosen == {id for id in everything if len(id) == 5 and id.startswith("PS1")}


@pytest.mark.parametrize("entry", ["PS999", "", "P", "blocking", "ps102x"])
def test_a_selection_of_nothing_is_refused(entry: str) -> None:
    with pytest.raises(InputError):
        choose(all_rules(), [entry])


@pytest.mark.parametrize(
    ("entry", "remedy"),
    [
        ("PS6O1", "did you mean PS601"),
        ("blocking-slep", "did you mean PS102 (blocking-sleep)"),
        ("zzz", "see perfscan rules"),
    ],
)
def test_the_nearest_rule_is_named(entry: str, remedy: str) -> None:
    with pytest.raises(InputError, match=f"there is no rule {entry}") as caught:
        choose(all_rules(), [entry])
    assert (caught.value.remedy or "").startswith(remedy)
