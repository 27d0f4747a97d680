"""What is played to whom: a scenario and its traffic, under the circumstances that were ordered."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

from perfscan.replay.latency import with_latency
from perfscan.replay.load import multiply, with_load
from perfscan.replay.model import Recording, Scenario
from perfscan.replay.recording import read_recording, write_recording
from perfscan.replay.trial import Setup


@dataclass(frozen=True, slots=True)
class Stage:
    """A scenario with its recording, both after a multiplied load."""

    scenario: Scenario
    recording: Recording
    load: float


def stage_of(scenario: Scenario, load: float, seed: int) -> Stage:
    """Read the recording of ``scenario`` and multiply what happens in it by ``load``."""
    recorded = read_recording(scenario.recording)
    recording = multiply(recorded, scenario, load, seed)
    scenario = with_load(recorded, scenario, load, seed)
    return Stage(scenario, with_latency(recording, scenario.latency, seed), load)


def traffic_file(stage: Stage, folder: Path) -> Path:
    """Return the file that the servers read: the recording's own, or one in ``folder``."""
    if stage.load == 1:
        return stage.scenario.recording
    folder.mkdir(parents=True, exist_ok=True)
    file = folder / "traffic.jsonl"
    write_recording(stage.recording, file)
    return file


def set_up(setup: Setup, stage: Stage, place: str, scratch: Path) -> Setup:
    """Return ``setup`` for another stage, whose runs leave their files in a folder ``place``."""
    return replace(
        setup,
        scenario=stage.scenario,
        recording=stage.recording,
        traffic=traffic_file(stage, scratch / place),
        folder=setup.folder / place,
        variants={},
    )
