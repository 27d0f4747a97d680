"""Options that several commands share."""

from __future__ import annotations

from typing import Annotated

import typer

Faults = Annotated[
    list[str] | None,
    typer.Option(
        "--fault",
        metavar="SPEC",
        help="What goes wrong on purpose, such as loss=5% or latency=2s@HOST; repeatable.",
        show_default=False,
    ),
]
