"""Take secrets out of traffic, by where they stand and by their value, and keep it replayable.

A secret becomes ``REDACTED-<kind>-<8 hex>``: the same secret has the same stand-in within a file,
so requests still match each other, and the salt of the hash is never stored. Names decide (headers,
query parameters, JSON keys, Telegram's ``/bot<token>/``), and so does every value that the
environment keeps under a secret-looking name, wherever it turns up.
"""

from __future__ import annotations

import base64
import hashlib
import json
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from typing import Any, TypeVar
from urllib.parse import quote, quote_plus, unquote

from perfscan.errors import InputError
from perfscan.replay.model import (
    Close,
    Event,
    Failure,
    Headers,
    Message,
    Open,
    Ping,
    Recording,
    Request,
    Response,
)
from perfscan.replay.secret_places import (
    STAND_IN,
    is_secret_header,
    is_secret_name,
    kind_of,
    replace_by_place,
)

MIN_LEARNED_LENGTH = 16
"""A value recognised by its place is then replaced everywhere, if it is at least this long."""
MAX_LEARNED = 64
"""Of so many values the newest are remembered, so that a long recording stays quick."""
_USED_ONCE = re.compile(r"(?:.*-)?(?:sign|signature|sig)(?:-.*)?")
"""Kinds whose values come only once: nothing is learned from them."""

MIN_BASE64_LENGTH = 12
"""Shorter pieces of Base64 may stand in a text by chance."""

T = TypeVar("T", bound=Event)


class Redactor:
    """Replaces the secrets of one recording and counts them; not shared between recordings.

    ``secrets`` maps environment variable to value; ``salt`` is random and must not be stored.
    """

    def __init__(self, secrets: Mapping[str, str], salt: bytes) -> None:
        self._salt = salt
        self._environment = {name: _forms(value) for name, value in secrets.items()}
        self._has_numbers = any(value.isdigit() for value in secrets.values())
        self._stand_ins: dict[str, str] = {}
        self._learned: dict[str, str] = {}
        """Values recognised by their place and their stand-ins, the newest last."""
        self._known: dict[str, str] = {}
        """Every spelling of what is replaced wherever it stands, and its stand-in."""
        self._pattern: re.Pattern[str] | None = None
        self.counts: Counter[str] = Counter()
        self.kinds: Counter[tuple[str, str]] = Counter()
        """How many secrets there were at each place of each kind, such as header, authorization."""
        self._own = {value: self._named("env", value) for value in secrets.values()}
        self._recompile()

    def event(self, event: T) -> T:
        """Return ``event`` without secrets; raises InputError when one cannot be taken out."""
        clean = self._clean(event)
        self._refuse_leaks(clean)
        return clean  # type: ignore[return-value]

    def text(self, text: str) -> str:
        """Return ``text`` without secrets."""
        text = replace_by_place(text, self._replace)
        clean = self._replace_known(text)
        if self._has_numbers and clean != text and not _is_json(clean) and _is_json(text):
            return json.dumps(self._in_json(json.loads(text)), ensure_ascii=False)
        return clean

    def command(self, words: Iterable[str]) -> tuple[str, ...]:
        """Return a command line without secrets, also behind flags such as ``--api-key``."""
        clean: list[str] = []
        secret_next = False
        for word in words:
            flag, separator, value = word.partition("=")
            is_flag = flag.startswith("-") and is_secret_name(flag.strip("-").replace("-", "_"))
            if secret_next and not word.startswith("-"):
                clean.append(self._replace("flag", word, "command"))
            elif is_flag and separator:
                clean.append(f"{flag}={self._replace('flag', value, 'command')}")
            else:
                clean.append(self.text(word))
            secret_next = is_flag and not separator
        return tuple(clean)

    def headers(self, headers: Headers) -> Headers:
        """Return headers without secrets; the names of cookies and of schemes stay."""
        return tuple(
            (self._replace_known(name), self._header(name, value)) for name, value in headers
        )

    def body(self, body: bytes) -> bytes:
        """Return a body without secrets; binary ones are searched for known values only."""
        try:
            return self.text(body.decode()).encode()
        except UnicodeDecodeError:
            return self._replace_known(body.decode("latin-1")).encode("latin-1")

    def _clean(self, event: Event) -> Event:
        match event:
            case Open():
                return event
            case Request():
                body = self.body(event.body)
                headers = _with_length(self.headers(event.headers), event.body, body)
                return replace(event, target=self.text(event.target), headers=headers, body=body)
            case Response():
                body = self.body(event.body)
                return replace(
                    event,
                    headers=_with_length(self.headers(event.headers), event.body, body),
                    body=body,
                    reason=self.text(event.reason),
                    pieces=_refitted(event.pieces, len(body)),
                )
            case Message():
                return self._message(event)
            case Ping():
                return replace(event, data=self.body(event.data))
            case Close():
                return replace(event, reason=self.text(event.reason))
            case Failure():
                return replace(event, detail=self.text(event.detail))

    def _message(self, event: Message) -> Message:
        data = event.data
        clean = self.text(data) if isinstance(data, str) else self.body(data)
        if not event.frames or clean == data:
            return replace(event, data=clean)
        size = len(clean.encode("utf-8", "replace") if isinstance(clean, str) else clean)
        frames = _refitted(tuple((0, size) for size in event.frames), size)
        return replace(event, data=clean, frames=tuple(size for _, size in frames))

    def _header(self, name: str, value: str) -> str:
        lower = name.lower()
        if not is_secret_header(lower) or len(value) < 4:
            return self.text(value)
        if lower in ("cookie", "set-cookie"):
            return self._cookie(value, first_only=lower == "set-cookie")
        scheme, space, credentials = value.partition(" ")
        if space and credentials and "authorization" in lower:
            return f"{scheme} {self._replace(kind_of(lower), credentials, 'header')}"
        return self._replace(kind_of(lower), value, "header")

    def _cookie(self, value: str, *, first_only: bool) -> str:
        parts = value.split(";")
        for index, part in enumerate(parts[:1] if first_only else parts):
            name, equals, content = part.partition("=")
            if equals and content:
                parts[index] = f"{name}={self._replace('cookie', content, 'header')}"
        return ";".join(parts)

    def _replace(self, kind: str, value: str, place: str) -> str:
        if STAND_IN.fullmatch(value):
            return value
        self.counts[place] += 1
        self.kinds[place, kind] += 1
        if _USED_ONCE.fullmatch(kind):
            return self._stand_in(kind, unquote(value))
        stand_in = self._named(kind, value)
        if len(value) >= MIN_LEARNED_LENGTH:
            self._learn(value, stand_in)
        return stand_in

    def _named(self, kind: str, value: str) -> str:
        """Return the stand-in that ``value`` got when it was first seen, under whatever name."""
        plain = unquote(value)
        if plain not in self._stand_ins:
            self._stand_ins[plain] = self._stand_in(kind, plain)
        return self._stand_ins[plain]

    def _stand_in(self, kind: str, plain: str) -> str:
        digest = hashlib.blake2b(plain.encode("utf-8", "replace"), key=self._salt, digest_size=4)
        return f"REDACTED-{kind}-{digest.hexdigest()}"

    def _learn(self, value: str, stand_in: str) -> None:
        if value in self._learned or value in self._own:
            return
        self._learned[value] = stand_in
        if len(self._learned) > MAX_LEARNED:
            for old in list(self._learned)[: MAX_LEARNED // 2]:
                del self._learned[old]
                self._stand_ins.pop(unquote(old), None)
        self._recompile()

    def _recompile(self) -> None:
        self._known = {
            form: stand_in
            for value, stand_in in (self._learned | self._own).items()
            for form in _forms(value)
        }
        longest_first = sorted(self._known, key=len, reverse=True)
        self._pattern = re.compile("|".join(map(re.escape, longest_first))) if self._known else None

    def _replace_known(self, text: str) -> str:
        if self._pattern is None or not any(form in text for form in self._known):
            return text

        def write(match: re.Match[str]) -> str:
            self.counts["value"] += 1
            return self._known[match[0]]

        return self._pattern.sub(write, text)

    def _in_json(self, value: Any) -> Any:
        """Replace known values where one is a bare number, which text cannot stand in for."""
        if isinstance(value, dict):
            return {self._replace_known(key): self._in_json(item) for key, item in value.items()}
        if isinstance(value, list):
            return [self._in_json(item) for item in value]
        if isinstance(value, bool) or value is None:
            return value
        clean = self._replace_known(str(value))
        return value if clean == str(value) else clean

    def _refuse_leaks(self, event: Event) -> None:
        texts = list(_texts(event))
        for name, forms in self._environment.items():
            if any(form in text for form in forms for text in texts):
                raise InputError(
                    f"the value of ${name} is still in a {type(event).__name__.lower()} event "
                    "after redaction, so it is not written",
                    remedy=f"unset {name} if it is no secret, or record with --no-redact",
                )


def _with_length(headers: Headers, before: bytes, after: bytes) -> Headers:
    if len(before) == len(after):
        return headers
    return tuple(
        (name, str(len(after)) if name.lower() == "content-length" else value)
        for name, value in headers
    )


def _refitted(pieces: tuple[tuple[int, int], ...], total: int) -> tuple[tuple[int, int], ...]:
    """Return ``pieces`` so that they hold ``total`` bytes: the last ones give or take."""
    fitted = []
    for place, (at, size) in enumerate(pieces, start=1):
        size = total if place == len(pieces) else min(size, total)
        total -= size
        if size:
            fitted.append((at, size))
    return tuple(fitted)


def _forms(value: str) -> set[str]:
    """Return how ``value`` may be spelt in traffic: plain, in a URL, in a JSON string."""
    return {
        value,
        quote(value, safe=""),
        quote(value),
        quote_plus(value),
        json.dumps(value)[1:-1],
        json.dumps(value, ensure_ascii=False)[1:-1],
        value.encode("utf-8", "surrogateescape").decode("latin-1"),
        *_base64_cores(value.encode("utf-8", "surrogateescape")),
    }


def _base64_cores(value: bytes) -> Iterator[str]:
    """Yield what Base64 makes of ``value`` whatever stands before and after it."""
    for before in range(3):
        for encode in (base64.b64encode, base64.urlsafe_b64encode):
            text = encode(bytes(before) + value).rstrip(b"=").decode("ascii")
            core = text[(before * 8 + 5) // 6 : (before + len(value)) * 8 // 6]
            if len(core) >= MIN_BASE64_LENGTH:
                yield core


def _is_json(text: str) -> bool:
    if text.lstrip()[:1] not in ("{", "["):
        return False
    try:
        json.loads(text)
    except (ValueError, RecursionError):
        return False
    return True


def _texts(event: Event) -> Iterable[str]:
    match event:
        case Open():
            yield event.host
        case Request() | Response():
            yield event.target if isinstance(event, Request) else event.reason
            yield event.body.decode("latin-1")
            for pair in event.headers:
                yield from pair
        case Message():
            yield event.data if isinstance(event.data, str) else event.data.decode("latin-1")
        case Ping():
            yield event.data.decode("latin-1")
        case Close() | Failure():
            yield event.reason if isinstance(event, Close) else event.detail


def redact_recording(recording: Recording, redactor: Redactor) -> Recording:
    """Return ``recording`` without secrets, its header's counts brought up to date."""
    events = tuple(map(redactor.event, recording.events))
    command = redactor.command(recording.header.command)
    counts = Counter(recording.header.redacted) + redactor.counts
    header = replace(recording.header, command=command, redacted=dict(sorted(counts.items())))
    return replace(recording, header=header, events=events)
