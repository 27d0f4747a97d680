"""Writes a first, commented scenario, guesses marked as guesses."""

from __future__ import annotations

import json
from dataclasses import dataclass

from perfscan.replay.model import KeyRule
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
{_items(draft.proposal)}
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
  # Not guessed: nothing that was pushed to the bot turned up in a later request. Fill this in.
  stimulus:                       # the message that begins an item
    websocket: wss://stream.example.com/
    key: {path: $.id}
  effect:                         # the accepted request that ends it, with the same key
    request: POST https://api.example.com/orders
    key: {path: $.client_id}
"""
    share = f"{proposal.joined} of {proposal.messages} messages"
    return f"""\
  # Guessed: {share} turned up in a later request in this way. Check it.
  stimulus:                       # the message that begins an item
    websocket: {_text(proposal.stream)}
    key: {_key(KeyRule(proposal.key))}
  effect:                         # the accepted request that ends it, with the same key
    request: {_text(proposal.effect)}
    key: {_key(proposal.effect_key)}
    # compare: [$.text]           # what must be equal; default: the whole body
"""


def _key(rule: KeyRule) -> str:
    given = {"path": rule.path, "pattern": rule.pattern}
    return json.dumps({name: value for name, value in given.items() if value is not None})


def _text(value: str) -> str:
    """Return a YAML scalar; JSON strings are YAML, too."""
    plain = value and all(char.isalnum() or char in "_-./" for char in value)
    return value if plain and not value[0].isdigit() else json.dumps(value)
