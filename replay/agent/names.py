"""Where a host name leads: to the local stand-in, to the real resolver, or nowhere."""

from __future__ import annotations

import os

from . import refusal

TYPE_CHECKING = False
if TYPE_CHECKING:
    from types import ModuleType
    from typing import Any

    from .config import Config

LOOPBACK = "127.0.0.1"
STAND_IN = "127.112.102.115"
"""What redirected names resolve to. Some clients keep the address of an answer but not its port,
so a connection there is given the right port when it is made."""
_SERVICES = {"http": 80, "https": 443}


def local_port(config: Config, host: Any, port: Any) -> int | None:
    """Return the local port that stands in for ``host:port``, or None to look the name up.

    In a replay a host outside the recording raises socket.gaierror.
    """
    name = text_of(host).rstrip(".").lower()
    if name == STAND_IN and config.ports is not None:
        return config.ports.get(number_of(port), number_of(port))
    if is_literal(name) or (_is_this_machine(name) and not config.include_local):
        return None
    ports = config.ports
    number = number_of(port)
    if config.mode == "record":
        return None if ports is None else ports.get(number)
    if name not in config.hosts:
        raise refusal.unknown_name(config, name, number)
    if ports is None:
        return None
    if number and number not in ports:
        raise refusal.unknown_name(config, f"{name}:{number}", number)
    return ports.get(number, 0)


def check_address(config: Config, address: Any) -> None:
    """Refuse a direct connection to an address that is not this machine's (replay only)."""
    if not isinstance(address, tuple) or len(address) < 2:
        return  # a Unix socket
    name = text_of(address[0]).lower()
    if not is_literal(name):
        local_port(config, name, address[1])
    elif not is_loopback(name):
        raise refusal.unknown_address(config, name, number_of(address[1]))


def is_literal(name: str) -> bool:
    """Whether ``name`` is an IP address, or the empty name."""
    return not name or ":" in name or not name.strip("0123456789.")


def is_loopback(name: str) -> bool:
    """Whether the literal or empty ``name`` stays on this machine."""
    return name in ("", "::1", "0.0.0.0", "::") or name.startswith(("127.", "::ffff:127."))


def patch_socket(config: Config, socket: ModuleType) -> None:
    """Let the resolver functions of ``socket`` ask :func:`local_port` first."""
    socket.getaddrinfo = _with_port(config, socket.getaddrinfo)  # type: ignore[attr-defined]
    for name in ("gethostbyname", "gethostbyname_ex"):
        setattr(socket, name, _without_port(config, getattr(socket, name)))
    for name in ("connect", "connect_ex"):
        setattr(socket.socket, name, _checked(config, getattr(socket.socket, name)))


def _with_port(config: Config, original: Any) -> Any:
    def getaddrinfo(host: Any, port: Any, *arguments: Any, **options: Any) -> Any:
        local = local_port(config, host, port)
        if local is not None:
            host, port = STAND_IN, local or port
        return original(host, port, *arguments, **options)

    return named_like(original, getaddrinfo)


def _without_port(config: Config, original: Any) -> Any:
    def resolve(hostname: Any, /) -> Any:
        local = local_port(config, hostname, None)
        return original(hostname if local is None else STAND_IN)

    return named_like(original, resolve)


def _checked(config: Config, original: Any) -> Any:
    def connect(self: Any, address: Any, /) -> Any:
        if config.mode == "replay":
            check_address(config, address)
        if isinstance(address, tuple) and address[0] == STAND_IN:
            address = LOOPBACK, local_port(config, *address[:2])
        return original(self, address)

    return named_like(original, connect)


def named_like(original: Any, function: Any) -> Any:
    """Return ``function`` with the name and description of ``original``."""
    for attribute in ("__name__", "__qualname__", "__doc__"):
        setattr(function, attribute, getattr(original, attribute, None))
    function.__module__ = "socket"
    return function


def patch_asyncio(config: Config, base_events: ModuleType) -> None:
    """Refuse unknown names before asyncio leaves the bot's stack for a resolver thread."""
    loop = base_events.BaseEventLoop
    original = loop.getaddrinfo

    async def getaddrinfo(self: Any, host: Any, port: Any, **options: Any) -> Any:
        local_port(config, host, port)
        return await original(self, host, port, **options)

    loop.getaddrinfo = named_like(original, getaddrinfo)


def patch_aiodns(config: Config, aiodns: ModuleType) -> None:
    """Lead names to the recorder, or explain unknown ones before c-ares asks in vain."""
    for name in ("getaddrinfo", "gethostbyname"):
        original = getattr(aiodns.DNSResolver, name, None)
        if original is not None:
            setattr(aiodns.DNSResolver, name, _asked_first(config, original))


def _asked_first(config: Config, original: Any) -> Any:
    def resolve(self: Any, host: Any, *arguments: Any, **options: Any) -> Any:
        local = local_port(config, host, options.get("port"))
        if local:
            host, options["port"] = STAND_IN, local
        return original(self, host, *arguments, **options)

    return resolve


def _is_this_machine(name: str) -> bool:
    return name == "localhost" or name.endswith(".localhost") or name == os.uname().nodename.lower()


def text_of(host: Any) -> str:
    """Return a host as it may be given to a socket function, as text."""
    if isinstance(host, bytes | bytearray):
        return host.decode("latin-1")
    return str(host) if host is not None else ""


def number_of(port: Any) -> int:
    """Return a port as it may be given to a resolver, as a number; 0 for an unknown service."""
    if isinstance(port, bytes):
        port = port.decode("latin-1")
    if isinstance(port, str):
        return int(port) if port.isdigit() else _SERVICES.get(port, 0)
    return port or 0
