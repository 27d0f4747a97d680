"""One WebSocket at the service, and the bot that comes and goes; see held_streams."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections import deque
from dataclasses import dataclass
from typing import Any

from websockets.frames import Close as CloseFrame
from websockets.frames import Frame, Opcode
from websockets.protocol import Side

from perfscan.replay.model import Close, Failure, Message, Open, Ping
from perfscan.replay.recorder.capture import Capture
from perfscan.replay.recorder.upstream import Upstream
from perfscan.replay.wire import HttpResponse, MessageReader, WireError, WireMessage, WirePing

CHUNK = 1 << 16
GOING_AWAY = 1001


@dataclass(frozen=True, slots=True, eq=False)
class Visit:
    """One connection of the bot to a stream."""

    connection: int
    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter


@dataclass(frozen=True, slots=True)
class Opening:
    """How the stream was opened at the service."""

    opened: Open
    response: HttpResponse
    service_ns: int


@dataclass(slots=True)
class _Asked:
    """A message that the bot sent to the service, and what came back."""

    at_ns: int
    ident: Any
    answer: str | None = None
    delay_ns: int = 0


class Stream:
    """One WebSocket at the service and the bot that comes and goes."""

    def __init__(
        self, url: str, upstream: Upstream, opening: Opening, capture: Capture, pause_s: float
    ) -> None:
        self.url = url
        self.opening = opening
        self.queue: deque[str | bytes] = deque()
        self._upstream = upstream
        self._capture = capture
        self._pause_s = pause_s
        self._reader = MessageReader(Side.SERVER)
        self._asked: dict[str, _Asked] = {}
        self._visit: Visit | None = None
        self._connection = 0
        self._alive = True
        self._ready = False
        """The bot has subscribed again, so messages may follow."""
        self._next_s = 0.0
        self._timer: asyncio.TimerHandle | None = None
        self._task: asyncio.Task[None] | None = None

    @property
    def is_free(self) -> bool:
        """Whether a returning bot belongs here."""
        return self._visit is None and (self._alive or bool(self.queue))

    def reserve(self, visit: Visit) -> None:
        """Keep the stream for ``visit``, which is about to begin."""
        self._visit = visit
        self._ready = not self._asked
        self._next_s = float("inf")

    def start(self, visit: Visit, rest: bytes) -> None:
        """Begin to read from the service, ``rest`` having come with the handshake."""
        self.reserve(visit)
        self._connection = visit.connection
        self._next_s = 0.0
        self._task = asyncio.create_task(self._read(rest))

    async def attend(self, visit: Visit) -> None:
        """Take what the bot sends until it leaves."""
        self._connection, self._next_s = visit.connection, 0.0
        self._deliver()
        reader = MessageReader(Side.CLIENT)
        code: int | None = None
        reason = ""
        with contextlib.suppress(OSError, WireError):
            while data := await visit.reader.read(CHUNK):
                for message in reader.feed(data):
                    self._sent(message)
                visit.writer.write(reader.replies)
                if reader.closed is not None:
                    code, reason = reader.closed
                    break
        if self._visit is visit:
            self._visit = None
            self._capture.add(Close(visit.connection, self._capture.now(), "bot", code, reason))

    async def close(self) -> None:
        """Leave the service."""
        if self._alive:
            self._alive = False
            goodbye = Frame(Opcode.CLOSE, CloseFrame(GOING_AWAY, "").serialize())
            self._upstream.writer.write(goodbye.serialize(mask=True))
            self._upstream.writer.close()
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    # --- From the service

    async def _read(self, data: bytes) -> None:
        problem = ""
        try:
            while True:
                for message in self._reader.feed(data) if data else ():
                    self._arrived(message)
                self._upstream.writer.write(self._reader.replies)
                if self._reader.closed is not None:
                    break
                data = await self._upstream.reader.read(CHUNK)
                if not data:
                    break
        except (OSError, WireError) as error:
            problem = f"the service broke the stream: {error}"
        self._ended(problem)

    def _arrived(self, arrived: WireMessage | WirePing) -> None:
        now = self._capture.now()
        if isinstance(arrived, WirePing):  # answered here
            self._capture.add(Ping(self._connection, now, "received", arrived.data))
            return
        message = arrived.data
        asked = self._question(message)
        loop_s = asyncio.get_running_loop().time()
        straight = self._visit is not None and (
            asked is not None or (self._ready and not self.queue and loop_s >= self._next_s)
        )
        self._capture.add(
            Message(self._connection, now, "received", message, straight, arrived.frames)
        )
        if asked is not None and asked.answer is None and isinstance(message, str):
            asked.answer, asked.delay_ns = message, now - asked.at_ns
            self._write(message)
        else:
            self.queue.append(message)
            self._deliver()

    def _question(self, message: str | bytes) -> _Asked | None:
        """Return the message of the bot that ``message`` answers, if it is an answer."""
        waiting = [asked for asked in self._asked.values() if asked.answer is None]
        if not waiting or not isinstance(message, str):
            return None
        fields = _object(message)
        ident = fields.get("id", fields.get("req_id"))
        if ident is not None and "method" not in fields:
            return next((asked for asked in waiting if asked.ident == ident), None)
        if "subscri" in message.lower() and "params" not in fields:
            return next((asked for asked in waiting if asked.ident is None), None)
        return None

    def _ended(self, problem: str) -> None:
        self._alive = False
        self._upstream.writer.close()
        now = self._capture.now()
        code, reason = self._reader.closed or (None, "")
        if problem:
            self._capture.add(Failure(self._connection, now, problem))
        if self._visit is not None:
            self._capture.add(Close(self._connection, now, "upstream", code, reason))
        self._deliver()

    # --- From and to the bot

    def _sent(self, sent: WireMessage | WirePing) -> None:
        now = self._capture.now()
        if isinstance(sent, WirePing):
            self._capture.add(Ping(self._connection, now, "sent", sent.data))
            return
        message = sent.data
        self._capture.add(Message(self._connection, now, "sent", message, frames=sent.frames))
        key = _question_key(message)
        known = self._asked.get(key)
        if known is not None and known.answer is not None:
            self._acknowledge(message, known)
            return
        if known is None and isinstance(message, str):
            fields = _object(message)
            self._asked[key] = _Asked(now, fields.get("id", fields.get("req_id")))
        opcode = Opcode.TEXT if isinstance(message, str) else Opcode.BINARY
        data = message.encode() if isinstance(message, str) else message
        self._upstream.writer.write(Frame(opcode, data).serialize(mask=True))
        self._ready = True
        self._deliver()

    def _acknowledge(self, message: str | bytes, known: _Asked) -> None:
        answer, visit = _with_ident(known, message), self._visit

        def acknowledge() -> None:
            if visit is not None and self._visit is visit:
                self._capture.add(
                    Message(visit.connection, self._capture.now(), "received", answer)
                )
                self._write(answer)
                self._ready = True
                self._deliver()

        asyncio.get_running_loop().call_later(known.delay_ns / 1e9, acknowledge)

    def _deliver(self) -> None:
        """Hand over the next message when its time has come."""
        if self._visit is None or not self._ready:
            return
        loop = asyncio.get_running_loop()
        wait_s = self._next_s - loop.time()
        if self.queue and wait_s <= 0:
            self._write(self.queue.popleft())
            self._next_s = loop.time() + self._pause_s
            wait_s = self._pause_s
        if self.queue and wait_s != float("inf"):
            if self._timer is not None:
                self._timer.cancel()
            self._timer = loop.call_later(max(wait_s, 0), self._deliver)
        elif not self.queue and not self._alive:
            self._dismiss()

    def _write(self, message: str | bytes) -> None:
        if self._visit is None:
            return
        opcode = Opcode.TEXT if isinstance(message, str) else Opcode.BINARY
        data = message.encode() if isinstance(message, str) else message
        self._visit.writer.write(Frame(opcode, data).serialize(mask=False))

    def _dismiss(self) -> None:
        """Tell the bot that the service has ended the stream, now that nothing is queued."""
        visit, self._visit = self._visit, None
        if visit is not None:
            code, reason = self._reader.closed or (GOING_AWAY, "")
            goodbye = CloseFrame(code or 1000, reason).serialize()
            visit.writer.write(Frame(Opcode.CLOSE, goodbye).serialize(mask=False))
            visit.writer.close()


def _object(message: str | bytes) -> dict[str, Any]:
    try:
        value = json.loads(message)
    except ValueError:
        return {}
    return value if isinstance(value, dict) else {}


def _question_key(message: str | bytes) -> str:
    """Return what two messages have in common that differ in their ``id`` only."""
    fields = _object(message)
    if not fields:
        return repr(message)
    return json.dumps(
        {k: v for k, v in fields.items() if k not in ("id", "req_id")}, sort_keys=True
    )


def _with_ident(asked: _Asked, message: str | bytes) -> str:
    """Return the recorded answer with the ``id`` of the repeated ``message``."""
    answer, now = _object(asked.answer or ""), _object(message)
    changed = {name: now[name] for name in ("id", "req_id") if name in now and name in answer}
    if not changed or changed.items() <= answer.items():
        return asked.answer or ""
    return json.dumps(answer | changed, separators=(",", ":"))
