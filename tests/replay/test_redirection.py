"""The bot's environment leads to the stand-in and keeps what it had."""

from __future__ import annotations

import os
from pathlib import Path

from perfscan.replay.agent import config
from perfscan.replay.certificates import Authority
from perfscan.replay.redirection import (
    AGENT_FOLDER,
    bot_environment,
    escapes,
    unguarded,
    write_bundle,
)


def environment(tmp_path: Path, **base: str) -> dict[str, str]:
    return bot_environment(
        base,
        mode="replay",
        ca_bundle=tmp_path / "ca.pem",
        hosts=["api.example.com"],
        ports={443: 5001},
        report=tmp_path / "report.jsonl",
    )


def test_the_agent_comes_first_on_the_path_and_the_rest_stays(tmp_path: Path) -> None:
    given = environment(tmp_path, PYTHONPATH=f"a{os.pathsep}b", HOME="home")
    assert given["PYTHONPATH"].split(os.pathsep) == [str(AGENT_FOLDER), "a", "b"]
    assert environment(tmp_path)["PYTHONPATH"] == str(AGENT_FOLDER)
    assert given["HOME"] == "home"
    assert (AGENT_FOLDER / "sitecustomize.py").is_file()


def test_proxies_are_dropped_and_the_authority_is_trusted(tmp_path: Path) -> None:
    given = environment(tmp_path, HTTPS_PROXY="http://proxy", all_proxy="x", NO_PROXY="y")
    assert not {"HTTPS_PROXY", "all_proxy"} & given.keys()
    assert given["NO_PROXY"] == "y"
    assert given["REQUESTS_CA_BUNDLE"] == given["SSL_CERT_FILE"] == str(tmp_path / "ca.pem")


def test_the_orders_can_be_read_back(tmp_path: Path) -> None:
    read = config.decode(environment(tmp_path)[config.VARIABLE])
    assert (read.mode, read.ports, set(read.hosts)) == ("replay", {443: 5001}, {"api.example.com"})
    assert read.guards_alone


def test_contexts_need_not_read_a_long_bundle_twice(tmp_path: Path) -> None:
    given = bot_environment(
        {},
        mode="record",
        ca_bundle=tmp_path / "bundle.pem",
        authority=tmp_path / "ca.pem",
        hosts=(),
        ports={443: 5001},
        report=tmp_path / "report.jsonl",
    )
    assert given["SSL_CERT_FILE"] == str(tmp_path / "bundle.pem")
    assert config.decode(given[config.VARIABLE]).ca == str(tmp_path / "ca.pem")


def test_escapes_are_told_once_each_with_their_line(tmp_path: Path) -> None:
    report = tmp_path / "report.jsonl"
    assert escapes(report) == ()
    line = '{"host": "x.example.com", "where": "bot.py:3"}\n'
    report.write_text(line + line + line.replace("bot.py:3", "bot.py:4") + '{"host": "cut')
    assert escapes(report) == ("x.example.com (bot.py:3)", "x.example.com (bot.py:4)")


def test_the_bundle_trusts_the_run_and_the_system(tmp_path: Path) -> None:
    authority = Authority.create(tmp_path)
    bundle = write_bundle(authority.ca_file, tmp_path / "bundle.pem").read_text()
    assert bundle.endswith(authority.ca_file.read_text())
    assert unguarded(["node", "x"]) is not None
