"""Real services: seeded once, started on equal data for every run, gone afterwards."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import textwrap
import time
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path

import psutil
import psycopg
import pytest
import redis as redis_client
import yaml
from endtoend.toy import Toy, perfscan_command, toy_recording

from perfscan.errors import InputError, NotMeasurableError
from perfscan.replay.model import ServiceRule
from perfscan.replay.network import Network, open_network
from perfscan.replay.redirection import inherited
from perfscan.replay.scenario import SERVICES
from perfscan.replay.services import (
    KINDS,
    External,
    Service,
    Templates,
    outside_ports,
    prepare_services,
    start_services,
)
from perfscan.replay.services import redis as redis_kind
from perfscan.replay.services.service import Place

pytestmark = pytest.mark.endtoend

SCHEMA = """
CREATE TABLE candles (symbol text, at integer, close double precision);
INSERT INTO candles SELECT 'BTC', n, n * 1.5 FROM generate_series(1, 1000) AS n;
"""
FILL = """
import os, psycopg
with psycopg.connect(os.environ["DATABASE_URL"]) as connection:
    connection.execute("CREATE TABLE filled AS SELECT 42 AS answer")
"""
ASK = """
import json, os, psycopg
with psycopg.connect(os.environ["DATABASE_URL"]) as connection:
    before = connection.execute("SELECT count(*) FROM candles").fetchone()[0]
    connection.execute("DELETE FROM candles")
print(json.dumps(before))
"""


class Bench:
    """The ground of a bench: templates once, then runs in networks of their own."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._runs = self._prepared = 0

    def prepare(self, *rules: ServiceRule) -> Templates:
        self._prepared += 1
        with open_network(toy_recording(), self.folder / "network") as network:
            return prepare_services(
                rules,
                self.folder / f"templates-{self._prepared}",
                network,
                environment=inherited(),
                home=self.folder,
                python=sys.executable,
            )

    def run(self, rules: list[ServiceRule], templates: Templates, source: str) -> str:
        """Start services and a client in a network of its own; return what it prints."""
        self._runs += 1
        folder = self.folder / f"run-{self._runs}"
        with ExitStack() as stack:
            doors = outside_ports(rules)
            network = stack.enter_context(open_network(toy_recording(), folder / "net", doors))
            services = start_services(rules, templates, folder, network, stack)
            urls = {variable: service.url for variable, service in services.items()}
            done = subprocess.run(
                network.command([sys.executable, "-P", "-c", textwrap.dedent(source)]),
                env=inherited() | urls,
                capture_output=True,
                text=True,
                check=False,
                timeout=60,
            )
        assert done.returncode == 0, done.stderr
        return done.stdout.strip()


def test_scenarios_may_ask_for_what_can_be_started() -> None:
    assert set(SERVICES) == set(KINDS)


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    return Bench(tmp_path)


@pytest.fixture
def place(tmp_path: Path) -> Place:
    """A place on this machine's own loopback device, where a test is a client itself."""
    (tmp_path / "place").mkdir()
    return Place(tmp_path / "place", Network((), {}, list, isolated=False))


@pytest.fixture
def schema(tmp_path: Path) -> Path:
    file = tmp_path / "schema.sql"
    file.write_text(SCHEMA, "utf-8")
    return file


def test_every_run_finds_the_seed_and_not_what_another_run_did(bench: Bench, schema: Path) -> None:
    rules = [ServiceRule("postgresql", seed_file=schema)]
    templates = bench.prepare(*rules, *rules)
    assert len(templates) == 1, "both sides begin with the same data"
    for _ in range(2):
        assert json.loads(bench.run(rules, templates, ASK)) == 1000
    assert not list(bench.folder.glob("run-*/**/PG_VERSION")), "its data goes with the run"


def test_a_command_fills_a_database_with_the_clients_of_the_bot(bench: Bench) -> None:
    (bench.folder / "fill.py").write_text(FILL, "utf-8")
    rules = [ServiceRule("postgresql", seed_command=("python", "fill.py"), variable="PG")]
    with pytest.raises(InputError, match="DATABASE_URL"):
        bench.prepare(*rules)  # it asks for another variable than the one that the bot gets
    rules = [ServiceRule("postgresql", seed_command=("python", "fill.py"))]
    ask = """
        import os, psycopg
        with psycopg.connect(os.environ["DATABASE_URL"]) as connection:
            print(connection.execute("SELECT answer FROM filled").fetchone()[0])
    """
    assert bench.run(rules, bench.prepare(*rules), ask) == "42"


def test_redis_begins_with_its_seed_under_the_name_that_the_bot_reads(bench: Bench) -> None:
    seed = bench.folder / "commands.txt"
    seed.write_text("SET plain 1\nHSET hash name 'with space'\n", "utf-8")
    rules = [ServiceRule("redis", seed_file=seed, variable="CACHE_URL")]
    ask = """
        import os, redis
        client = redis.Redis.from_url(os.environ["CACHE_URL"], decode_responses=True)
        print(client.incr("plain"), client.hget("hash", "name"))
    """
    templates = bench.prepare(*rules)
    assert [bench.run(rules, templates, ask) for _ in range(2)] == ["2 with space"] * 2


def test_mistakes_in_seeds_are_told_in_one_line(bench: Bench) -> None:
    sql, commands = bench.folder / "bad.sql", bench.folder / "bad.txt"
    sql.write_text("SELECT 1;\nCREATE TABEL x ();\n", "utf-8")
    commands.write_text("SET a 1\nSTE b 2\n", "utf-8")
    with pytest.raises(InputError, match=r'2: ERROR: +syntax error at or near "TABEL"'):
        bench.prepare(ServiceRule("postgresql", seed_file=sql))
    with pytest.raises(InputError, match="unknown command `STE`"):
        bench.prepare(ServiceRule("redis", seed_file=commands))
    with pytest.raises(InputError, match="no such library"):
        bench.prepare(
            ServiceRule(
                "redis", seed_command=("python", "-c", "raise SystemExit('no such library')")
            )
        )


def test_a_seed_cannot_leave_the_machine(bench: Bench) -> None:
    source = "import socket; socket.create_connection(('192.0.2.1', 80), 3)"
    with pytest.raises(InputError, match="unreachable"):
        bench.prepare(ServiceRule("redis", seed_command=("python", "-c", source)))


@pytest.mark.parametrize("name", KINDS)
def test_a_service_is_gone_when_it_was_stopped(place: Place, name: str) -> None:
    service = KINDS[name].start(place)
    reach(service).close()
    assert service.problem() == ""
    service.stop()
    with pytest.raises((psycopg.OperationalError, redis_client.ConnectionError)):
        reach(service)


def reach(service: Service | External) -> redis_client.Redis | psycopg.Connection[tuple[object]]:
    if service.name == "redis":
        client = redis_client.Redis.from_url(service.url)
        assert client.ping()
        return client
    return psycopg.connect(service.url)


def test_a_service_that_dies_is_told(place: Place) -> None:
    service = redis_kind.start(place)
    service.process.kill()
    service.process.wait()
    assert service.problem() == "service redis stopped (killed by SIGKILL)"
    service.stop()


def test_a_service_that_cannot_start_is_one_line(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(redis_kind, "_binary", lambda: "/bin/false")
    with pytest.raises(NotMeasurableError, match="service redis stopped"):
        redis_kind.start(place)


def test_a_service_outside_is_reached_through_a_door(bench: Bench, place: Place) -> None:
    outside = redis_kind.start(place)
    try:
        rules = [ServiceRule("redis", url=outside.url)]
        ask = """
            import os, redis
            client = redis.Redis.from_url(os.environ["REDIS_URL"])
            print(client.set("from", "inside"), len(client.echo("x" * 300_000)))
        """
        assert bench.prepare(*rules) == {}
        assert bench.run(rules, {}, ask) == "True 300000"
        assert redis_client.Redis.from_url(outside.url).get("from") == b"inside"
    finally:
        outside.stop()
    with pytest.raises(NotMeasurableError, match="does not answer"):
        bench.run(rules, {}, "")


@pytest.mark.parametrize("moment", ["templates", "original-0"])
def test_a_killed_bench_leaves_no_database_behind(toy: Toy, moment: str) -> None:
    scenario = yaml.safe_load(toy.scenario.read_text("utf-8"))
    scenario["implementations"]["original"]["services"] = ["postgresql"]
    toy.scenario.write_text(yaml.safe_dump(scenario), "utf-8")
    where = {"templates": "services/"}.get(moment, moment)

    def databases() -> list[str]:
        """Return the command lines of servers below the folder of this test."""
        lines = [" ".join(one.info["cmdline"] or []) for one in psutil.process_iter(["cmdline"])]
        return [line for line in lines if f"postgres -D {toy.folder}" in line]

    with subprocess.Popen(
        perfscan_command("bench", "replay", toy.scenario, "--no-scan", "-q"),
        cwd=toy.folder,
        env={**os.environ, "TMPDIR": str(toy.folder)},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    ) as bench:
        wait_until(lambda: any(where in line for line in databases()))
        bench.kill()
    wait_until(lambda: not databases())
    wait_until(lambda: not list(toy.folder.glob("perfscan-*")))


def wait_until(so: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 60
    while not so():
        assert time.monotonic() < deadline
        time.sleep(0.02)
