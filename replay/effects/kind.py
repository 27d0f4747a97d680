"""What all kinds of effects have in common."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from perfscan.replay.items import values_at
from perfscan.replay.model import ItemState, Observation, Recording
from perfscan.replay.secret_places import normalise_secrets
from perfscan.replay.stimuli import Stimulus

SHOWN = 80
"""Characters of an effect that a detail quotes."""


@dataclass(frozen=True, slots=True)
class Judgement:
    """What became of an item whose effect cannot be judged by its values alone."""

    state: ItemState
    detail: str


@dataclass(frozen=True, slots=True)
class Effect:
    """What ended an item and was accepted."""

    key: str
    at_ns: int
    values: str
    """Canonical JSON of the parts that must be equal."""
    judgement: Judgement | None = None
    """Where it is not as recorded, and its kind knows what that means."""

    @property
    def content(self) -> str:
        """Hash of the parts that must be equal."""
        return hashlib.sha256(self.values.encode("utf-8", "surrogatepass")).hexdigest()[:16]


class EffectKind(Protocol):
    """One kind of effect, by its rule."""

    strays: bool
    """Whether an effect that no stimulus asked for is wrong."""
    repeats: bool
    """Whether the same effect may come again."""

    def done(
        self, recording: Recording, traffic: Recording | Observation, begun: Sequence[Stimulus]
    ) -> dict[str, list[Effect]]:
        """Return the effects in ``traffic`` by key, in order; ``begun`` is what is recorded."""

    def away(
        self, recording: Recording, observation: Observation, due: Mapping[str, int]
    ) -> Collection[str]:
        """Return the keys whose receiver was not there when their stimulus was due."""


def compared(paths: Sequence[str], payload: Any) -> str:
    """Return what must be equal; secrets are levelled, since a recording holds stand-ins."""
    parts: Any = [values_at(path, payload) for path in paths] if paths else payload
    return normalise_secrets(json.dumps(parts, sort_keys=True, ensure_ascii=False))
