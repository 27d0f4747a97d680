"""One run of one side: a fresh bot, server and services in a network of their own."""

from __future__ import annotations

import contextlib
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

from perfscan.errors import InputError
from perfscan.replay.beginning import Watched
from perfscan.replay.certificates import Authority
from perfscan.replay.driver.process import JOURNAL as DRIVER_JOURNAL
from perfscan.replay.driver.process import DriverProcess, inbound_ports
from perfscan.replay.ending import Progress, is_over, never_began, progress
from perfscan.replay.exchanges import exchanges
from perfscan.replay.metrics import expected_items, measure
from perfscan.replay.model import (
    Implementation,
    Observation,
    Recording,
    Run,
    Scenario,
    Side,
    StreamStart,
)
from perfscan.replay.network import Network, open_network
from perfscan.replay.placement import Placement, pin
from perfscan.replay.preparation import prepare_home, words_from
from perfscan.replay.processes import (
    ProcessTree,
    describe_end,
    disturbance,
    machine_load,
    stop,
)
from perfscan.replay.readings import fetching, from_endpoints, from_log
from perfscan.replay.redirection import bot_environment, escapes, inherited, unguarded, with_python
from perfscan.replay.schedule import Slot
from perfscan.replay.server.journal import merged, read_observation
from perfscan.replay.server.process import ServerProcess
from perfscan.replay.services import External, Service, Templates, outside_ports, start_services
from perfscan.replay.stimuli.inbound import URL
from perfscan.replay.vitals import read_vitals
from perfscan.replay.workspace import fresh_copy

POLL_S = 0.1
STOP_PATIENCE_S = 10.0
LOG_LINES = 20
ESCAPES = "escapes.jsonl"
VITALS = "vitals"
"""Folder of a run in which the bot's event loops tell how they fare."""


@dataclass(frozen=True, slots=True)
class Setup:
    """What all runs of a bench share."""

    scenario: Scenario
    recording: Recording
    folder: Path
    prepared: Mapping[Side, Path]
    """Per side the folder that each run gets a copy of."""
    authority: Authority
    templates: Templates = field(default_factory=dict)
    """What the services of a run begin with."""
    python: str = sys.executable
    speed: float = 1.0
    seed: int = 1
    until_s: float | None = None
    """Play only stream messages up to this recorded second."""
    settle_s: float | None = None
    """Silence that ends a run, where it is not the scenario's."""
    traffic: Path = Path()
    """The recording's file."""
    vitals: bool = True
    """Let the agent in the bot's process watch its event loops."""
    variants: Mapping[str, Implementation] = field(default_factory=dict)
    """The optimized side with some of its optimisations switched off, by variant name."""
    placement: Placement | None = None
    """Processors of server and bot; None leaves them to the system."""

    def implementation(self, slot: Slot) -> Implementation:
        """Return what runs in ``slot``."""
        if slot.variant:
            return self.variants[slot.variant]
        return self.scenario.original if slot.side == "original" else self.scenario.optimized


@dataclass(frozen=True, slots=True)
class Watch:
    """How the outside world follows a run and stops it."""

    interrupted: threading.Event
    report: StatusReport


class StatusReport:
    """The latest status line of every run that is under way."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._latest: dict[Slot, Mapping[str, float]] = {}

    def update(self, slot: Slot, status: Mapping[str, float]) -> None:
        """Keep the newest status of ``slot``."""
        with self._lock:
            self._latest[slot] = dict(status)

    def finish(self, slot: Slot) -> None:
        """Forget ``slot``."""
        with self._lock:
            self._latest.pop(slot, None)

    def latest(self) -> dict[Slot, Mapping[str, float]]:
        """Return a copy of what is known now."""
        with self._lock:
            return dict(self._latest)


def run_trial(slot: Slot, setup: Setup, watch: Watch) -> Run:
    """Make one run. A bot that crashes gives a Run that is not ok; bad input raises."""
    side = setup.implementation(slot)
    folder = setup.folder / slot.folder
    folder.mkdir(parents=True, exist_ok=True)
    before = machine_load()
    with ExitStack() as stack:
        home = fresh_copy(setup.prepared[slot.side], folder / "bot")
        trial = _start(stack, side, setup, folder, home, watch)
        started_ns = trial.server.run_time(trial.started_monotonic_ns)
        try:
            problem = _follow(trial, slot, setup, watch)
            told = {} if problem else from_endpoints(setup.scenario.readings, trial.fetch)
        finally:
            watch.report.finish(slot)
            orderly = trial.stop()
        if not orderly and not problem:
            problem = f"the bot ignored SIGTERM for {STOP_PATIENCE_S:.0f} s and was killed"
    observation = read_observation(folder / "journal.jsonl")
    if trial.driver is not None:
        observation = merged(observation, read_observation(folder / DRIVER_JOURNAL))
    log = _log(folder / "bot.log")
    told |= from_log(setup.scenario.readings, log)
    process = trial.tree.metrics() | read_vitals(folder / VITALS) | told
    process |= disturbance(before, machine_load())
    first_ns = _first_sign(observation)
    if first_ns is not None:
        process["startup_s"] = (first_ns - started_ns) / 1e9
    return measure(
        setup.recording,
        observation,
        setup.scenario,
        process,
        slot=slot,
        watched=Watched(started_ns, trial.resident_mb()),
        problem=problem,
        log="\n".join(log.splitlines()[-LOG_LINES:]),
        escapes=escapes(folder / ESCAPES),
    )


def _first_sign(observation: Observation) -> int | None:
    """Return when the bot was up: it let its users in or, where it has none, asked something."""
    for event in observation.events:
        if isinstance(event, StreamStart) and event.url == URL:
            return event.at_ns
    return next((call.request.at_ns for call in exchanges(observation)), None)


@dataclass(slots=True)
class _Trial:
    """What is running."""

    bot: subprocess.Popen[bytes]
    server: ServerProcess
    driver: DriverProcess | None
    services: tuple[Service | External, ...]
    tree: ProcessTree
    fetch: Callable[[str], str]
    """Asks the bot something inside its network."""
    started_monotonic_ns: int

    def problem(self) -> str:
        """Return the first thing that stopped by itself, or an empty string."""
        for service in self.services:
            if line := service.problem():
                return line
        return self.server.problem() or (self.driver.problem() if self.driver else "")

    def driver_status(self) -> Mapping[str, float]:
        """Return how the bot's users fare; empty where it has none."""
        return self.driver.status() if self.driver else {}

    def age_s(self) -> float:
        """Return how long the bot has been running."""
        return (time.monotonic_ns() - self.started_monotonic_ns) / 1e9

    def resident_mb(self) -> list[tuple[int, float]]:
        """Return the bot's memory over the time of the run."""
        run_time = self.server.run_time
        return [(run_time(round(at_s * 1e9)), size) for at_s, size in self.tree.resident_mb()]

    def stop(self) -> bool:
        """End the bot; True when it left in good order."""
        self.tree.sample()
        return stop(self.bot, STOP_PATIENCE_S)


def _start(
    stack: ExitStack, side: Implementation, setup: Setup, folder: Path, home: Path, watch: Watch
) -> _Trial:
    doors = outside_ports(side.services)
    network = stack.enter_context(open_network(setup.recording, folder / "network", doors))
    services = start_services(side.services, setup.templates, folder, network, stack)
    (folder / VITALS).mkdir()
    environment = partial(_environment, side, services, network, setup.authority, home)
    prepare_home(
        side,
        home,
        folder,
        python=setup.python,
        environment=environment(folder / "prepare-escapes.jsonl", None),
        enter=network.command,
        interrupted=watch.interrupted,
    )
    server = stack.enter_context(
        ServerProcess(
            setup.scenario,
            setup.traffic,
            network,
            setup.authority,
            folder,
            speed=setup.speed,
            seed=setup.seed,
            until_s=setup.until_s,
            cpus=setup.placement.server if setup.placement else None,
        )
    )
    driver = _start_driver(stack, server, side, setup, network, folder)
    started_ns = time.monotonic_ns()
    vitals = folder / VITALS if setup.vitals else None
    bot = _start_bot(
        side, setup.python, environment(folder / ESCAPES, vitals), network, folder, home
    )
    if setup.placement:
        pin(bot.pid, setup.placement.bot)  # at once: what it becomes and starts inherits it
    return _Trial(
        bot,
        server,
        driver,
        tuple(services.values()),
        ProcessTree(bot.pid),
        fetching(network.command),
        started_ns,
    )


def _start_driver(
    stack: ExitStack,
    server: ServerProcess,
    side: Implementation,
    setup: Setup,
    network: Network,
    folder: Path,
) -> DriverProcess | None:
    """Start what plays the bot's own users, where the recording has any."""
    ports = inbound_ports(setup.recording)
    if not ports:
        return None
    driver = DriverProcess(
        setup.traffic,
        ports,
        side,
        network,
        folder,
        origin_ns=server.origin_ns,
        speed=setup.speed,
        until_s=setup.until_s,
        cpus=setup.placement.server if setup.placement else (),
    )
    return stack.enter_context(driver)


def _environment(
    side: Implementation,
    services: Mapping[str, Service | External],
    network: Network,
    authority: Authority,
    home: Path,
    report: Path,
    vitals: Path | None,
) -> dict[str, str]:
    base = inherited()
    base |= {"PYTHONUNBUFFERED": "1", "PYTHONPATH": str(home), **side.environment}
    base |= {variable: service.url for variable, service in services.items()}
    return bot_environment(
        base,
        mode="replay",
        ca_bundle=authority.ca_file,
        hosts=network.hosts,
        ports=network.redirected_ports,
        report=report,
        vitals=vitals,
    )


def _start_bot(
    side: Implementation,
    python: str,
    environment: Mapping[str, str],
    network: Network,
    folder: Path,
    home: Path,
) -> subprocess.Popen[bytes]:
    """Start the bot in its own folder; Python gets only that folder on its path."""
    command = with_python(words_from(side.directory, side.command), python)
    if not network.isolated and (reason := unguarded(command)):
        raise InputError(
            f"without a network namespace nothing guards this command: {reason}",
            where=f"implementations.{side.name}.command",
            remedy="run it where namespaces are allowed",
        )
    with (folder / "bot.log").open("wb") as log:
        try:
            return subprocess.Popen(
                network.command(command),
                cwd=home,
                env=dict(environment),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        except OSError as error:
            raise InputError(
                f"cannot start {command[0]!r}: {error.strerror}",
                where=f"implementations.{side.name}.command",
                remedy="give a command that exists",
            ) from error


def _follow(trial: _Trial, slot: Slot, setup: Setup, watch: Watch) -> str:
    """Wait until the run is over; return why it failed, or an empty string."""
    rules = setup.scenario.items
    expected = expected_items(setup.recording, setup.scenario, setup.until_s)
    settle_s = rules.settle_s if setup.settle_s is None else setup.settle_s
    limit_s = rules.deadline_s + settle_s if setup.settle_s is None else settle_s
    last_left_ns = time.monotonic_ns()
    while True:
        if watch.interrupted.is_set():
            return "interrupted"
        status = trial.server.status()
        watch.report.update(slot, status)
        trial.tree.sample()
        if problem := trial.problem():
            return problem
        now = progress(
            *(rules, expected, status, trial.driver_status()),
            disturbed=bool(setup.scenario.emulated.faults),
        )
        if now is None or not now.begun or now.left > 0:
            last_left_ns = time.monotonic_ns()
        ended = trial.bot.poll()
        if ended is not None:
            if ended == 0 and now is not None and now.begun and now.left <= 0:
                return ""
            return _early_end(ended, now)
        waited_s = (time.monotonic_ns() - last_left_ns) / 1e9
        if now is not None and is_over(now, expected, settle_s, waited_s, limit_s):
            return ""
        if overdue := never_began(now, rules, trial.age_s()):
            return overdue
        time.sleep(POLL_S)


def _early_end(code: int, now: Progress | None) -> str:
    left = int(now.left) if now else 0
    rest = f" with {left} stimuli still to come" if left > 0 else ""
    return f"the bot ended by itself ({describe_end(code)}){rest}"


def _log(file: Path) -> str:
    with contextlib.suppress(OSError):
        return file.read_text("utf-8", errors="replace")
    return ""
