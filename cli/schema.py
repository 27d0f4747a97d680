"""``perfscan schema``: the JSON schemas of perfscan's files, for editors and validators."""

from __future__ import annotations

from importlib.resources import files
from typing import Annotated

import typer

from perfscan.errors import InputError

SCHEMAS = {"scenario": ("perfscan.replay.scenario", "schema.json")}
"""Name to the package that holds the schema, and its file."""


def schema(
    name: Annotated[str, typer.Argument(help=f"One of: {', '.join(SCHEMAS)}.")],
) -> None:
    """Print the JSON schema of one kind of file.

    Example: perfscan schema scenario > scenario.schema.json
    """
    if name not in SCHEMAS:
        raise InputError(
            f"there is no schema {name!r}", remedy=f"the schemas are {', '.join(SCHEMAS)}"
        )
    package, file = SCHEMAS[name]
    *parents, folder = package.split(".")
    typer.echo((files(".".join(parents)) / folder / file).read_text("utf-8"), nl=False)
