"""The network that a replay cannot leave: a Linux namespace with loopback and recorded hosts only.

Bot and services run inside it. The upstream server stays outside and answers through listening
sockets that were made inside and handed over, so no packet has a way to the real services.
"""

from __future__ import annotations

import ipaddress
import json
import socket
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from perfscan.errors import NotMeasurableError
from perfscan.replay.scratch import scratch_folder

START_LIMIT_S = 10.0
MESSAGE_SIZE = 1 << 16
# Unix sockets cross network namespaces. These lead to name services, and to what starts programs
# that have the network of the machine; a pattern each, below the root.
SERVANTS = (
    "run/nscd",
    "run/systemd/resolve/io.systemd.Resolve*",
    "run/avahi-daemon/socket",
    "run/dbus/system_bus_socket",
    "run/systemd/private",
    "run/snapd*.socket",
    "run/docker.sock",
    "run/containerd/*.sock*",
    "run/crio/*.sock",
    "run/libvirt",
    "run/podman",
    "run/user/*/bus",
    "run/user/*/docker.sock",
    "run/user/*/podman",
    "run/user/*/systemd",
)
_ROOT = Path("/")
_HOLDER = (sys.executable, "-I", "-S", str(Path(__file__).parent / "agent" / "enter.py"))


@dataclass(frozen=True, slots=True)
class Namespace:
    """An open namespace; it lives until the ``with`` block of :meth:`open` ends."""

    listeners: Mapping[int, socket.socket]
    """Port to the socket that listens on it inside the namespace."""
    holder: int
    """Process that keeps the namespace alive."""

    @classmethod
    @contextmanager
    def open(cls, hosts: Sequence[str], ports: Sequence[int], folder: Path) -> Iterator[Namespace]:
        """Make a namespace in which every host of ``hosts`` is the loopback device.

        ``folder`` gets the files that stand in for those of the system. Raises NotMeasurableError
        where the system does not allow it; ask :func:`unavailable` first.
        """
        with ExitStack() as stack:
            ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
            process = subprocess.Popen(
                [*_HOLDER, "hold", str(theirs.fileno())],
                pass_fds=[theirs.fileno()],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
            )
            theirs.close()
            stack.callback(_end, process)
            stack.enter_context(ours)  # closed first: the holder ends when its channel does
            listeners = _order(ours, folder, hosts, sorted(set(ports)))
            for listener in listeners.values():
                stack.enter_context(listener)
            yield cls(listeners, process.pid)

    def command(self, argv: Sequence[str]) -> list[str]:
        """Return ``argv`` wrapped so that it runs inside, in the caller's folder and environment.

        Exit status 127 or 126 says that there is no such command or that it cannot be executed.
        """
        return [*_HOLDER, "join", str(self.holder), *argv]


@cache
def unavailable() -> str | None:
    """Return why namespaces cannot be used on this system, or None where they can."""
    if sys.platform != "linux":
        return f"network namespaces are a Linux feature, this is {sys.platform}"
    try:
        with (
            scratch_folder("perfscan-net-") as folder,
            Namespace.open(["host.example"], [80], folder) as namespace,
        ):
            joined = subprocess.run(
                namespace.command([sys.executable, "-I", "-S", "-c", ""]),
                capture_output=True,
                text=True,
                check=False,
            )
    except NotMeasurableError as error:
        return error.what
    return joined.stderr.strip() or f"exit {joined.returncode}" if joined.returncode else None


def _order(
    channel: socket.socket, folder: Path, hosts: Sequence[str], ports: Sequence[int]
) -> dict[int, socket.socket]:
    """Tell the holder what to make and return the listening sockets that it hands over."""
    addresses = [host for host in hosts if _is_foreign_address(host)]
    order = {"files": _private_files(folder, hosts), "ports": ports, "addresses": addresses}
    channel.settimeout(START_LIMIT_S)
    try:
        channel.sendall(json.dumps(order).encode())
        answer, descriptors, _, _ = socket.recv_fds(
            channel, MESSAGE_SIZE, len(ports), socket.MSG_CMSG_CLOEXEC
        )
    except OSError as error:
        raise NotMeasurableError(f"the process that holds the namespace failed: {error}") from error
    listeners = [socket.socket(fileno=descriptor) for descriptor in descriptors]
    problem = json.loads(answer or '{"error": "its holder died"}').get("error")
    if problem:
        raise NotMeasurableError(
            f"no network namespace: {problem}",
            remedy="allow unprivileged user namespaces, or run as root",
        )
    return dict(zip(ports, listeners, strict=True))


def _private_files(folder: Path, hosts: Sequence[str]) -> dict[str, str]:
    """Write what shall stand in place of system files; return system path to private path."""
    names = sorted({host.lower().strip(".") for host in hosts if not is_address(host)})
    contents = {
        "/etc/hosts": "127.0.0.1 localhost\n::1 localhost\n"
        + "".join(f"127.0.0.1 {name}\n" for name in names if name != "localhost"),
        # Nobody listens there: a name that is not in the hosts file fails at once.
        "/etc/resolv.conf": "nameserver 127.0.0.1\noptions timeout:1 attempts:1\n",
        "/etc/nsswitch.conf": "passwd: files\ngroup: files\nshadow: files\nhosts: files\n",
    }
    mounts = {}
    folder.mkdir(parents=True, exist_ok=True)
    for target, content in contents.items():
        source = folder / Path(target).name
        source.write_text(content, "utf-8")
        if Path(target).exists():  # a mount needs something to cover
            mounts[target] = str(source)
    no_folder, no_socket = folder / "empty", folder / "nobody"
    no_folder.mkdir(exist_ok=True)
    no_socket.touch()
    found = sorted({path.resolve() for pattern in SERVANTS for path in _ROOT.glob(pattern)})
    return mounts | {str(path): str(no_folder if path.is_dir() else no_socket) for path in found}


def is_address(host: str) -> bool:
    """Tell whether ``host`` is an IP address and no name."""
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True


def _is_foreign_address(host: str) -> bool:
    """Tell whether ``host`` is an IPv4 address that the loopback device does not have yet."""
    try:
        return not ipaddress.IPv4Address(host).is_loopback
    except ValueError:
        return False


def _end(process: subprocess.Popen[bytes]) -> None:
    try:
        process.wait(START_LIMIT_S)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
