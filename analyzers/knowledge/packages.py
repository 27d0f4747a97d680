"""What is known of distributions, by the names that requirement files use."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from perfscan.analyzers.plain_data import Node
from perfscan.errors import InputError

_SEPARATORS = re.compile(r"[-_.]+")
_FIELDS = ("name", "imports", "sibling", "megabytes", "needed_by")


@dataclass(frozen=True, slots=True)
class Package:
    """One distribution."""

    name: str
    """Normalised."""
    imports: tuple[str, ...]
    sibling: str
    """What does the same asynchronously, "" when it has an asynchronous half itself."""
    megabytes: int
    """What it takes on disk with what it brings along, 0 for a light one."""
    needed_by: frozenset[str]
    """Packages that use it behind the scenes."""


def normalised(name: str) -> str:
    """Return the name of a distribution as the index compares it: ``Foo_Bar`` is ``foo-bar``."""
    return _SEPARATORS.sub("-", name).lower()


@cache
def known_packages() -> Mapping[str, Package]:
    """Return the distributions of ``packages.yaml`` by normalised name. Raises InputError."""
    import yaml

    file = Path(__file__).parent / "packages.yaml"
    try:
        document = yaml.safe_load(file.read_text("utf-8"))
    except yaml.YAMLError as error:
        raise InputError("is not valid YAML", where=str(file)) from error
    rows = Node(document, file.name).mapping(("packages",))["packages"].items()
    packages = [_package(row) for row in rows]
    return {package.name: package for package in packages}


def _package(row: Node) -> Package:
    fields = row.mapping(_FIELDS)
    megabytes = fields["megabytes"].value if "megabytes" in fields else 0
    if not isinstance(megabytes, int):
        raise fields["megabytes"].fail("expected a number")
    return Package(
        normalised(fields["name"].text()),
        fields["imports"].strings(),
        fields["sibling"].text() if "sibling" in fields else "",
        megabytes,
        frozenset(fields["needed_by"].strings()) if "needed_by" in fields else frozenset(),
    )
