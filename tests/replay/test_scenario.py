from __future__ import annotations

import re
import textwrap
from pathlib import Path

import pytest
import yaml

from perfscan.errors import InputError
from perfscan.replay import scenario as module
from perfscan.replay.model import (
    AnswerEffect,
    CycleEffect,
    CycleStimulus,
    ItemRules,
    KeyRule,
    MatchRules,
    MessageEffect,
    RequestEffect,
    Scenario,
    TopicRule,
    UpdateStimulus,
)
from perfscan.replay.scenario import read_scenario


def example() -> str:
    assert module.__doc__
    return textwrap.dedent(module.__doc__.split("::\n", 1)[1].split("Other items")[0])


def other_items() -> list[dict[str, object]]:
    """The examples of the other kinds, each a mapping with its one key."""
    assert module.__doc__
    text = module.__doc__.split("Other items", 1)[1].split("::\n", 1)[1]
    text = textwrap.dedent(text.split("A scenario of")[0])
    return [yaml.safe_load(part) for part in re.split(r"^(?=\w)", text, flags=re.M) if part.strip()]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "original").mkdir()
    (tmp_path / "optimized").mkdir()
    for name in ("traffic.jsonl.gz", "schema.sql", "commands.txt"):
        (tmp_path / name).touch()
    return tmp_path


def write(folder: Path, text: str) -> Path:
    path = folder / "scenario.yaml"
    path.write_text(text, encoding="utf-8")
    return path


def test_the_example_of_the_docstring_is_a_valid_scenario(folder: Path) -> None:
    scenario = read_scenario(write(folder, example()))

    assert scenario.title == "Solana new-pool alerts"
    assert scenario.recording == folder / "traffic.jsonl.gz"
    assert scenario.original.command == ("python", "bot.py")
    assert scenario.optimized.directory == folder / "optimized"
    assert scenario.optimized.prepare == ("python", "../make_state.py", "state.db")
    assert scenario.original.prepare == ()
    database, cache = scenario.optimized.services
    assert (database.name, database.seed_file) == ("postgresql", folder / "schema.sql")
    assert (cache.name, cache.variable, cache.url) == ("redis", "REDIS_URL", "")
    assert scenario.optimized.switches["concurrency"] == {"MAX_CONCURRENT_POOLS": "1"}
    assert isinstance(scenario.items.effect, RequestEffect)
    assert scenario.items.effect.key.pattern == r"tx/(\w+)"
    assert scenario.items.deadline_s == 60
    assert scenario.claims[0].ratio == (0.2, 0.2)
    assert scenario.claims[1].metric is None
    assert len(scenario.critical_path) == 3
    assert scenario.readings["cache_hit_rate"].scale == 0.01
    assert scenario.readings["queued"].path == "$.queue.length"
    assert scenario.targets == {"item_latency_ms.p95": 1000}
    assert [fault.kind for fault in scenario.emulated.faults] == ["loss", "outage"]
    assert [one.host for one in scenario.emulated.limits] == [
        *("api.binance.com", "stream.binance.com")
    ]


MINIMAL = """\
schema: perfscan.scenario/1
name: s
recording: traffic.jsonl.gz
implementations:
  original: {command: "python 'my bot.py'"}
  optimized: {command: [python, b.py]}
items:
  stimulus: {websocket: "wss://h/", key: {pattern: "(x)"}}
  effect: {request: "POST https://h/send", key: {path: $.id}}
"""


def test_defaults_of_a_minimal_scenario(folder: Path) -> None:
    scenario = read_scenario(write(folder, MINIMAL))

    assert (scenario.title, scenario.lanes, scenario.simulated) == ("s", 1, "")
    assert (scenario.primary, scenario.threshold) == ("item_latency_ms.p95", 0.05)
    assert scenario.original.command == ("python", "my bot.py")
    assert scenario.original.directory == folder


@pytest.mark.parametrize(
    ("old", "new", "line", "key", "what"),
    [
        (
            "command: [python, b.py]",
            "comand: b",
            6,
            "implementations.optimized.comand",
            "'command'",
        ),
        ("name: s", "name: [s]", 2, "name", "expected text, found a list"),
        ("name: s", "name: s\nname: t", 3, "name", "appears twice"),
        ("name: s\n", "", 1, "", "the key 'name' is missing"),
        ("traffic.jsonl.gz", "trafic.jsonl", 3, "recording", "no such file"),
        ("[python, b.py]", "[python], directory: gone", 6, "optimized.directory", "no such dir"),
        ("scenario/1", "scenario/9", 1, "schema", "unknown schema"),
        ("wss://h/", "https://h/", 8, "items.stimulus.websocket", "not a WebSocket URL"),
        ('"(x)"', '"x"', 8, "items.stimulus.key.pattern", "no group"),
        ('"(x)"', '"(x"', 8, "items.stimulus.key.pattern", "not a regular expression"),
        ("POST https", "post https", 9, "items.effect.request", "not a request pattern"),
        ("$.id", '"$.["', 9, "items.effect.key.path", "not a JSONPath"),
        ("$.id", "id", 9, "items.effect.key.path", "not a JSONPath"),
        ("name: s", "name: s\nthreshold: 5", 3, "threshold", "between 0 and 1"),
        ("name: s", "name: s\nthreshold: yes", 3, "threshold", "expected a number"),
        ("name: s", "name: s\nlanes: 1.5", 3, "lanes", "whole number"),
        ("name: s", "name: s\nprimary: item_latency_ms.p96", 3, "primary", "item_latency_ms.p9"),
        (
            "name: s",
            "name: s\ncounts: {makespan_s: GET https://h/}",
            3,
            "counts.makespan_s",
            "metric",
        ),
        ("name: s", "name: s\ntargets: {makespan: 1}", 3, "targets.makespan", "'makespan_s'"),
        ("[python, b.py]", "[python], services: [reddis]", 6, "services[0]", "'redis'"),
        ("name: s", "name: s\nreadings: {q: {log: 'q='}}", 3, "readings.q.log", "one group"),
        ("name: s", "name: s\nreadings: {q: {take: last}}", 3, "readings.q", "either log or url"),
        ("name: s", "name: s\nreadings: {cpu_s: {log: '(x)'}}", 3, "readings.cpu_s", "measured by"),
        (
            "name: s",
            "name: s\nreadings: {q: {url: 'https://api.example/', path: $.q}}",
            3,
            "readings.q.url",
            "own machine",
        ),
        (
            "name: s",
            "name: s\nreadings: {q: {log: '(x)', take: all}}",
            3,
            "readings.q.take",
            "unknown word",
        ),
        ("[python, b.py]", "[python], services: {mysql: null}", 6, "services.mysql", "unknown"),
        (
            "[python, b.py]",
            "[python], services: {redis: {seed: gone.txt}}",
            6,
            "services.redis.seed",
            "no such file",
        ),
        (
            "[python, b.py]",
            "[python], services: {redis: {url: 'postgresql://h/db'}}",
            6,
            "services.redis.url",
            "not a URL of redis",
        ),
        (
            "[python, b.py]",
            "[python], services: {redis: {url: 'redis://h', seed: [fill]}}",
            6,
            "services.redis.seed",
            "only what it starts",
        ),
        (
            "[python, b.py]",
            "[python], services: {redis: {environment: 'A B'}}",
            6,
            "services.redis.environment",
            "not the name",
        ),
        (
            "[python, b.py]",
            "[python], services: {redis: {environment: U}, postgresql: {environment: U}}",
            6,
            "services",
            "two services",
        ),
        ("name: s", "name: s\nclaims: [{text: a, source: b}]", 3, "claims[0]", "either metric or"),
        (
            "name: s",
            "name: s\nclaims: [{text: a, source: b, metric: cpu_s, before: [3, 2]}]",
            3,
            "claims[0].before",
            "wrong order",
        ),
    ],
)
def test_each_mistake_names_line_key_and_remedy(
    folder: Path, old: str, new: str, line: int, key: str, what: str
) -> None:
    path = write(folder, MINIMAL.replace(old, new))

    with pytest.raises(InputError) as caught:
        read_scenario(path)

    assert str(caught.value.where).startswith(f"{path}:{line}")
    assert key in str(caught.value.where)
    assert what in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("content", "what"),
    [
        (b"", "the file is empty"),
        (b"a: b: c", "not valid YAML"),
        (b"name: \x00", "not valid YAML"),
        (b"\xff\xfe\x00", "not UTF-8"),
        (b"- 1\n- 2", "expected a mapping, found a list"),
    ],
)
def test_unreadable_files_are_one_clear_line(tmp_path: Path, content: bytes, what: str) -> None:
    path = tmp_path / "scenario.yaml"
    path.write_bytes(content)

    with pytest.raises(InputError) as caught:
        read_scenario(path)

    assert what in str(caught.value)
    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_missing_file_and_a_directory_are_told_apart(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no such file"):
        read_scenario(tmp_path / "scenario.yaml")
    with pytest.raises(InputError, match="this is a directory"):
        read_scenario(tmp_path)


KEY = {"path": "$.id"}
REQUEST = {"request": "POST https://h/x", "key": KEY}


def items_of(folder: Path, stimulus: object, effect: object, **more: object) -> ItemRules:
    document = yaml.safe_load(MINIMAL)
    document["items"] = {"stimulus": stimulus, "effect": effect, **more}
    return read_scenario(write(folder, yaml.safe_dump(document))).items


def test_every_kind_of_item_of_the_docstring_is_valid(folder: Path) -> None:
    parts = other_items()
    stimuli = [part["stimulus"] for part in parts if "stimulus" in part]
    cycle_end, answer, message = (part["effect"] for part in parts if "effect" in part)
    update, inbound, client, cycle = stimuli

    assert items_of(folder, update, REQUEST).stimulus == UpdateStimulus(
        "POST https://api.telegram.org/*/getUpdates"
    )
    assert items_of(folder, inbound, answer).effect == AnswerEffect(("$.status",))
    told = MessageEffect("/ws", KeyRule("$.seq"), each="$.updates[*]")
    assert items_of(folder, client, message).effect == told
    cycles = items_of(folder, cycle, cycle_end)
    assert cycles.stimulus == CycleStimulus(
        ("GET https://api.bybit.com/v5/order/realtime",), pause_s=0.5, cycles=10
    )
    assert isinstance(cycles.effect, CycleEffect)
    assert cycles.effect.compare_in == ("POST https://api.bybit.com/v5/*/*",)


def test_updates_without_a_key_are_numbered_per_chat(folder: Path) -> None:
    poll = {"poll": "POST https://api.telegram.org/*/getUpdates"}

    assert items_of(folder, poll, REQUEST).numbered
    assert not items_of(folder, {**poll, "key": KEY}, REQUEST).numbered
    assert items_of(folder, {**poll, "key": KEY}, REQUEST, numbered=True).numbered


@pytest.mark.parametrize(
    ("stimulus", "effect", "what"),
    [
        ({"inbound": "/webhook"}, {"answer": True}, "not a request to the bot"),
        ({"client": "ws", "key": KEY}, REQUEST, "not a path"),
        ({"cycle": []}, {"request": "GET https://h/"}, "no request pattern"),
        ({"cycle": "GET https://h/"}, {"answer": True}, "unknown key 'answer'"),
        ({"cycle": "GET https://h/"}, REQUEST, "told apart by their number"),
        ({"poll": "GET https://h/"}, {**REQUEST, "compare_in": []}, "only the effect of a cycle"),
        ({"poll": "GET https://h/"}, {"answer": True}, "only an inbound request is answered"),
        ({"poll": "GET https://h/", "inbound": "GET /"}, REQUEST, "not both"),
        ({"inbound": "GET /"}, {"answer": False}, "needs no line"),
    ],
)
def test_mistakes_in_items_are_named(
    folder: Path, stimulus: object, effect: object, what: str
) -> None:
    with pytest.raises(InputError, match=what):
        items_of(folder, stimulus, effect)


def test_only_requests_are_numbered(folder: Path) -> None:
    with pytest.raises(InputError, match="can be numbered"):
        items_of(folder, {"inbound": "GET /"}, {"answer": True}, numbered=True)


def test_matching_rules_are_read(folder: Path) -> None:
    match = read_scenario(write(folder, example())).match
    assert match.paths == ("GET https://api.exchange.com/v1/orders/*",)
    assert match.modes == (
        ("GET https://api.exchange.com/v1/ticker", "by-time"),
        ("GET https://api.exchange.com/v1/orders/*", "last"),
    )
    assert match.topics == (TopicRule("$.params.symbols[*].id", "$.feed"),)


@pytest.mark.parametrize(
    ("match", "what"),
    [
        ({"paths": ["/orders/*"]}, "not a request pattern"),
        ({"paths": ["GET https://*.example/orders"]}, "no part of the path is left open"),
        ({"modes": {"GET https://a.example/": "by time"}}, "unknown mode 'by time'"),
        ({"modes": {"GET": "last"}}, "not a request pattern"),
        ({"path": []}, "unknown key 'path'"),
        ({"topics": [{"subscribe": "$.a"}]}, "the key 'message' is missing"),
        ({"topics": [{"subscribe": "a", "message": "$.a"}]}, "not a JSONPath: 'a'"),
    ],
)
def test_mistakes_in_matching_rules_are_named(folder: Path, match: object, what: str) -> None:
    text = yaml.safe_dump(yaml.safe_load(example()) | {"match": match})
    with pytest.raises(InputError, match=what):
        read_scenario(write(folder, text))


def matching(folder: Path, items: object, match: object) -> MatchRules:
    content = {**yaml.safe_load(example()), "items": items, "match": match}
    return read_scenario(write(folder, yaml.safe_dump(content))).match


@pytest.mark.parametrize("stimulus", [{"cycle": "GET https://h/"}, {"poll": "GET https://h/"}])
def test_cycles_that_no_pause_parts_have_no_answers_of_their_own(
    folder: Path, stimulus: dict[str, object]
) -> None:
    key = {} if "cycle" in stimulus else {"key": KEY}
    effect = {"request": "POST https://h/", **key}
    modes = {"modes": {"GET https://h/position": "by-cycle"}}

    with pytest.raises(InputError, match="only a pause tells"):
        matching(folder, {"stimulus": stimulus, "effect": effect}, modes)


def test_a_mode_by_cycle_knows_the_cycle(folder: Path) -> None:
    items = {
        "stimulus": {"cycle": "GET https://h/", "pause_s": 2},
        "effect": {"request": "POST https://h/"},
    }
    modes = {"modes": {"GET https://h/position": "by-cycle"}}
    match = matching(folder, items, modes)

    assert match.modes == (("GET https://h/position", "by-cycle"),)
    assert match.cycle == CycleStimulus(("GET https://h/",), pause_s=2.0)


def with_latency(folder: Path, name: str, patterns: object, **more: object) -> Scenario:
    content = {**yaml.safe_load(example()), "latencies": {name: patterns}, **more}
    return read_scenario(write(folder, yaml.safe_dump(content)))


def test_own_latencies_may_be_claimed_and_demanded(folder: Path) -> None:
    found = with_latency(folder, "desk_api_ms", "GET https://h/*", targets={"desk_api_ms.p95": 300})

    assert found.latencies == {"desk_api_ms": ("GET https://h/*",)}
    assert found.targets == {"desk_api_ms.p95": 300}


def test_what_a_count_gives_per_item_may_be_claimed_and_demanded(folder: Path) -> None:
    content = {
        **yaml.safe_load(example()),
        "counts": {"calls": ["GET https://h/a", "GET https://h/b"]},
        "claims": [{"text": "t", "source": "s", "metric": "calls_per_item", "after": 31}],
        "targets": {"calls_per_item": 31, "cpu_ms_per_item": 5},
    }
    found = read_scenario(write(folder, yaml.safe_dump(content)))

    assert found.counts == {"calls": ("GET https://h/a", "GET https://h/b")}
    assert found.claims[0].metric == "calls_per_item"
    assert found.targets == {"calls_per_item": 31, "cpu_ms_per_item": 5}


@pytest.mark.parametrize(
    ("name", "patterns", "what"),
    [
        ("desk_api", "GET https://h/*", "not a name for a latency"),
        ("upstream_latency_ms", "GET https://h/*", "measured by perfscan"),
        ("desk_ms", [], "no request pattern"),
    ],
)
def test_mistakes_in_own_latencies_are_named(
    folder: Path, name: str, patterns: object, what: str
) -> None:
    with pytest.raises(InputError, match=what):
        with_latency(folder, name, patterns)


def test_several_requests_and_what_apologises_are_read(folder: Path) -> None:
    requests = [f"POST https://h/{name}" for name in ("send", "edit")]
    effect = {"request": requests, "key": KEY, "apology": "try (it )?again"}
    poll = {"poll": "GET https://h/"}

    found = items_of(folder, poll, effect).effect
    assert found == RequestEffect(tuple(requests), KeyRule("$.id"), apology="try (it )?again")
    for mistake in ({"request": []}, {"apology": "("}):
        with pytest.raises(InputError, match=r"no request pattern|not a regular expression"):
            items_of(folder, poll, effect | mistake)


def test_what_services_compress_is_read(folder: Path) -> None:
    content = {**yaml.safe_load(example()), "compresses": "GET https://h/*"}

    assert read_scenario(write(folder, yaml.safe_dump(content))).compresses == ("GET https://h/*",)
