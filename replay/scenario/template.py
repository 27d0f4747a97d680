"""Writes a first, commented scenario, guesses marked as guesses."""

from __future__ import annotations

import json
from dataclasses import dataclass

from perfscan.replay.model import (
    AnswerEffect,
    InboundStimulus,
    KeyRule,
    PushStimulus,
    RequestEffect,
    UpdateStimulus,
)
from perfscan.replay.proposal import Proposal
from perfscan.replay.scenario.reader import SCHEMA


@dataclass(frozen=True, slots=True)
class Draft:
    """What is known when a scenario is begun."""

    name: str
    recording: str
    original: str
    """Folder of the bot as it is."""
    optimized: str
    command: tuple[str, ...]
    proposal: Proposal | None
    """None where the recording did not tell, or there is none yet."""
    untimed: tuple[str, ...] = ()
    """Request patterns that need a latency, since the recording has none."""


MOST_UNTIMED = 12
"""Requests that get a latency of their own; the others share one."""


def write_scenario(draft: Draft) -> str:
    """Return the text of a scenario file."""
    command = json.dumps(list(draft.command))
    sides = "".join(
        f"  {side}:\n    command: {command}\n    directory: {_text(folder)}\n"
        for side, folder in (("original", draft.original), ("optimized", draft.optimized))
    )
    return f"""\
# What perfscan replays and compares. Every key is explained by: perfscan schema scenario
# An editor helps where the schema lies beside this file (... > scenario.schema.json) and the file
# begins with "# yaml-language-server: $schema=scenario.schema.json".
schema: {SCHEMA}
name: {_text(draft.name)}
recording: {_text(draft.recording)}

implementations:
{sides}    # environment: {{API_TOKEN: "any text; the recording holds stand-ins"}}
    # switches:                   # optimisation -> environment that turns it off, for --ablate
    #   cache: {{BOT_CACHE: "off"}}

items:                            # one piece of work, seen from the wire
  deadline_s: 60                  # a later effect counts as missed
  settle_s: 5                     # silence after the last stimulus that ends a run
{_items(draft.proposal)}{_latency(draft.untimed)}
primary: item_latency_ms.p95      # the metric that decides the verdict
threshold: 0.05                   # the smallest relative change worth a word
# lanes: 4                        # pairs side by side, for bots that mostly wait
# targets:                        # what must be reached; exit 1 where it is proven missed
#   item_latency_ms.p95: 1000
#   success_rate: 1.0
# counts:                         # requests that are counted under a name of their own
#   price_requests: GET https://api.example.com/v1/price/*
# claims:                         # sentences of a report beside what is measured
#   - text: "60-70 % faster"
#     source: report.md, line 12
#     metric: item_latency_ms.mean
#     ratio: [0.3, 0.4]
"""


def _items(proposal: Proposal | None) -> str:
    if proposal is None:
        return """\
  # Not guessed: nothing that came to the bot turned up in a later request. Fill this in.
  stimulus:                       # the message that begins an item
    websocket: wss://stream.example.com/
    key: {path: $.id}
  effect:                         # the accepted request that ends it, with the same key
    request: POST https://api.example.com/orders
    key: {path: $.client_id}
"""
    several, one = _WORDS[type(proposal.stimulus)]
    share = f"{proposal.joined} of {proposal.stimuli} {several}"
    if isinstance(proposal.effect, AnswerEffect):
        guess, ends = f"{share} were answered; nothing else came of them", "the bot's answer to it"
    else:
        guess = f"{share} turned up in a later request in this way"
        ends = "the accepted request that ends it, with the same key"
    return f"""\
  # Guessed: {guess}. Check it.
  stimulus:                       # the {one} that begins an item
{_lines(_stimulus(proposal))}\
  effect:                         # {ends}
{_lines(_effect(proposal))}\
    # compare: [$.text]           # what must be equal; default: the whole body
"""


_WORDS = {
    PushStimulus: ("messages", "message"),
    UpdateStimulus: ("updates", "update, handed to a long poll,"),
    InboundStimulus: ("requests to the bot", "request to the bot"),
}
"""What stimuli of a kind are called."""


def _stimulus(proposal: Proposal) -> dict[str, str]:
    match proposal.stimulus:
        case PushStimulus(websocket=url, key=key):
            return {"websocket": _text(url), "key": _key(key)}
        case UpdateStimulus(poll=poll, key=key):
            return {"poll": _text(poll), "key": _key(key)}
        case InboundStimulus(inbound=pattern, key=key):
            return {"inbound": _text(pattern)} | ({"key": _key(key)} if key else {})


def _effect(proposal: Proposal) -> dict[str, str]:
    match proposal.effect:
        case AnswerEffect():
            return {"answer": "true"}
        case RequestEffect(request=patterns, key=key):
            return {"request": _text(patterns[0]), "key": _key(key)}


def _lines(fields: dict[str, str]) -> str:
    return "".join(f"    {name}: {value}\n" for name, value in fields.items())


def _latency(untimed: tuple[str, ...]) -> str:
    if not untimed:
        return ""
    patterns = (*untimed[:MOST_UNTIMED], "*")
    guess = "{p50_ms: 100, p95_ms: 300}"
    rules = "".join(f"  {json.dumps(pattern)}: {guess}\n" for pattern in patterns)
    return f"""
# The recording does not tell how long the services took. These figures are made up: write down
# what yours take. A number is always that many ms, a list one of several, "*" all other requests.
latency:
{rules}"""


def _key(rule: KeyRule) -> str:
    given = {"path": rule.path, "pattern": rule.pattern}
    return json.dumps({name: value for name, value in given.items() if value is not None})


def _text(value: str) -> str:
    """Return a YAML scalar; JSON strings are YAML, too."""
    plain = value and all(char.isalnum() or char in "_-./" for char in value)
    return value if plain and not value[0].isdigit() else json.dumps(value)
