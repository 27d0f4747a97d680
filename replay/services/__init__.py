"""Real services that a bot needs beside its upstreams: PostgreSQL, Redis, one module each.

Each is prepared once per bench: started, seeded as the scenario says, stopped, its data kept as a
template. Every run starts it on a copy of that template, inside the network of the bot, so that all
runs of both sides begin with equal data, and throws its data away.

A module offers ``VARIABLE`` (the environment variable that tells a bot its URL), ``PORT`` (where
it usually listens), ``start(place)``, ``seed_from(place, file)`` and ``keep(service, place)``.
"""

from __future__ import annotations

import shlex
import shutil
import subprocess
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from types import ModuleType
from typing import Protocol, cast

from perfscan.errors import InputError
from perfscan.replay.model import ServiceRule
from perfscan.replay.network import Network
from perfscan.replay.redirection import with_python
from perfscan.replay.services import postgresql, redis
from perfscan.replay.services.external import External, address_of
from perfscan.replay.services.service import Place, Service

__all__ = [
    "KINDS",
    "External",
    "Service",
    "Templates",
    "outside_ports",
    "prepare_services",
    "start_services",
]

Templates = Mapping[ServiceRule, Path]


class Kind(Protocol):
    """What a module of this package offers."""

    VARIABLE: str
    PORT: int

    def start(self, place: Place) -> Service:
        """Start it; raises InputError where it is not installed, NotMeasurableError else."""

    def seed_from(self, place: Place, file: Path) -> None:
        """Fill a running one; raises InputError."""

    def keep(self, service: Service, place: Place) -> None:
        """Stop it so that its data can be begun with."""


def _kind(module: ModuleType) -> Kind:
    return cast(Kind, module)


KINDS: Mapping[str, Kind] = {"postgresql": _kind(postgresql), "redis": _kind(redis)}
"""The services that a scenario may name."""


def prepare_services(
    rules: Sequence[ServiceRule],
    folder: Path,
    network: Network,
    *,
    environment: Mapping[str, str],
    home: Path,
    python: str,
) -> dict[ServiceRule, Path]:
    """Make the template of every different rule below ``folder``; external ones have none.

    A seed that is a command runs in ``home`` with ``environment`` and the service's URL, a Python
    one by ``python``. Raises InputError for a seed that fails, NotMeasurableError for a service
    that does not start.
    """
    templates: dict[ServiceRule, Path] = {}
    for rule in dict.fromkeys(rules):
        if rule.url:
            continue
        place = Place(folder / f"{rule.name}-{len(templates)}", network)
        place.folder.mkdir(parents=True)
        kind = KINDS[rule.name]
        service = kind.start(place)
        try:
            if rule.seed_file is not None:
                kind.seed_from(place, rule.seed_file)
            if rule.seed_command:
                known = {**environment, variable_of(rule): service.url}
                _run(network.command(with_python(rule.seed_command, python)), rule, known, home)
            kind.keep(service, place)
        finally:
            service.stop()
        templates[rule] = place.data
    return templates


def _run(
    command: Sequence[str], rule: ServiceRule, environment: Mapping[str, str], home: Path
) -> None:
    done = subprocess.run(
        command,
        cwd=home,
        env=dict(environment),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        check=False,
    )
    if done.returncode:
        said = done.stderr.strip().splitlines() or [f"exit status {done.returncode}"]
        raise InputError(
            f"the seed of {rule.name} fails: {said[-1]}",
            where=shlex.join(rule.seed_command),
            remedy="run it by hand with the same environment",
        )


def outside_ports(rules: Sequence[ServiceRule]) -> tuple[int, ...]:
    """Return the port of every service that is reached through a door of the network."""
    found = (address_of(rule.url, KINDS[rule.name].PORT) for rule in rules if rule.url)
    return tuple(address[1] for address in found if address is not None)


def start_services(
    rules: Sequence[ServiceRule],
    templates: Templates,
    folder: Path,
    network: Network,
    stack: ExitStack,
) -> dict[str, Service | External]:
    """Start what one run needs, by the variable that tells its URL; ``stack`` ends it all."""
    started: dict[str, Service | External] = {}
    doors = iter(network.doors)
    for rule in rules:
        kind = KINDS[rule.name]
        service: Service | External
        if rule.url:
            address = address_of(rule.url, kind.PORT)
            service = External(rule.name, rule.url, address, next(doors) if address else None)
        else:
            place = Place(folder / variable_of(rule).lower(), network)
            place.folder.mkdir(parents=True)
            stack.callback(shutil.rmtree, place.data, ignore_errors=True)
            shutil.copytree(templates[rule], place.data, symlinks=True)
            service = kind.start(place)
        stack.callback(service.stop)
        started[variable_of(rule)] = service
    return started


def variable_of(rule: ServiceRule) -> str:
    """Return the environment variable that tells a bot where the service is."""
    return rule.variable or KINDS[rule.name].VARIABLE
