"""Where bot and services live during a run: a network of their own, or the guarded loopback."""

from __future__ import annotations

import socket
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from perfscan.replay.exchanges import outbound
from perfscan.replay.model import Recording
from perfscan.replay.namespace import Namespace, unavailable


@dataclass(frozen=True, slots=True)
class Network:
    """The recorded hosts, and sockets on which their stand-in listens."""

    hosts: tuple[str, ...]
    listeners: Mapping[int, socket.socket]
    """Recorded port to the listening socket that answers for it."""
    command: Callable[[Sequence[str]], list[str]]
    """Turns a command into one that runs inside this network."""
    isolated: bool
    """True in a namespace, from which no packet leaves; False where only the hook guards."""
    doors: tuple[socket.socket, ...] = ()
    """Sockets that listen inside for services which somebody else runs outside."""

    @property
    def redirected_ports(self) -> dict[int, int] | None:
        """Recorded port to local port where the hook must redirect; None inside a namespace."""
        if self.isolated:
            return None
        return {port: listener.getsockname()[1] for port, listener in self.listeners.items()}


@contextmanager
def open_network(
    recording: Recording, folder: Path, outside: Sequence[int] = ()
) -> Iterator[Network]:
    """Open the network for one run and close it afterwards; ``folder`` takes its files.

    For each port in ``outside`` there is a door: at that port, or at the next that is not recorded.
    """
    opens = outbound(recording)
    hosts = tuple(sorted({event.host for event in opens}))
    ports = sorted({event.port for event in opens})
    with ExitStack() as stack:
        if unavailable() is None:
            inner = _unused(outside, ports)
            namespace = stack.enter_context(Namespace.open(hosts, [*ports, *inner], folder))
            listeners = dict(namespace.listeners)
            doors = tuple(listeners.pop(port) for port in inner)
            yield Network(hosts, listeners, namespace.command, isolated=True, doors=doors)
            return
        listeners = {port: stack.enter_context(_listen_on_loopback()) for port in ports}
        doors = tuple(stack.enter_context(_listen_on_loopback()) for _ in outside)
        yield Network(hosts, listeners, list, isolated=False, doors=doors)


def _unused(wanted: Sequence[int], used: Sequence[int]) -> list[int]:
    taken = set(used)
    found = []
    for port in wanted:
        while port in taken:
            port += 1
        taken.add(port)
        found.append(port)
    return found


def _listen_on_loopback() -> socket.socket:
    return socket.create_server(("127.0.0.1", 0), backlog=512)
