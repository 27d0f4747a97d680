"""One connection of the bot: HTTP/1.1 with keep-alive and pipelining, then perhaps a WebSocket.

A request goes through :meth:`HttpConnection._take`, which asks the playback for its answer and
says when that is due, waits in the queue as a :class:`~perfscan.replay.server.turn.Turn`, and is
answered by :meth:`HttpConnection._send`, the one place where answers are written.
"""

from __future__ import annotations

import asyncio
from collections import deque
from functools import partial
from typing import cast

from perfscan.replay.model import Close, Failure, Open, Party
from perfscan.replay.server.aged_reader import AgedReader
from perfscan.replay.server.answers import WORTH_A_TIMER_NS, Answer, head_of
from perfscan.replay.server.delivery import Delivery
from perfscan.replay.server.emulation import UNDISTURBED
from perfscan.replay.server.playback import Playback
from perfscan.replay.server.recognition import Heard, Recognition
from perfscan.replay.server.resets import reset_on_close
from perfscan.replay.server.scripts import Wanted, script
from perfscan.replay.server.timeline import answer_due
from perfscan.replay.server.turn import Turn
from perfscan.replay.server.websocket_connection import WebSocketConnection, upgrade
from perfscan.replay.wire import HttpRequest, WireError, header

HEAD_LIMIT = 256 * 1024
"""Bytes of one request's head; real servers stop at 8 to 64 KiB."""
BODY_LIMIT = 256 * 1024 * 1024
QUEUE_LIMIT = 256
"""Requests that may wait on one connection before it is not read any further."""
_CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"


class HttpConnection(asyncio.Protocol):
    """Answers every request when its recorded time has come, in the order in which they came."""

    def __init__(
        self,
        playback: Playback,
        recognition: Recognition,
        accepted_ns: int,
        connected: set[HttpConnection],
    ) -> None:
        self.number = playback.next_connection()
        self._connected = connected
        self._playback = playback
        self._recognition = recognition
        self._accepted_ns = accepted_ns
        self._reader = AgedReader()
        self._queue: deque[Turn] = deque()
        self._transport: asyncio.Transport = cast(asyncio.Transport, None)
        self._websocket: WebSocketConnection | None = None
        self._introduced = False
        self._ending = False
        self._usable_ns = accepted_ns
        self._head_bytes = 0
        self._continued = False
        self._refusal: tuple[int, str, str] | None = None
        self._closed_by: Party = "bot"

    # --- What asyncio calls -----------------------------------------------------------------------

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Begin."""
        self._transport = cast(asyncio.Transport, transport)
        self._connected.add(self)

    def data_received(self, data: bytes) -> None:
        """Read what the bot sent."""
        if self._websocket is not None:
            self._websocket.receive(data)
            return
        if self._refusal is not None:
            return
        known = None if self._reader.begun else self._recognition.recall(data)
        if known is not None:
            self._take(known)
        else:
            self._read(data)

    def eof_received(self) -> bool:
        """Let what is asked for be answered also when the bot sends no more; TLS cannot."""
        self._ending = True
        expected = bool(self._queue) and self._queue[0].ended_ns is None  # it did not stall
        return expected and self._websocket is None and self._recognition.scheme == "http"

    def pause_writing(self) -> None:
        """Let a stream wait for a client that does not keep up."""
        if self._websocket is not None:
            self._websocket.pause()

    def resume_writing(self) -> None:
        """Let it go on."""
        if self._websocket is not None:
            self._websocket.resume()

    def connection_lost(self, exc: Exception | None) -> None:
        """End."""
        self._connected.discard(self)
        now_ns = self._playback.active()
        if self._playback.emulation is not None:
            self._playback.emulation.leave(self)
        for turn in self._queue:  # asked in vain
            self._playback.abandon(turn, cut=self._closed_by == "upstream")
        self._queue.clear()
        if not self._introduced:
            self._introduce("", "")
        code, reason = None, ""
        if self._websocket is not None:
            code, reason = self._websocket.lost()
        if exc is not None:
            self._playback.observe(Failure(self.number, now_ns, str(exc) or type(exc).__name__))
        self._playback.observe(Close(self.number, now_ns, self._closed_by, code, reason))

    def abort(self) -> None:
        """Cut the connection."""
        self._closed_by = "upstream"
        self._transport.abort()

    def reset(self) -> None:
        """Cut the connection so that the client sees it reset."""
        reset_on_close(self._transport)
        self.abort()

    @property
    def is_websocket(self) -> bool:
        """Whether it has become a WebSocket."""
        return self._websocket is not None

    # --- What the WebSocket part needs ------------------------------------------------------------

    def write(self, data: bytes) -> None:
        """Send bytes unless the connection is closing."""
        if not self._transport.is_closing():
            self._transport.write(data)

    def end(self, by: Party) -> None:
        """Close after what is written has gone out."""
        if not self._transport.is_closing():
            self._closed_by = by
            self._transport.close()

    # --- Requests ---------------------------------------------------------------------------------

    def _read(self, data: bytes) -> None:
        """Read bytes that are not one request as it was met before."""
        reader = self._reader
        alone, mistake = not reader.begun, ""
        try:
            reader.feed(data)
        except WireError as error:
            mistake = str(error)
        heard = [self._recognition.read(asked, old=old) for asked, old in reader.take_all()]
        whole = not (reader.begun or mistake or reader.after_upgrade is not None)
        if alone and whole and len(heard) == 1:
            self._recognition.remember(data, heard[0])
        for one in heard:
            self._continued = False
            self._take(one)
        if mistake:
            if not (heard and heard[-1].last):  # else nobody needs to understand what follows
                self._refuse(400, "Bad Request", mistake)
            return
        while reader.after_upgrade is not None and self._websocket is None:
            if not self._decline_upgrade():
                return
        if heard:
            self._head_bytes = 0
        self._check_unfinished(0 if heard else len(data))

    def _take(self, heard: Heard) -> None:
        playback = self._playback
        now_ns = playback.active()
        if not self._introduced:
            self._introduce(heard.name, heard.host)
        playback.arrive(heard, now_ns)
        emulation = playback.emulation
        met = UNDISTURBED if emulation is None else emulation.meet(heard, self.number, now_ns)
        untouched = met.instead is None
        if untouched and heard.websocket and self._open_websocket(heard, now_ns, met.delay_ns):
            return
        answer = met.instead or met.upon(playback.answer(heard, now_ns))
        due_ns = self._due(now_ns, answer.service_ns)
        exchange = playback.next_exchange()
        last = heard.last or answer.closes
        self._schedule(Turn(exchange, self.number, heard, now_ns, answer, due_ns, last), now_ns)

    def _open_websocket(self, heard: Heard, now_ns: int, delay_ns: int) -> bool:
        """Answer a request for a WebSocket; False where the recording holds none there."""
        asked = HttpRequest(heard.method, heard.target, heard.headers, heard.body)
        opened = upgrade(self._playback, asked, heard.host)
        if opened is None:
            return False
        handshake = opened.handshake
        answer = Answer(
            handshake.outcome, handshake.exchange, 101, "Switching Protocols", opened.headers, b""
        )
        exchange = self._playback.next_exchange()
        request = heard.as_request(exchange, self.number, now_ns)
        self._websocket = WebSocketConnection(self._playback, self, request, opened)
        if self._reader.after_upgrade:
            self._websocket.receive(bytes(self._reader.after_upgrade))
        due_ns = self._due(now_ns, handshake.service_ns + delay_ns)
        turn = Turn(exchange, self.number, heard, now_ns, answer, due_ns, last=False)
        self._schedule(turn, now_ns)
        return True

    def _due(self, arrived_ns: int, service_ns: int) -> int:
        return answer_due(arrived_ns, self._usable_ns, self._playback.pace(service_ns))

    def _introduce(self, name: str, host: str) -> None:
        """Report the connection, which is known by its first request, and charge its cost."""
        self._introduced = True
        self._usable_ns += self._playback.pace(self._playback.costs.next_ns(host))
        door = self._recognition
        self._playback.observe(Open(self.number, self._accepted_ns, door.scheme, name, door.port))
        if self._playback.emulation is not None:
            self._playback.emulation.join(self, host, self._accepted_ns)

    # --- Answers ----------------------------------------------------------------------------------

    def _schedule(self, turn: Turn, now_ns: int) -> None:
        turn.ready = turn.due_ns <= now_ns
        queue, open_ = self._queue, not self._transport.is_closing()
        if turn.ready and open_ and not queue and self._send(turn):  # the most common way by far
            return
        queue.append(turn)
        if len(queue) == QUEUE_LIMIT:
            self._transport.pause_reading()
        if not turn.ready:
            self._playback.alarm.at(turn.due_ns, send := partial(self._ready, turn))
            if turn.answer.polled:
                self._playback.waiting_polls.hold(turn, send)

    def _ready(self, turn: Turn) -> None:
        turn.ready = True
        self._send_queue()

    def _complete(self, turn: Turn) -> None:
        turn.whole = True
        self._send_queue()

    def _send_queue(self) -> None:
        queue = self._queue
        while queue and queue[0].ready and not self._transport.is_closing():
            if not self._send(queue[0]):
                return
            if len(queue) == QUEUE_LIMIT:
                self._transport.resume_reading()
            queue.popleft()
        if self._refusal is not None and not queue:
            self._refuse(*self._refusal)
        elif self._ending and not queue:
            self.end("bot")

    def _send(self, turn: Turn) -> bool:
        """Write an answer; False while its body is still to come."""
        answer, playback = turn.answer, self._playback
        if answer.whole and not turn.last and turn.begun_ns is None and turn.heard.method != "HEAD":
            turn.begun_ns = now_ns = playback.active()
            turn.written = len(answer.whole)
            self._transport.write(answer.whole)
            self._finish(turn, now_ns, len(answer.body))
            return True
        if answer.broke:
            self._finish(turn, playback.active(), 0)
            self.abort()
            return True
        if not answer.plain:
            return self._deliver(turn)
        bodiless = turn.heard.method == "HEAD" or answer.bodiless
        body = b"" if bodiless else answer.body
        if turn.begun_ns is None:
            turn.begun_ns = now_ns = playback.active()
            head = answer.head
            if not bodiless:
                head += b"Content-Length: %d\r\n" % len(body)
            head += b"Connection: close\r\n\r\n" if turn.last else b"\r\n"
            body_ns = playback.pace(answer.body_ns)
            if body and body_ns >= WORTH_A_TIMER_NS:
                self._write_of(turn, head)
                playback.alarm.at(turn.begun_ns + body_ns, partial(self._complete, turn))
                return False
            self._write_of(turn, head + body)
        elif turn.whole:
            now_ns = playback.active()
            self._write_of(turn, body)
        else:
            return False  # another answer became ready behind this one
        self._finish(turn, now_ns, len(body))
        if turn.last:
            self.end("upstream")
        if self._websocket is not None and answer.status == 101:
            self._websocket.opened()
        return True

    def _deliver(self, turn: Turn) -> bool:
        """Write what is due of an answer that comes bit by bit; False while some is to come."""
        playback, now_ns = self._playback, self._playback.alarm.now()
        delivery = turn.delivery
        if delivery is None:
            heard, answer = turn.heard, turn.answer
            wanted = Wanted(heard.method, heard.accept_encoding, heard.old, turn.last)
            written = script(answer, wanted, answer.head, playback.pace)
            delivery = turn.delivery = Delivery(written, now_ns)
            if answer.is_stream:
                playback.release(turn)
        if data := delivery.take(now_ns):
            self._write_of(turn, data)
        if delivery.complete:
            return self._end_delivery(turn, delivery)
        due_ns = delivery.wait_until()
        if due_ns is not None:
            playback.alarm.at(due_ns, self._send_queue)
        return False

    def _end_delivery(self, turn: Turn, delivery: Delivery) -> bool:
        """Do with the connection what the script says; False where it hangs from now on."""
        end, playback = delivery.script.end, self._playback
        if end == "stall":
            if turn.ended_ns is None and playback.emulation is not None:
                playback.stall(turn)
                turn.ended_ns = delivery.begun_ns
                playback.emulation.give_up(self)
            if self._ending:  # nobody is there any more
                self.abort()
            return False
        turn.begun_ns = None if turn.answer.damage else delivery.begun_ns
        self._finish(turn, playback.active(), delivery.script.size)
        if end == "reset":
            self.reset()
        elif end == "close":
            self.end("upstream")
        return True

    def _write_of(self, turn: Turn, data: bytes) -> None:
        turn.written += len(data)
        self._transport.write(data)

    def _finish(self, turn: Turn, now_ns: int, size: int) -> None:
        turn.ended_ns = now_ns
        turn.size = size
        self._playback.finish(turn)

    # --- What is not a whole request --------------------------------------------------------------

    def _decline_upgrade(self) -> bool:
        """Go on with HTTP after an offer to change the protocol, as to HTTP/2, was passed over."""
        try:
            self._reader.resume()
        except WireError as error:
            self._refuse(400, "Bad Request", str(error))
            return False
        for asked, old in self._reader.take_all():
            self._take(self._recognition.read(asked, old=old))
        return True

    def _check_unfinished(self, arrived: int) -> None:
        if not self._reader.begun:
            self._head_bytes = 0
            return
        if self._reader.in_head:
            self._head_bytes += arrived
            if self._head_bytes > HEAD_LIMIT:
                self._refuse(431, "Request Header Fields Too Large", "the head has no end")
            return
        if len(self._reader.body) > BODY_LIMIT:
            self._refuse(413, "Content Too Large", "the body has no end")
        elif not self._continued and header(self._reader.headers, "expect"):
            self._continued = True
            self.write(_CONTINUE)

    def _refuse(self, status: int, reason: str, detail: str) -> None:
        """Answer what cannot be understood, in its turn, and close."""
        if self._transport.is_closing():
            return
        if self._queue:
            self._refusal = status, reason, detail
            return
        now_ns = self._playback.active()
        if not self._introduced:
            self._introduce("", "")
        self._playback.observe(Failure(self.number, now_ns, detail))
        text = detail.encode()
        head = head_of(status, reason, (("Content-Type", "text/plain"),))
        self.write(b"%bContent-Length: %d\r\nConnection: close\r\n\r\n%b" % (head, len(text), text))
        self.end("upstream")
