"""One connection to the bot: a request at a time, then perhaps a WebSocket."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable
from typing import cast

from websockets.frames import CloseCode, Frame, Opcode
from websockets.protocol import Side

from perfscan.replay.content_coding import coding_of, inflated
from perfscan.replay.driver.plan import Asking, Saying
from perfscan.replay.model import (
    DRIVEN,
    Close,
    Failure,
    Message,
    Observed,
    Party,
    Request,
    Response,
)
from perfscan.replay.wire import MessageReader, ResponseReader, WireError, WireMessage, header

Clock = Callable[[], int]
Observe = Callable[[Observed], None]


class Line(asyncio.Protocol):
    """Sends what it is given as soon as it is connected, and reports what comes back."""

    def __init__(
        self, number: int, clock: Clock, observe: Observe, settled: Callable[[bool], None]
    ) -> None:
        self.number = number
        self._clock = clock
        self._observe = observe
        self._settled = settled
        """Called once for each request: whether it was answered."""
        self._transport: asyncio.Transport | None = None
        self._reader = ResponseReader()
        self._asking: Asking | None = None
        self._messages: MessageReader | None = None
        self._unsaid: deque[Saying] = deque()
        self._hanging_up = False
        self._closed_by: Party = "bot"
        self.over = False

    @property
    def free(self) -> bool:
        """Whether another request can go over it."""
        return not self.over and self._asking is None and self._messages is None

    def ask(self, asking: Asking) -> None:
        """Send a request, now or as soon as there is a connection."""
        self._asking = asking
        if self._transport is not None:
            self._send_request(self._transport)

    def say(self, saying: Saying) -> None:
        """Send a message, now or as soon as the WebSocket is open."""
        if self._messages is None:
            self._unsaid.append(saying)
        elif self._transport is not None and not self.over:
            self._transport.write(saying.frame)
            self._observe(Message(self.number, self._clock(), "received", saying.data))

    def hang_up(self) -> None:
        """Close as the recorded user did, once nothing is under way."""
        self._hanging_up = True
        if self._asking is None and self._transport is not None:
            self._closed_by = "upstream"
            if self._messages is not None:
                close = CloseCode.NORMAL_CLOSURE.to_bytes(2, "big")
                self._transport.write(Frame(Opcode.CLOSE, close).serialize(mask=True))
            self._transport.close()

    def abort(self) -> None:
        """Cut the connection: the run is over."""
        self._closed_by = "upstream"
        if self._transport is not None:
            self._transport.abort()

    def failed(self, detail: str) -> None:
        """Note that there is no connection, or no longer."""
        self.over = True
        exchange = self._asking.request.exchange + DRIVEN if self._asking else None
        self._observe(Failure(self.number, self._clock(), detail, exchange))
        if self._asking is not None:
            self._asking = None
            self._settled(False)

    # --- What asyncio calls -----------------------------------------------------------------------

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Send what is waiting."""
        self._transport = cast(asyncio.Transport, transport)
        if self._asking is not None:
            self._send_request(self._transport)

    def data_received(self, data: bytes) -> None:
        """Read what the bot says."""
        try:
            if self._messages is None:
                self._read_response(data)
            else:
                self._read_messages(data)
        except WireError as error:
            self.failed(str(error))
            self.abort()

    def connection_lost(self, exc: Exception | None) -> None:
        """End."""
        if not self.over and self._asking is not None:
            if self._messages is None and self._reader.end():
                self._take_responses()
            if self._asking is not None:
                self.failed(str(exc) if exc else "the bot closed the connection without an answer")
        self.over = True
        code, reason = (self._messages and self._messages.closed) or (None, "")
        self._observe(Close(self.number, self._clock(), self._closed_by, code, reason))

    # --- HTTP -------------------------------------------------------------------------------------

    def _send_request(self, transport: asyncio.Transport) -> None:
        assert self._asking is not None
        asked = self._asking.request
        self._reader.expect(asked.method)
        transport.write(self._asking.data)
        self._observe(
            Request(
                *(asked.exchange + DRIVEN, self.number, self._clock(), asked.method),
                *(asked.target, asked.headers, asked.body),
            )
        )

    def _read_response(self, data: bytes) -> None:
        self._reader.feed(data, self._clock())
        self._take_responses()
        if self._messages is None and self._reader.after_upgrade is not None:
            self._open_websocket(bytes(self._reader.after_upgrade))

    def _take_responses(self) -> None:
        for response in self._reader.take():
            if self._asking is None:
                raise WireError("the bot answered what nobody asked")
            body = inflated(coding_of(response.headers), response.body)
            self._observe(
                Response(
                    *(self._asking.request.exchange + DRIVEN, self.number),
                    *(response.at_ns, response.end_ns, response.status),
                    headers=response.headers,
                    body=response.body if body is None else body,
                    reason=response.reason,
                )
            )
            if response.status == 101:
                self._extensions = header(response.headers, "sec-websocket-extensions")
            self._asking = None
            self._settled(True)
            if self._hanging_up or "close" in header(response.headers, "connection").lower():
                self.over = True
                if self._transport is not None:
                    self._transport.close()

    # --- WebSocket --------------------------------------------------------------------------------

    def _open_websocket(self, rest: bytes) -> None:
        self._messages = MessageReader(Side.SERVER, self._extensions)
        waiting, self._unsaid = self._unsaid, deque()
        for saying in waiting:
            self.say(saying)
        if rest:
            self._read_messages(rest)

    def _read_messages(self, data: bytes) -> None:
        assert self._messages is not None
        now_ns = self._clock()
        for found in self._messages.feed(data):
            if isinstance(found, WireMessage):
                self._observe(Message(self.number, now_ns, "sent", found.data))
        if self._messages.replies and self._transport is not None:
            self._transport.write(self._messages.replies)
        if self._messages.closed is not None and self._transport is not None:
            self._transport.close()
