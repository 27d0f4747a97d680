"""The recording proxy: one local port that takes TLS and plain connections of the bot.

Per connection of the bot it opens one to the real service, passes the bytes on unchanged in both
directions, and reads along to record them. Which service is meant is in the TLS server name and
the Host header. Bytes go out before they are looked at, so recording costs the bot no round trip.
"""

from __future__ import annotations

import socket
import ssl
from dataclasses import replace
from weakref import WeakKeyDictionary

from perfscan.replay.certificates import LOCAL_NAMES, Authority
from perfscan.replay.exchanges import DEFAULT_PORTS
from perfscan.replay.model import Close, Failure, Open
from perfscan.replay.recorder.accepting import TLS_HANDSHAKE, Connection, open_streams, peek
from perfscan.replay.recorder.addresses import Addresses
from perfscan.replay.recorder.capture import Capture
from perfscan.replay.recorder.held_streams import HeldStreams
from perfscan.replay.recorder.listening import Listener
from perfscan.replay.recorder.relay import Relay
from perfscan.replay.recorder.upstream import Dialer

NO_TUNNEL = (
    b"HTTP/1.1 501 Not Implemented\r\nContent-Length: 0\r\nConnection: close\r\n"
    b"X-Perfscan: give the proxy in HTTPS_PROXY to perfscan record instead\r\n\r\n"
)


class Tap:
    """The listening side; ``port`` is where the bot is sent."""

    def __init__(
        self,
        capture: Capture,
        dialer: Dialer,
        authority: Authority,
        addresses: Addresses,
        held: HeldStreams | None,
    ) -> None:
        self._capture = capture
        self._dialer = dialer
        self._held = held
        self._names: WeakKeyDictionary[ssl.SSLObject, str] = WeakKeyDictionary()
        self._authority = authority
        self._addresses = addresses
        self._contexts: dict[str, ssl.SSLContext] = {}
        self._listener = Listener(socket.create_server(("127.0.0.1", 0), backlog=512), self._serve)
        self.port = self._listener.port

    def _context_for(self, address: str) -> ssl.SSLContext:
        """Return a context for the TLS connections to ``address``, which is empty for names."""
        if address not in self._contexts:
            names = (*LOCAL_NAMES, address) if address else LOCAL_NAMES
            self._contexts[address] = self._with_names(self._authority.server_context(names))
        return self._contexts[address]

    def _with_names(self, context: ssl.SSLContext) -> ssl.SSLContext:
        """Also remember which server name each connection asked for."""
        choose = context.sni_callback

        def remember(
            connection: ssl.SSLObject, name: str | None, initial: ssl.SSLContext
        ) -> int | None:
            if name:
                self._names[connection] = name.lower()
            return choose(connection, name, initial) if choose else None  # type: ignore[arg-type]

        context.sni_callback = remember
        return context

    async def close(self) -> None:
        """Stop listening and end what is still open."""
        if self._held:
            await self._held.close()
        await self._listener.close()

    async def _serve(self, accepted: socket.socket) -> None:
        number, at_ns = self._capture.connection(), self._capture.now()
        try:
            first = await peek(accepted)
            if not first:
                accepted.close()
                return
            tls = first[0] == TLS_HANDSHAKE
            address = self._addresses.of(accepted.getpeername()[1])
            context = self._context_for(address) if tls else None
            reader, writer = await open_streams(accepted, context)
        except (OSError, TimeoutError) as error:
            accepted.close()
            detail = f"the bot broke off the TLS handshake with the recorder: {error}"
            self._capture.add(Failure(number, at_ns, detail))
            return
        name = self._names.get(writer.get_extra_info("ssl_object"), "") if tls else ""
        bot = Connection(number, at_ns, "https" if tls else "http", name, reader, writer)
        try:
            await self._relay(bot)
        finally:
            writer.close()

    async def _relay(self, bot: Connection) -> None:
        relay = Relay(bot, self._capture)
        first = await relay.first_head()
        if first is None:
            self._left_silently(bot, relay)
            return
        head, sent = first
        host, port = bot.service(head)
        if head.method == "CONNECT":
            bot.writer.write(NO_TUNNEL)
            relay.fail(
                f"the bot uses a proxy of its own (CONNECT {head.target}), through which nothing "
                "can be recorded; give the proxy in HTTPS_PROXY to perfscan record instead"
            )
            return
        if not host:
            relay.fail("the request names no host")
            return
        opened = Open(bot.number, bot.at_ns, bot.scheme, host, port)
        if self._held and head.is_websocket:
            await self._held.serve(opened, head, sent, bot.reader, bot.writer)
            return
        try:
            upstream = await self._dialer.dial(host, port, tls=bot.scheme == "https")
        except (OSError, TimeoutError) as error:
            reason = str(error) or type(error).__name__
            relay.refused(opened, f"cannot connect to {host}:{port}: {reason}")
            return
        opened = replace(opened, connect_ns=upstream.connect_ns, tls_ns=upstream.tls_ns)
        await relay.run(opened, upstream.reader, upstream.writer, sent)

    def _left_silently(self, bot: Connection, relay: Relay) -> None:
        """Record a connection that was opened and closed without a request."""
        if bot.server_name and not relay.failed:
            port = DEFAULT_PORTS[bot.scheme]
            self._capture.add(Open(bot.number, bot.at_ns, bot.scheme, bot.server_name, port))
            self._capture.add(Close(bot.number, self._capture.now(), "bot"))
