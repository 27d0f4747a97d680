"""Which rules an entry such as ``PS101``, ``blocking-sleep`` or ``PS1`` stands for."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from perfscan.analyzers.registry import Rule
from perfscan.errors import InputError

FAMILIES = {
    "PS1": "Blocking the event loop",
    "PS2": "Concurrency",
    "PS3": "Connections",
    "PS4": "WebSockets",
    "PS5": "Caching",
    "PS6": "Resilience",
    "PS7": "Loops and algorithms",
    "PS8": "pandas and NumPy",
    "PS9": "Databases",
    "PS10": "Memory",
    "PS11": "Computing on the event loop",
    "PS12": "Logging",
    "PS13": "Start-up and imports",
    "PS14": "Structure",
    "PS15": "Dependencies",
}
"""What the numbers stand for, without their last two digits."""


def family_of(rule: Rule) -> str:
    """Return the key of ``FAMILIES``: PS101 is of PS1, PS1001 of PS10."""
    return rule.id[:-2]


def choose(
    rules: Sequence[Rule], select: Collection[str], ignore: Collection[str] = ()
) -> tuple[Rule, ...]:
    """Return the rules that ``select`` stands for (all when empty) and ``ignore`` does not.

    An entry is an id, a name, or a family: ``PS1`` is every PS1xx rule. Raises InputError when
    an entry stands for no rule.
    """
    for entry in (*select, *ignore):
        if not any(stands_for(entry, rule) for rule in rules):
            raise InputError(f"there is no rule {entry}", remedy=nearest(entry, rules))
    return tuple(
        rule
        for rule in rules
        if (not select or any(stands_for(entry, rule) for entry in select))
        and not any(stands_for(entry, rule) for entry in ignore)
    )


def stands_for(entry: str, rule: Rule) -> bool:
    """Tell whether an entry means this rule; PS1 is PS1xx and not PS10xx."""
    wanted = entry.lower()
    return wanted in {rule.id.lower(), rule.name, family_of(rule).lower(), "ps"}


def nearest(entry: str, rules: Sequence[Rule]) -> str:
    """Return what the user may have meant by an entry that stands for no rule."""
    from difflib import get_close_matches

    names = {key.lower(): rule for rule in rules for key in (rule.name, rule.id)}
    close = get_close_matches(entry.lower(), sorted(names), n=1, cutoff=0.5)
    if not close:
        return "see perfscan rules"
    rule = names[close[0]]
    return f"did you mean {rule.id} ({rule.name})? see perfscan rules"
