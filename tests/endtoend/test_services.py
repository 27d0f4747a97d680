"""Real services, started and ended for one run."""

from __future__ import annotations

import socket
from contextlib import closing
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from perfscan.errors import NotMeasurableError
from perfscan.replay import services
from perfscan.replay.scenario import SERVICES
from perfscan.replay.services import STARTERS, start_redis

pytestmark = pytest.mark.endtoend


def test_scenarios_may_ask_for_what_can_be_started() -> None:
    assert set(SERVICES) == set(STARTERS)


def test_redis_answers_where_it_says_and_is_gone_afterwards(tmp_path: Path) -> None:
    service = start_redis(tmp_path, list, isolated=False)
    address = urlsplit(service.environment["REDIS_URL"])
    with closing(socket.create_connection((address.hostname, address.port), 5)) as client:
        client.sendall(b"SET key value\r\nGET key\r\n")
        assert client.recv(64).startswith(b"+OK")
    assert service.problem() == ""
    service.close()
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection((address.hostname, address.port), 5)
    assert service.scratch is not None
    assert not service.scratch.exists()


def test_a_service_that_dies_is_told(tmp_path: Path) -> None:
    service = start_redis(tmp_path, list, isolated=False)
    service.process.kill()
    service.process.wait()
    assert service.problem() == "service redis stopped (killed by SIGKILL)"
    service.close()


def test_a_service_that_cannot_start_is_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(services, "_redis_binary", lambda: "/bin/false")
    with pytest.raises(NotMeasurableError, match="service redis stopped"):
        start_redis(tmp_path, list, isolated=False)
