"""Items: which work the recording asks for, and what one run made of it."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from perfscan.replay.effects import Effect, effect_kind
from perfscan.replay.items import read_key
from perfscan.replay.line_up import Slot, line_up
from perfscan.replay.model import (
    AnswerEffect,
    ClientStimulus,
    Item,
    ItemRules,
    ItemState,
    KeyRule,
    MessageEffect,
    Observation,
    Recording,
    RequestEffect,
)
from perfscan.replay.stimuli import Stimulus, stimulus_kind
from perfscan.replay.stimuli.inbound import clients, for_client

SHOWN = 60
"""Characters of a differing value that a detail quotes."""


def stimuli(recording: Recording, rules: ItemRules) -> dict[str, Stimulus]:
    """Return what begins items, by key and in time order; the first of equal keys counts."""
    first: dict[str, Stimulus] = {}
    for stimulus in _all_stimuli(recording, rules):
        first.setdefault(stimulus.key, stimulus)
    return first


def effects(recording: Recording, rules: ItemRules) -> dict[str, list[Effect]]:
    """Return all recorded effects by key, in order."""
    return _effects(recording, recording, rules, _all_stimuli(recording, rules))


def expected_items(recording: Recording, rules: ItemRules, until_s: float | None = None) -> int:
    """Count the recorded stimuli with a recorded effect, up to a time from the first's start."""
    done = {key for key, found in effects(recording, rules).items() if not found[0].judgement}
    start_ns = stimulus_kind(rules).starts_ns(recording)
    return sum(
        key in done and (until_s is None or stimulus.at_ns - start_ns <= until_s * 1e9)
        for key, stimulus in stimuli(recording, rules).items()
    )


def items_of_run(
    recording: Recording, observation: Observation, rules: ItemRules
) -> tuple[Item, ...]:
    """Judge what a run did with every recorded stimulus.

    An item is owed where the recording holds both stimulus and effect. A stimulus without a
    recorded effect owes nothing: a request for one that the recorded bot heard is wrong, since
    that bot decided against it; for one that it could not hear it is work beyond duty, as is
    right for a bot that stays connected, and judged against the other side alone. A request that
    no stimulus asked for, or had not asked for yet, is wrong.
    """
    trial = _Trial.of(recording, observation, rules)
    made = [
        replace(trial.judge(stimulus), away=key in trial.away)
        for key, stimulus in trial.begun.items()
        if key in trial.due and (key in trial.recorded or trial.beyond_duty(stimulus))
    ]
    if rules.order_by is not None:
        made = _ordered(made, trial, rules.order_by)
    made += [
        Item(key, sent[0].at_ns, "wrong", None, _all_of(sent), "nothing asked for it", False)
        for key, sent in trial.done.items()
        if trial.strict and key not in trial.begun
    ]
    return tuple(made)


@dataclass(frozen=True, slots=True)
class _Trial:
    """All that is known of a run, by the keys of its items."""

    rules: ItemRules
    begun: Mapping[str, Stimulus]
    recorded: Mapping[str, Sequence[Effect]]
    done: Mapping[str, Sequence[Effect]]
    due: Mapping[str, int]
    """Intended time of each stimulus that the run played."""
    told: Mapping[str, int]
    """When the bot was told of it, or was to be: the earlier of the two."""
    away: frozenset[str]
    """Of what the bot, or the receiver of its effect, was not there for."""
    strict: bool
    repeats: bool

    @classmethod
    def of(cls, recording: Recording, observation: Observation, rules: ItemRules) -> _Trial:
        """Read a run."""
        kind, effect = stimulus_kind(rules), effect_kind(rules)
        every = _all_stimuli(recording, rules)
        begun: dict[str, Stimulus] = {}
        for one in every:
            begun.setdefault(one.key, one)
        times = kind.played(recording, observation)
        reached = kind.reached(recording, observation)
        due = {key: times[one.mark] for key, one in begun.items() if one.mark in times}
        told = {key: min(at_ns, reached.get(begun[key].mark, at_ns)) for key, at_ns in due.items()}
        heard = {one.key for one in every if one.mark in reached}
        recorded = _effects(recording, recording, rules, every)
        return cls(
            rules=rules,
            begun=begun,
            recorded=recorded,
            done=_done(recording, observation, rules, every, recorded, told),
            due=due,
            told=told,
            away=frozenset(begun.keys() - heard).union(effect.away(recording, observation, due)),
            strict=effect.strays,
            repeats=effect.repeats,
        )

    def beyond_duty(self, stimulus: Stimulus) -> bool:
        """Tell whether a stimulus without recorded effect had one, or could have had."""
        done = self.done.get(stimulus.key, ())
        if not self.strict:
            return any(one.judgement is not None for one in done)
        return bool(done) or not (stimulus.heard or stimulus.key in self.away)

    def judge(self, stimulus: Stimulus) -> Item:
        key, due_ns = stimulus.key, self.due[stimulus.key]
        recorded, done = self.recorded.get(key), self.done.get(key, ())
        if self.repeats:  # the state before the stimulus shows nothing of it
            recorded = recorded and (_from(recorded, stimulus.at_ns) or recorded[:1])
            done = _from(done, self.told[key])
        owed = recorded is not None and recorded[0].judgement is None
        done = _after_apologies(done)
        if not done:
            detail = "no effect in time"
            return Item(key, due_ns, "missed", None, detail=detail, expected=owed)
        latency_ms = (done[0].at_ns - due_ns) / 1e6
        state, detail = self._state(stimulus, recorded, done, latency_ms)
        content = _all_of(done) if state == "wrong" else done[0].content
        waited_ms = None if state == "missed" else latency_ms
        return Item(key, due_ns, state, waited_ms, content, detail, expected=owed)

    def _state(
        self,
        stimulus: Stimulus,
        recorded: Sequence[Effect] | None,
        done: Sequence[Effect],
        latency_ms: float,
    ) -> tuple[ItemState, str]:
        if recorded is None and stimulus.heard:
            told = done[0].judgement
            return "wrong", told.detail if told else "the recorded bot heard this and sent nothing"
        early_ns = self.told[stimulus.key] - done[0].at_ns
        foreseen = recorded and recorded[0].at_ns < stimulus.at_ns  # told of it by other means
        if early_ns > 0 and not foreseen:
            return "wrong", f"sent {early_ns / 1e6:.1f} ms before anything asked for it"
        if done[0].judgement is not None:
            return done[0].judgement.state, done[0].judgement.detail
        if recorded and recorded[0].judgement is None:
            unlike = next((one for one in done if one.content != recorded[0].content), None)
            if unlike is not None:
                return "wrong", _difference(recorded[0].values, unlike.values)
        if len(done) > 1 and not self.repeats:
            return "duplicated", f"sent {len(done)} times"
        if latency_ms > self.rules.deadline_s * 1000:
            return "late", f"{latency_ms / 1000:.1f} s after its stimulus"
        return "handled", ""


def _all_stimuli(recording: Recording, rules: ItemRules) -> list[Stimulus]:
    """Return every recorded stimulus under the key of its item; several may have the same.

    An answer belongs to its request whatever the key, so requests of the same key are told apart.
    """
    found = list(stimulus_kind(rules).found(recording))
    numbered = _are_numbered(rules)
    if numbered or isinstance(rules.effect, AnswerEffect):
        counted: dict[str, int] = defaultdict(int)
        for place, stimulus in enumerate(found):
            counted[stimulus.key] += 1
            if numbered or counted[stimulus.key] > 1:
                key = _numbered(stimulus.key, counted[stimulus.key])
                found[place] = replace(stimulus, key=key)
    if isinstance(rules.effect, MessageEffect) and not isinstance(rules.stimulus, ClientStimulus):
        numbers = clients(recording, rules.effect.message).values()
        found = [
            replace(stimulus, key=for_client(stimulus.key, number))
            for stimulus in found
            for number in numbers
        ]
    return found


def _effects(
    recording: Recording,
    traffic: Recording | Observation,
    rules: ItemRules,
    begun: Sequence[Stimulus],
) -> dict[str, list[Effect]]:
    found = effect_kind(rules).done(recording, traffic, begun)
    if not _are_numbered(rules):
        return found
    return {
        _numbered(key, number): [effect]
        for key, done in found.items()
        for number, effect in enumerate(done, 1)
    }


def _done(
    recording: Recording,
    observation: Observation,
    rules: ItemRules,
    begun: Sequence[Stimulus],
    recorded: Mapping[str, Sequence[Effect]],
    told: Mapping[str, int],
) -> dict[str, list[Effect]]:
    """Return the effects of a run by item; those with numbers lined up with the recorded ones."""
    if not _are_numbered(rules):
        return _effects(recording, observation, rules, begun)
    stimuli = Counter(one.value for one in begun)
    found: dict[str, list[Effect]] = {}
    for key, sent in effect_kind(rules).done(recording, observation, begun).items():
        numbers = range(1, stimuli[key] + 1)
        owed = [one for number in numbers if (one := _numbered(key, number)) in recorded]
        owed = [one for one in owed if one in told]
        placed, strays = line_up([Slot(recorded[one][0], told[one]) for one in owed], sent)
        found |= {one: done for one, done in zip(owed, placed, strict=True) if done}
        for number, stray in enumerate(strays, stimuli[key] + 1):
            found[_numbered(key, number)] = [stray]
    return found


def _are_numbered(rules: ItemRules) -> bool:
    return rules.numbered and isinstance(rules.effect, RequestEffect)


def _after_apologies(effects: Sequence[Effect]) -> Sequence[Effect]:
    """Return ``effects`` from the first that did the work on, if there is one."""
    places = (place for place, one in enumerate(effects) if one.judgement is None)
    return effects[next(places, 0) :]


def _from(effects: Sequence[Effect], at_ns: int) -> Sequence[Effect]:
    """Return the first of ``effects`` that did not come before ``at_ns``, if there is one."""
    return [one for one in effects if one.at_ns >= at_ns][:1]


def _all_of(effects: Sequence[Effect]) -> str:
    """Return the content of several effects: sides agree only where all of it is equal."""
    return "+".join(effect.content for effect in effects)


def _numbered(key: str, number: int) -> str:
    return f"{key} #{number}"


def _ordered(items: Sequence[Item], trial: _Trial, order_by: KeyRule) -> list[Item]:
    """Mark the items that overtook an earlier one of their kind."""
    open_ns: dict[str, tuple[int, str]] = {}
    judged = {item.key: item for item in items}
    for key in sorted(judged, key=lambda key: (trial.due[key], trial.begun[key].mark)):
        group = read_key(order_by, trial.begun[key].payload)
        done = trial.done.get(key)
        if group is None or not done:
            continue
        latest_ns, latest = open_ns.get(group, (0, ""))
        if done[0].at_ns < latest_ns and judged[key].state in ("handled", "wrong"):
            detail = f"it overtook {latest}, which was to come first"
            content = f"{judged[key].content}, overtaking"  # no side in order agrees with that
            judged[key] = replace(judged[key], state="wrong", content=content, detail=detail)
        open_ns[group] = max((latest_ns, latest), (done[0].at_ns, key))
    return [judged[item.key] for item in items]


def _difference(recorded: str, sent: str) -> str:
    """Quote both from just before the place where they part."""
    steps = enumerate(zip(recorded, sent, strict=False))
    shorter = min(len(recorded), len(sent))
    place = next((index for index, (a, b) in steps if a != b), shorter)
    begin = max(0, place - SHOWN // 3)
    return f"recorded {recorded[begin : begin + SHOWN]}, sent {sent[begin : begin + SHOWN]}"
