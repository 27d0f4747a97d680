"""The errors that perfscan raises on purpose, and what each means for the exit code."""

from __future__ import annotations


class PerfscanError(Exception):
    """A failure with one clear line for the user: what is wrong, where, and what to do.

    ``where`` is a path, ``path:line`` or ``path: yaml.key``; ``remedy`` is one imperative clause.
    The command line prints ``error: <where>: <what>`` and ``help: <remedy>``, never a traceback.
    """

    exit_code = 2

    def __init__(self, what: str, *, where: str | None = None, remedy: str | None = None) -> None:
        super().__init__(what)
        self.what = what
        self.where = where
        self.remedy = remedy

    def __str__(self) -> str:
        line = f"{self.where}: {self.what}" if self.where else self.what
        return f"{line} ({self.remedy})" if self.remedy else line


class InputError(PerfscanError):
    """The user's file, option or configuration cannot be used as it is (exit 2)."""


class MissingExtraError(InputError):
    """A command needs an optional dependency that is not installed (exit 2)."""

    def __init__(self, feature: str, extra: str) -> None:
        super().__init__(
            f"{feature} needs the optional {extra!r} dependencies",
            remedy=f"pip install 'perfscan[{extra}]'",
        )


class NotMeasurableError(PerfscanError):
    """A bot crashed, a service did not start, or too little came out to judge (exit 3)."""

    exit_code = 3
