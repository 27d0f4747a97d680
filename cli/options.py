"""Options that several commands share."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

QUICK_PAIRS, PAIRS = 6, 12
"""How many pairs are run with ``--quick``, and without."""

Report = Annotated[Path | None, typer.Option(help="Also write the Markdown report to this file.")]
AsJson = Annotated[
    bool, typer.Option("--json", help="Print the result file instead of the summary.")
]
Inconclusive = Annotated[
    str | None,
    typer.Option(help="'pass' or 'fail': the exit code where nothing could be decided."),
]
Faults = Annotated[
    list[str] | None,
    typer.Option(
        "--fault",
        metavar="SPEC",
        help="What goes wrong on purpose, such as loss=5% or latency=2s@HOST; repeatable.",
        show_default=False,
    ),
]
