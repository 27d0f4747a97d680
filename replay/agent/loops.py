"""uvloop opens connections in C, below every hook of Python, so its loop class is extended."""

from __future__ import annotations

from . import guard, literals, names, refusal

TYPE_CHECKING = False
if TYPE_CHECKING:
    from types import ModuleType
    from typing import Any

    from .config import Config


def patch_uvloop(config: Config, uvloop: ModuleType) -> None:
    """Extend ``uvloop.Loop``; where only hooks guard a replay and that fails, refuse the import."""
    try:
        _redirect(config, uvloop.Loop)
        if config.guards_alone:
            _guard(config, uvloop.Loop)
    except (AttributeError, TypeError) as error:
        if config.guards_alone:
            raise ImportError(
                "perfscan: this uvloop cannot be kept from real services without a network "
                f"namespace ({error})"
            ) from error


def _redirect(config: Config, loop: Any) -> None:
    base_connect, base_resolve = loop.create_connection, loop.getaddrinfo

    async def create_connection(
        self: Any, protocol_factory: Any, host: Any = None, port: Any = None, **options: Any
    ) -> Any:
        if host is not None:
            if config.mode == "replay":
                names.check_address(config, (host, port))
            elif literals.is_recorded(config, host, port):
                return await _by_address(self, protocol_factory, host, port, options)
            local = names.local_port(config, host, port)
            if local:
                if options.get("ssl") and options.get("server_hostname") is None:
                    options["server_hostname"] = host
                host, port = names.LOOPBACK, local
        return await base_connect(self, protocol_factory, host, port, **options)

    async def getaddrinfo(self: Any, host: Any, port: Any, **options: Any) -> Any:
        local = names.local_port(config, host, port)
        if local is not None:
            host, port = names.STAND_IN, local or port
        return await base_resolve(self, host, port, **options)

    async def _by_address(
        self: Any, protocol_factory: Any, host: Any, port: Any, options: dict[str, Any]
    ) -> Any:
        """Connect with a socket of Python, which is led to the recorder."""
        import socket

        connected = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET)
        connected.setblocking(False)
        try:
            await self.sock_connect(connected, (host, port))
        except BaseException:
            connected.close()
            raise
        if options.get("ssl") and options.get("server_hostname") is None:
            options["server_hostname"] = host
        return await base_connect(self, protocol_factory, sock=connected, **options)

    loop.create_connection, loop.getaddrinfo = create_connection, getaddrinfo


def _guard(config: Config, loop: Any) -> None:
    """Close the ways out of ``loop`` that only a namespace could close otherwise."""
    base_exec, base_datagram = loop.subprocess_exec, loop.create_datagram_endpoint

    async def subprocess_exec(
        self: Any, protocol_factory: Any, program: Any, *arguments: Any, **options: Any
    ) -> Any:
        guard.check_process(config, [program, *arguments], options.get("env"))
        return await base_exec(self, protocol_factory, program, *arguments, **options)

    async def subprocess_shell(
        self: Any, protocol_factory: Any, command: Any, **options: Any
    ) -> Any:
        raise refusal.unguarded_process(config, f"shell command {command!r}", guard.NOT_PYTHON)

    async def create_datagram_endpoint(
        self: Any, protocol_factory: Any, *arguments: Any, **options: Any
    ) -> Any:
        remote = options.get("remote_addr") or (arguments[1] if len(arguments) > 1 else None)
        names.check_address(config, remote or ("UDP", 0))
        return await base_datagram(self, protocol_factory, *arguments, **options)

    async def getnameinfo(self: Any, sockaddr: Any, flags: int = 0) -> Any:
        raise refusal.unknown_address(config, str(sockaddr[0]), sockaddr[1])

    loop.subprocess_exec, loop.subprocess_shell = subprocess_exec, subprocess_shell
    loop.create_datagram_endpoint, loop.getnameinfo = create_datagram_endpoint, getnameinfo
