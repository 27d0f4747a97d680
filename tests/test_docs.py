"""The documents say what is true."""

from __future__ import annotations

import re
import runpy
from pathlib import Path
from typing import get_args

from perfscan.cli.main import execute
from perfscan.replay.faults import read_faults
from perfscan.replay.model import FaultKind

ROOT = Path(__file__).resolve().parent.parent
README = (ROOT / "README.md").read_text("utf-8")


def test_the_readme_lists_every_rule() -> None:
    tool = runpy.run_path(str(ROOT / "tools" / "rule_docs.py"))
    assert tool["with_table"](README) == README, "run: make docs"
    assert tool["MANUAL"].read_text("utf-8") == tool["manual"](), "run: make docs"


def test_the_judged_samples_are_shown() -> None:
    tool = runpy.run_path(str(ROOT / "tools" / "precision_docs.py"))
    text = tool["PAGE"].read_text("utf-8")
    assert tool["page"](text) == text, "run: make docs"


def test_the_manual_of_scenarios_is_shown() -> None:
    tool = runpy.run_path(str(ROOT / "tools" / "scenario_docs.py"))
    assert tool["PAGE"].read_text("utf-8") == tool["page"](), "run: make docs"


def test_every_command_of_the_documents_exists() -> None:
    pages = [README, *(page.read_text("utf-8") for page in sorted((ROOT / "docs").glob("*.md")))]
    named = set(re.findall(r"perfscan ((?:bench|traffic|report) \w+|[a-z]+)\b", "\n".join(pages)))
    commands = {name for name in named if name.split()[0] in KNOWN}
    assert {"analyze", "bench replay", "record", "traffic show", "report build"} <= commands
    for name in commands:
        assert execute([*name.split(), "--help"]) == 0, name


KNOWN = {"analyze", "rules", "record", "traffic", "bench", "report", "demo", "init", "schema"}


def test_every_fault_is_explained_and_every_example_can_be_used() -> None:
    page = (ROOT / "docs" / "faults.md").read_text("utf-8")
    rows = re.findall(r"^\| `([^`]+)` \|", page, re.MULTILINE)
    explained = read_faults(spec.replace("HOST", "api.example.com") for spec in rows)
    assert {fault.kind for fault in explained} == set(get_args(FaultKind))


def test_links_lead_somewhere() -> None:
    for page in (ROOT / "README.md", *(ROOT / "docs").glob("*.md")):
        for target in re.findall(r"\]\(([^)#:]+)\)", page.read_text("utf-8")):
            assert (page.parent / target).exists(), f"{page.name}: {target}"
