"""A service that somebody else runs, reached by its URL.

A bot in a namespace reaches nothing outside, so perfscan listens inside and carries the bytes: to
the one address that the scenario names and to no other. Unix sockets need no such way.
"""

from __future__ import annotations

import socket
import threading
from contextlib import suppress
from urllib.parse import urlsplit, urlunsplit

from perfscan.errors import NotMeasurableError

PIECE = 1 << 16
CONNECT_LIMIT_S = 10.0
Address = tuple[str, int]


def address_of(url: str, usual_port: int) -> Address | None:
    """Return host and port of ``url``; None for a Unix socket."""
    parts = urlsplit(url)
    if not parts.hostname or parts.scheme == "unix":
        return None
    return parts.hostname, parts.port or usual_port


def moved(url: str, port: int) -> str:
    """Return ``url`` with its address replaced by ``port`` of the loopback device."""
    parts = urlsplit(url)
    user, at, _ = parts.netloc.rpartition("@")
    return urlunsplit(parts._replace(netloc=f"{user}{at}127.0.0.1:{port}"))


class External:
    """A service outside; with ``door`` its connections are carried there from inside.

    Raises NotMeasurableError where nothing listens at ``address``.
    """

    def __init__(
        self, name: str, url: str, address: Address | None, door: socket.socket | None
    ) -> None:
        self.name, self.url = name, url
        self._address, self._door = address, door
        self._open: set[socket.socket] = set()
        if address is None or door is None:
            return
        self.url = moved(url, door.getsockname()[1])
        try:
            self._connect(address).close()
        except OSError as error:
            raise NotMeasurableError(
                f"service {name} does not answer at {address[0]}:{address[1]}: {error}",
                remedy="start it, or leave out its url so that perfscan starts one",
            ) from error
        threading.Thread(target=self._accept, args=(door, address), daemon=True).start()

    def problem(self) -> str:
        """Return an empty string: what fails outside shows in the bot."""
        return ""

    def stop(self) -> None:
        """End all connections."""
        for one in [*([self._door] if self._door else []), *self._open]:
            with suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)

    def _accept(self, door: socket.socket, address: Address) -> None:
        while True:
            try:
                inside, _ = door.accept()
            except OSError:  # shut down, or closed with the network
                return
            threading.Thread(target=self._serve, args=(inside, address), daemon=True).start()

    def _serve(self, inside: socket.socket, address: Address) -> None:
        with inside, suppress(OSError), self._connect(address) as outside:
            self._open |= {inside, outside}
            back = threading.Thread(target=_carry, args=(outside, inside), daemon=True)
            back.start()
            _carry(inside, outside)
            back.join()
            self._open -= {inside, outside}

    @staticmethod
    def _connect(address: Address) -> socket.socket:
        connection = socket.create_connection(address, CONNECT_LIMIT_S)
        connection.settimeout(None)
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return connection


def _carry(source: socket.socket, target: socket.socket) -> None:
    with suppress(OSError):
        while piece := source.recv(PIECE):
            target.sendall(piece)
    with suppress(OSError):
        target.shutdown(socket.SHUT_WR)
