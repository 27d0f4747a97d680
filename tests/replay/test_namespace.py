from __future__ import annotations

from pathlib import Path

import pytest

from perfscan.errors import NotMeasurableError
from perfscan.replay import namespace
from perfscan.replay.namespace import Namespace


def hosts_file(folder: Path, hosts: list[str]) -> list[str]:
    mounts = namespace._private_files(folder, hosts)
    return Path(mounts["/etc/hosts"]).read_text("utf-8").splitlines()


def test_recorded_hosts_are_the_loopback_device(tmp_path: Path) -> None:
    lines = hosts_file(tmp_path, ["b.example", "A.example.", "b.example"])
    assert lines[2:] == ["127.0.0.1 a.example", "127.0.0.1 b.example"]


def test_localhost_stays_itself_and_addresses_need_no_name(tmp_path: Path) -> None:
    lines = hosts_file(tmp_path, ["localhost", "10.1.2.3", "::1"])
    assert lines == ["127.0.0.1 localhost", "::1 localhost"]


@pytest.mark.parametrize(
    ("host", "needed"),
    [("10.1.2.3", True), ("127.0.0.1", False), ("127.9.9.9", False), ("a.example", False)],
)
def test_only_foreign_addresses_are_given_to_the_device(host: str, needed: bool) -> None:
    assert namespace._is_foreign_address(host) is needed


def test_every_private_file_covers_an_existing_one(tmp_path: Path) -> None:
    for target, source in namespace._private_files(tmp_path, ["a.example"]).items():
        assert Path(target).exists()
        assert Path(source).exists()


def test_commands_are_wrapped_with_the_holder() -> None:
    wrapped = Namespace({}, holder=4321).command(["python", "bot.py"])
    assert wrapped[-4:] == ["join", "4321", "python", "bot.py"]


def test_a_holder_that_dies_is_an_error_not_a_hang(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(namespace, "_HOLDER", ("false",))
    with (
        pytest.raises(NotMeasurableError, match=r"holder|holds"),
        Namespace.open(["a"], [80], tmp_path),
    ):
        pass


def test_another_system_says_why(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.platform", "darwin")
    namespace.unavailable.cache_clear()
    try:
        assert "Linux" in str(namespace.unavailable())
    finally:
        namespace.unavailable.cache_clear()
