"""Options that several commands share."""

from __future__ import annotations

from typing import Annotated

import typer

QUICK_PAIRS, PAIRS = 6, 12
"""How many pairs are run with ``--quick``, and without."""

Faults = Annotated[
    list[str] | None,
    typer.Option(
        "--fault",
        metavar="SPEC",
        help="What goes wrong on purpose, such as loss=5% or latency=2s@HOST; repeatable.",
        show_default=False,
    ),
]
