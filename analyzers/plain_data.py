"""A place in data from a YAML or TOML file, read with checks, so that a mistake names its key."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Any, cast

from perfscan.errors import InputError


@dataclass(frozen=True, slots=True)
class Node:
    """A YAML value with the place to name in an error."""

    value: Any
    file: str
    path: str = ""

    def fail(self, what: str, remedy: str | None = None) -> InputError:
        """Return the error that names this place."""
        where = f"{self.file}: {self.path}" if self.path else self.file
        return InputError(what, where=where, remedy=remedy)

    def mapping(self, allowed: Iterable[str]) -> dict[str, Node]:
        """Return the fields; an unknown key is an error."""
        if not isinstance(self.value, Mapping):
            raise self.fail("expected a mapping")
        known = set(allowed)
        for key in self.value:
            if key not in known:
                close = get_close_matches(str(key), sorted(known), n=1)
                meant = f", did you mean {close[0]!r}?" if close else ""
                raise self.fail(
                    f"unknown key {key!r}{meant}", f"use one of {', '.join(sorted(known))}"
                )
        return self.children()

    def children(self) -> dict[str, Node]:
        """Return the fields of a mapping with free keys."""
        if not isinstance(self.value, Mapping):
            raise self.fail("expected a mapping")
        return {str(key): self.at(f".{key}", value) for key, value in self.value.items()}

    def items(self) -> list[Node]:
        """Return the elements of a list; nothing for null."""
        if self.value is None:
            return []
        if not isinstance(self.value, list):
            raise self.fail("expected a list")
        return [self.at(f"[{i}]", value) for i, value in enumerate(self.value)]

    def strings(self) -> tuple[str, ...]:
        """Return a list of strings; one string stands for a list of one."""
        if isinstance(self.value, str):
            return (self.value,)
        return tuple([item.text() for item in self.items()])

    def text(self) -> str:
        """Return a string."""
        if not isinstance(self.value, str) or not self.value.strip():
            raise self.fail("expected a text")
        return self.value

    def truth(self) -> bool:
        """Return a boolean."""
        if not isinstance(self.value, bool):
            raise self.fail("expected true or false")
        return self.value

    def count(self) -> int:
        """Return a whole number from 0."""
        if not isinstance(self.value, int) or isinstance(self.value, bool) or self.value < 0:
            raise self.fail("expected a whole number")
        return self.value

    def choice(self, choices: tuple[str, ...]) -> str:
        """Return one of ``choices``."""
        if self.value not in choices:
            raise self.fail(f"{self.value!r} is not known here", f"use {', '.join(choices)}")
        return cast(str, self.value)

    def at(self, step: str, value: Any) -> Node:
        """Return the node one step below."""
        return Node(value, self.file, (self.path + step).lstrip("."))
