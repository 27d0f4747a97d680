"""When a run is over, and why one that never began never will: pure, from status figures."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from perfscan.replay.model import (
    AnswerEffect,
    ClientStimulus,
    CycleStimulus,
    InboundStimulus,
    ItemRules,
    MessageEffect,
)
from perfscan.replay.stimuli import stimulus_kind

START_LIMIT_S = 30.0
QUIET_S = 1.0
"""With all effects in, so short a silence still shows an effect that is sent twice."""
Status = Mapping[str, float]


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a run has come."""

    begun: bool
    """Whether stimuli are on their way."""
    left: float
    """Stimuli still to come; below 0 where the bot has gone on to work that is not judged."""
    effects: float
    in_flight: float
    idle_s: float
    pause_s: float = 0.0
    """So much silence does not mean that a cycle is over."""
    grace: int = 0
    """So many cycles beyond those that are owed may still bring what is late."""


def progress(
    rules: ItemRules, expected: int, server: Status, driver: Status, *, disturbed: bool = False
) -> Progress | None:
    """Read the status lines of both processes; None before there are any.

    ``driver`` is empty where nobody connects to the bot, ``expected`` the number of items owed.
    Nobody knows what a cycle still has to do, so only the next one, or a long silence, tells that
    it is over. Where faults have ``disturbed`` cycles, what one of them could not do is waited for
    in one more.
    """
    stimulus = rules.stimulus
    inbound = isinstance(stimulus, InboundStimulus | ClientStimulus)
    if not server or (inbound and not driver):
        return None
    idle_s = min(server["idle_s"], driver.get("idle_s", server["idle_s"]))
    in_flight = server["in_flight"] + driver.get("unanswered", 0)
    effects = server["effects"]
    if isinstance(rules.effect, AnswerEffect):
        effects = driver.get("answered", 0)
    elif isinstance(rules.effect, MessageEffect):
        effects = 0  # nobody counts them while the run goes on
    if inbound:
        return Progress(driver["started"] > 0, driver["unsent"], effects, in_flight, idle_s)
    if isinstance(stimulus, CycleStimulus):
        begun = server["cycles"]
        more = stimulus.pause_s, int(disturbed)
        return Progress(begun > 0, expected - begun, 0, in_flight, idle_s, *more)
    begun = server["streams_started"]
    return Progress(begun > 0, server["stimuli_left"], effects, in_flight, idle_s)


def is_over(now: Progress, expected: int, settle_s: float, waited_s: float, limit_s: float) -> bool:
    """Tell whether nothing more is to be expected.

    ``waited_s`` is how long no stimulus has been left: a bot that never falls silent is not
    waited for beyond ``limit_s``.
    """
    if now.left < -now.grace:
        return True
    if not now.begun or now.left > 0:
        return False
    patience = min(settle_s, QUIET_S) if now.effects >= expected else settle_s
    patience = max(patience, now.pause_s)
    return (now.in_flight <= 0 and now.idle_s >= patience) or waited_s >= limit_s


def never_began(now: Progress | None, rules: ItemRules, waited_s: float) -> str:
    """Return why a run that waits for its first stimulus is given up, or an empty string."""
    if (now is not None and now.begun) or waited_s <= START_LIMIT_S:
        return ""
    return f"the bot {stimulus_kind(rules).never_began} within {START_LIMIT_S:.0f} s"
