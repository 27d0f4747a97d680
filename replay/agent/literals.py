"""Connections to addresses given as numbers, led to the recorder as those by name are.

Which address was meant is written into a file, together with the port from which the connection
comes: that port is drawn beforehand, so the recorder finds the line when it accepts.
"""

from __future__ import annotations

from . import names
from .refusal import write_line

TYPE_CHECKING = False
if TYPE_CHECKING:
    from types import ModuleType
    from typing import Any

    from .config import Config


def patch_socket(config: Config, socket: ModuleType) -> None:
    """Extend ``connect`` and ``connect_ex`` of sockets."""
    for name in ("connect", "connect_ex"):
        original = getattr(socket.socket, name)
        setattr(socket.socket, name, _led(config, socket, original))


def is_recorded(config: Config, host: Any, port: Any) -> bool:
    """Whether ``host`` is an address of another machine and ``port`` one that is recorded."""
    name = names.text_of(host).lower()
    foreign = names.is_literal(name) and not names.is_loopback(name)
    return foreign and config.ports is not None and names.number_of(port) in config.ports


def _led(config: Config, socket: ModuleType, original: Any) -> Any:
    def connect(self: Any, address: Any, /) -> Any:
        if isinstance(address, tuple) and self.type == socket.SOCK_STREAM:
            host, port = address[:2]
            if is_recorded(config, host, port) and config.ports is not None:
                drawn = _drawn_port(self, socket)
                write_line(config, {"from": drawn, "host": names.text_of(host), "port": port})
                if drawn:
                    address = names.LOOPBACK, config.ports[names.number_of(port)]
        return original(self, address)

    return names.named_like(original, connect)


def _drawn_port(sock: Any, socket: ModuleType) -> int:
    """Bind ``sock`` and return its port; 0 where it cannot be led to the recorder."""
    if sock.family != socket.AF_INET:
        return 0
    try:
        if sock.getsockname()[1]:
            return 0  # the bot has bound it to a way out of its own choice
        sock.bind((names.LOOPBACK, 0))
        return int(sock.getsockname()[1])
    except OSError:
        return 0
