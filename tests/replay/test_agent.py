"""What the code inside the bot's process decides, without starting one."""

from __future__ import annotations

import json
import socket
from pathlib import Path

import pytest

from perfscan.replay.agent import config, guard, names
from perfscan.replay.agent.config import Config


def orders(tmp_path: Path, mode: str = "replay", **changes: object) -> Config:
    values: dict[str, object] = {
        "ca": "ca.pem",
        "hosts": ("api.example.com",),
        "ports": {443: 5001, 80: 5002},
        "report": str(tmp_path / "report.jsonl"),
    }
    return Config(mode, **(values | changes))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "changes", [{}, {"ports": None}, {"ports": {}}, {"hosts": ()}, {"include_local": True}]
)
def test_orders_survive_the_environment(tmp_path: Path, changes: dict[str, object]) -> None:
    given = orders(tmp_path, **changes)
    read = config.decode(config.encode(given))
    assert [getattr(read, name) for name in Config.__slots__] == [
        getattr(given, name) for name in Config.__slots__
    ]


@pytest.mark.parametrize(
    ("host", "port", "expected"),
    [
        ("api.example.com", 443, 5001),
        ("API.example.com.", 443, 5001),
        (b"api.example.com", b"443", 5001),
        ("api.example.com", "https", 5001),
        ("api.example.com", "80", 5002),
        ("any.example.com", 443, 5001),
        ("api.example.com", 5432, None),
        ("api.example.com", None, None),
        ("localhost", 443, None),
        ("db.localhost", 443, None),
        ("127.0.0.1", 443, None),
        ("10.1.2.3", 443, None),
        ("::1", 443, None),
        ("", 443, None),
        (None, 443, None),
    ],
)
def test_when_recording_names_lead_to_the_tap_on_known_ports(
    tmp_path: Path, host: object, port: object, expected: int | None
) -> None:
    assert names.local_port(orders(tmp_path, "record"), host, port) == expected


def test_localhost_is_recorded_on_request(tmp_path: Path) -> None:
    given = orders(tmp_path, "record", include_local=True)
    assert names.local_port(given, "localhost", 80) == 5002
    assert names.local_port(given, "127.0.0.1", 80) is None


def test_in_a_replay_only_recorded_hosts_and_ports_exist(tmp_path: Path) -> None:
    given = orders(tmp_path)
    assert names.local_port(given, "api.example.com", 443) == 5001
    assert names.local_port(given, "api.example.com", None) == 0
    assert names.local_port(given, "localhost", 6379) is None
    for host, port in (("other.example.com", 443), ("api.example.com", 9000)):
        with pytest.raises(socket.gaierror, match=r"perfscan: .* is not in the recording"):
            names.local_port(given, host, port)


def test_in_a_namespace_names_are_looked_up_but_unknown_ones_are_explained(tmp_path: Path) -> None:
    given = orders(tmp_path, ports=None)
    assert names.local_port(given, "api.example.com", 443) is None
    with pytest.raises(socket.gaierror, match=r"a replay never reaches real services \(test_agent"):
        names.local_port(given, "other.example.com", 443)


@pytest.mark.parametrize(
    "address",
    [("127.0.0.1", 1), ("127.8.8.8", 1), ("::1", 1, 0, 0), ("", 1), ("localhost", 1), "/a/socket"],
)
def test_this_machine_may_be_connected_to(tmp_path: Path, address: object) -> None:
    names.check_address(orders(tmp_path), address)


@pytest.mark.parametrize("address", [("8.8.8.8", 53), ("10.0.0.1", 80), ("2606:4700::1111", 443)])
def test_another_machine_may_not_and_the_attempt_is_reported(
    tmp_path: Path, address: tuple[str, int]
) -> None:
    given = orders(tmp_path)
    with pytest.raises(OSError, match=rf"perfscan: {address[0]}:{address[1]} is not"):
        names.check_address(given, address)
    (line,) = Path(given.report).read_text().splitlines()
    report = json.loads(line)
    assert report["host"] == f"{address[0]}:{address[1]}"
    assert report["where"].startswith("test_agent.py:")


@pytest.mark.parametrize(
    ("command", "expected"),
    [
        ("python bot.py", None),
        ("/usr/bin/python3.11 -P -u bot.py -I", None),
        ("python -m bot -E", None),
        ("python -X dev -c pass -S", None),
        ("python -Wignore::ImportWarning bot.py", None),
        ("python -W error -- -I", None),
        ("python -I bot.py", "-I keeps"),
        ("python -W error -I bot.py", "-I keeps"),
        ("python -uX dev -E bot.py", "-E keeps"),
        ("python --check-hash-based-pycs never -S bot.py", "-S keeps"),
        ("python -uE bot.py", "-uE keeps"),
        ("python3 -S -m bot", "-S keeps"),
        ("node bot.js", "not Python"),
        ("python-wrapper bot.py", "not Python"),
        ("bash -c python", "not Python"),
    ],
)
def test_which_commands_the_hooks_can_guard(command: str, expected: str | None) -> None:
    reason = guard.unguarded(command.split())
    assert reason is None if expected is None else expected in str(reason)
