"""A scan as JUnit XML: one failing case a finding, in one suite a file."""

from __future__ import annotations

import re
import xml.etree.ElementTree as ET
from itertools import groupby

from perfscan.analyzers.model import Analysis, FileError, Finding

_FORBIDDEN = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
"""What XML 1.0 cannot hold, not even escaped."""


def render(analysis: Analysis) -> str:
    """Return the document, newline included; a clean scan is one passing case.

    File and line stand in names and texts: the schema has no attributes for them.
    """
    suites = ET.Element("testsuites", name="perfscan analyze")
    for path, findings in groupby(analysis.findings, key=lambda finding: finding.path):
        _suite(suites, path, list(findings))
    unreadable = [error for error in analysis.errors if error.named]
    if unreadable:
        _errors(suites, unreadable)
    if not analysis.findings and not unreadable:
        suite = _open(suites, "perfscan analyze", tests=1)
        ET.SubElement(suite, "testcase", name="No findings", classname="perfscan")
    ET.indent(suites)
    head = '<?xml version="1.0" encoding="UTF-8"?>\n'
    return head + ET.tostring(suites, encoding="unicode") + "\n"


def _open(
    parent: ET.Element, name: str, tests: int, failures: int = 0, errors: int = 0
) -> ET.Element:
    counts = {"tests": str(tests), "failures": str(failures), "errors": str(errors)}
    return ET.SubElement(parent, "testsuite", {"name": _clean(name), **counts})


def _suite(parent: ET.Element, path: str, findings: list[Finding]) -> None:
    suite = _open(parent, path, len(findings), failures=len(findings))
    for finding in findings:
        place = f"{finding.path}:{finding.span.line}:{finding.span.column}"
        case = ET.SubElement(
            suite,
            "testcase",
            name=f"{finding.rule} {finding.name} at line {finding.span.line}",
            classname=_clean(finding.path),
        )
        failure = ET.SubElement(
            case, "failure", type=str(finding.severity), message=_clean(finding.message)
        )
        failure.text = _clean(f"{place}: {finding.message}\n{finding.fix}\n")


def _errors(parent: ET.Element, unreadable: list[FileError]) -> None:
    suite = _open(parent, "files that cannot be scanned", len(unreadable), errors=len(unreadable))
    for error in unreadable:
        case = ET.SubElement(suite, "testcase", name=_clean(error.path), classname="perfscan")
        ET.SubElement(case, "error", type="unreadable", message=_clean(error.message))


def _clean(text: str) -> str:
    return _FORBIDDEN.sub(lambda match: f"\\u{ord(match[0]):04x}", text)
