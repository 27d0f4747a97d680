"""``limits`` and ``faults`` of a scenario."""

from __future__ import annotations

from pathlib import Path

import pytest

from perfscan.errors import InputError
from perfscan.replay.model import Ban, HostLimits, Rate, RateLimit, Refusal
from perfscan.replay.scenario.limits import read_limits, read_scenario_faults
from perfscan.replay.yaml_node import YamlNode, read_yaml

S = 10**9
URL = "https://h/v1/depth"


@pytest.fixture
def yaml(tmp_path: Path) -> Path:
    return tmp_path / "scenario.yaml"


def node(yaml: Path, text: str) -> YamlNode:
    yaml.write_text(text, "utf-8")
    return read_yaml(yaml)


def test_a_rate_with_all_that_belongs_to_it(yaml: Path) -> None:
    text = f"""
- host: API.example.com
  rate: 1200/1m
  burst: 600
  requests: [GET {URL}]
  weights: {{GET {URL}: 5}}
  weight_header: X-Used
  exceeded: {{status: 418, retry_after_s: 10, headers: {{X-A: 1}}, body: no}}
  ban: {{after: 3, for: 2m, status: 403}}
"""
    assert read_limits(node(yaml, text)) == (
        HostLimits(
            "api.example.com",
            rate=RateLimit(
                *(Rate(1200, 60 * S), 600, (f"GET {URL}",), {f"GET {URL}": 5.0}, "X-Used"),
                Refusal(418, 10, (("X-A", "1"),), "no"),
                Ban(3, 120 * S, 403),
            ),
        ),
    )


def test_connections_and_defaults(yaml: Path) -> None:
    text = """
- {host: a, rate: 30/s}
- {host: slow, rate: 0.5/s}
- {host: b, connections: 3, new_connections: 300/5m, websockets: 2, concurrency: 4, when_full: 503}
"""
    assert read_limits(node(yaml, text)) == (
        HostLimits("a", rate=RateLimit(Rate(30, S), 30)),
        HostLimits("slow", rate=RateLimit(Rate(0.5, S), 1)),
        HostLimits("b", None, 3, Rate(300, 300 * S), 2, 503, 4),
    )
    assert read_limits(None) == ()


@pytest.mark.parametrize(
    ("entry", "says"),
    [
        ("{host: a}", "nothing is limited"),
        ("{rate: 1/s}", "'host' is missing"),
        ("{host: a, burst: 3}", "'burst' needs a rate"),
        ("{host: 'http://a/', rate: 1/s}", "not a host"),
        ("{host: a, rate: 100}", "write 1200/1m"),
        ("{host: a, rate: 10/s, burst: 0}", "more than 0"),
        ("{host: a, rate: 10/s, burst: 0.5}", "no request is ever allowed"),
        ("{host: a, rate: 1/s, weights: {GET x: 1}}", "not a request pattern"),
        (f"{{host: a, rate: 1/s, weights: {{GET {URL}: 2}}}}", "never allowed"),
        ("{host: a, rate: 1/s, exceeded: {status: 200}}", "from 400"),
        ("{host: a, rate: 1/s, exceeded: {status: 600}}", "not a status of a refusal"),
        ("{host: a, rate: 1/s, ban: {after: 1}}", "'for' is missing"),
        ("{host: a, rate: 1/s, ban: {after: 1, for: 2}}", "the unit is missing"),
        ("{host: a, connections: 0}", "from 1"),
        ("{host: a, conections: 2}", "did you mean 'connections'"),
    ],
)
def test_mistakes_name_their_line(yaml: Path, entry: str, says: str) -> None:
    with pytest.raises(InputError, match=says) as raised:
        read_limits(node(yaml, f"- {entry}"))
    assert f"{yaml}:1" in (raised.value.where or "")


def test_faults_as_on_the_command_line(yaml: Path) -> None:
    faults = read_scenario_faults(node(yaml, "[loss=5%, 'latency=1s,stall=1%']"))
    assert [fault.spec for fault in faults] == ["loss=5%", "latency=1s", "stall=1%"]
    with pytest.raises(InputError, match="did you mean 'loss'") as raised:
        read_scenario_faults(node(yaml, "- latency=1s\n- los=5%"))
    assert raised.value.where == f"{yaml}:2: [1]"
