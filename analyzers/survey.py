"""Surveys: questions about the whole program that are put to each file on its own.

A rule that must know something of every file (all that is ever shrunk, all getters) never walks
over ``program.files``: that would load a million lines into each worker, and again for each
change. It asks a survey::

    @survey(_merge)
    def shrunk(where: Where) -> tuple[str, ...]:
        ...one file's part, picklable...

    shrunk(where)

``_merge`` gets the parts of all files, in order, and returns the answer: preferably a dict or a
set (rules see a ``Mapping``), of which only the rows that are looked up count when a file changes.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Generic, TypeVar, cast

from perfscan.analyzers.tracing import WHOLE

if TYPE_CHECKING:
    from perfscan.analyzers.context import Where
    from perfscan.analyzers.tracing import TracedTable

_Answer = TypeVar("_Answer")

_surveys: dict[str, Survey[Any]] = {}


@dataclass(frozen=True)
class Survey(Generic[_Answer]):
    """One question: what each file says, and what that comes to."""

    name: str
    ask: Callable[[Where], Any]
    merge: Callable[[Sequence[Any]], _Answer]

    def __call__(self, where: Where) -> _Answer:
        """Return what all files together say."""
        return where.program.survey(self)

    def rows(self, parts: Sequence[Any]) -> dict[Any, Any]:
        """Return the answer as the rows of a table."""
        answer = self.merge(parts)
        if isinstance(answer, dict):
            return answer
        if isinstance(answer, set | frozenset):
            return dict.fromkeys(answer, True)
        return {WHOLE: answer}

    def answer(self, table: TracedTable[Any, Any]) -> _Answer:
        """Return the answer that the rows of a table stand for."""
        return cast(_Answer, table[WHOLE] if WHOLE in table.rows else table)


def survey(
    merge: Callable[[Sequence[Any]], _Answer],
) -> Callable[[Callable[[Where], Any]], Survey[_Answer]]:
    """Make the decorated function a survey."""

    def register(ask: Callable[[Where], Any]) -> Survey[_Answer]:
        made = Survey(f"{ask.__module__}.{ask.__qualname__}", ask, merge)
        _surveys[made.name] = made
        return made

    return register


def all_surveys() -> tuple[Survey[Any], ...]:
    """Return every survey of the modules that were imported, ordered by name."""
    return tuple([_surveys[name] for name in sorted(_surveys)])
