"""Write docs/scenario.md from the manual of scenario files: the docstring of their reader."""

from __future__ import annotations

import textwrap
from collections.abc import Iterable
from itertools import groupby
from pathlib import Path

from perfscan.replay import scenario

PAGE = Path(__file__).resolve().parent.parent / "docs" / "scenario.md"
HEAD = """\
# Scenario files

<!-- Written by make docs from replay/scenario/__init__.py. -->

`perfscan init --recording FILE` begins one and guesses what an item is. `perfscan schema scenario`
prints the JSON schema for editors.

"""


def page() -> str:
    """Return the page: paragraphs as they are, examples as YAML."""
    blocks = (scenario.__doc__ or "").strip().split("\n\n")
    parts = []
    for is_example, group in groupby(blocks, key=lambda block: block.startswith(" ")):
        if is_example:
            parts.append(f"```yaml\n{textwrap.dedent(_joined(group))}\n```")
        else:
            parts += [_paragraph(block) for block in group]
    return HEAD + "\n\n".join(parts) + "\n"


def _joined(blocks: Iterable[str]) -> str:
    return "\n\n".join(blocks)


def _paragraph(block: str) -> str:
    text = " ".join(block.split()).replace("``", "`")
    return f"{text.removesuffix('::')}:" if text.endswith("::") else text


def main() -> None:
    """Write the page."""
    PAGE.write_text(page(), "utf-8")


if __name__ == "__main__":
    main()
