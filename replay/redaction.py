"""Take secrets out of traffic, by where they stand and by their value, and keep it replayable.

A secret becomes ``REDACTED-<kind>-<8 hex>``: the same secret has the same stand-in within a file,
so requests still match each other, and the salt of the hash is never stored. Names decide (headers,
query parameters, JSON keys, Telegram's ``/bot<token>/``), and so does every value that the
environment keeps under a secret-looking name, wherever it turns up.

Not secrets: blockchain addresses and transaction signatures, which bots use as item keys. A JSON
``signature`` is therefore left alone; the query parameter is an exchange's HMAC and is not.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from functools import cache
from typing import Literal, TypeVar
from urllib.parse import quote, quote_plus, unquote, urlsplit

from perfscan.errors import InputError
from perfscan.replay.model import (
    Close,
    Event,
    Failure,
    Headers,
    Message,
    Open,
    Recording,
    Request,
    Response,
)

STAND_IN = re.compile(r"REDACTED-[a-z0-9-]+-[0-9a-f]{8}")
"""What stands where a secret was."""
ANY_SECRET = "<secret>"
MIN_ENVIRONMENT_LENGTH = 8
MIN_LEARNED_LENGTH = 16
"""A value recognised by its place is then replaced everywhere, if it is at least this long."""

# --- What is a secret -----------------------------------------------------------------------------

_NAME = re.compile(r"(?i)(?:^|_)[A-Z0-9]*(?:TOKEN|SECRET|KEY|PASSWORD|PASSWD|PASS|AUTH)S?(?:_|$)")
_HEADER = re.compile(
    r"(?i)(?:^|-)(?:authorization|auth|cookie|cookie2|[a-z]*key|[a-z]*token|secret|password|"
    r"passphrase|sign|signature|credentials?)(?:-|$)"
)
_PUBLIC_HEADERS = (
    "access-control-",
    "cache-key",
    "idempotency-key",
    "proxy-authenticate",
    "sec-websocket-key",
    "surrogate-key",
    "www-authenticate",
    "x-cache-key",
    "x-idempotency-key",
)
_SURE_NAME = re.compile(
    r"(?i)[\w.-]*?(?:api[_-]?key|api[_-]?secret|secret|secret[_-]?key|private[_-]?key"
    r"|access[_-]?key|listen[_-]?key|passw(?:or)?d|pwd|passphrase|mnemonic|seed[_-]?phrase|jwt"
    r"|authorization|credential|(?:access|refresh|id|auth|bot|session|bearer|security|csrf)[_-]?token)"
)
_QUERY_NAME = re.compile(r"(?i)[\w.-]*?(?:token|key|auth|sign|signature|sig|session|appid)")
"""Secrets unless the value says otherwise: ``token=USDC`` is a coin."""
_QUERY = re.compile(
    r"(?P<before>(?:\A|[?&]|\\u0026)(?P<name>[\w.-]{1,64})=)(?P<value>[^&\s\"'<>\\#]+)"
)
# A JSON pair, also inside a JSON string, where each quote has a backslash before it.
_JSON = re.compile(
    r"(?P<before>(?P<quote>\\*\")(?P<name>[\w.-]{1,64})(?P=quote)\s*:\s*(?P=quote))"
    r"(?P<value>(?:[^\"\\]|\\.)*?)(?=(?P=quote))"
)
_LOGIN = re.compile(
    r"\"(?:op|method|event|type)\"\s*:\s*\"(?:auth|login|authenticate|session\.logon)\""
)
_LONG_STRING = re.compile(r"(?P<before>\")(?P<value>[^\"\\\s]{16,})(?=\"(?!\s*:))")
_TELEGRAM = re.compile(r"(?P<before>/bot)(?P<value>\d+(?::|%3[Aa])[A-Za-z0-9_-]{6,})")
_TELEGRAM_BARE = re.compile(
    r"(?P<before>(?<![\w-]))(?P<value>\d{8,12}:AA[A-Za-z0-9_-]{33})(?![\w-])"
)
_JWT = re.compile(r"(?P<before>(?<![\w-]))(?P<value>eyJ[\w-]{10,}\.eyJ[\w-]{10,}\.[\w-]{10,})")
_USER_INFO = re.compile(r"(?P<before>://[^/\s:@\"]+:)(?P<value>[^/\s@\"]+)(?=@)")
_PATH_KEY = re.compile(
    r"(?P<before>/(?:v[23]|api/webhooks/\d+|services/T\w+/B\w+)/)(?P<value>[A-Za-z0-9_-]{20,})"
    r"(?=$|[/?#\s\"\\])"
)
_HOST = re.compile(r"[a-z0-9-]+(\.[a-z0-9-]+)*\.[a-z]{2,}(:\d+)?")
_BASE58 = "123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz"


def is_public_identifier(value: str) -> bool:
    """Whether ``value`` is a blockchain address, hash or signature (Solana, EVM)."""
    if re.fullmatch(r"0x[0-9a-fA-F]{40}|0x[0-9a-fA-F]{64}", value):
        return True
    if not 32 <= len(value) <= 88 or not set(value) <= set(_BASE58):
        return False
    number = 0
    for letter in value:
        number = number * 58 + _BASE58.index(letter)
    zeros = len(value) - len(value.lstrip("1"))
    return zeros + (number.bit_length() + 7) // 8 in (32, 64)


def environment_secrets(environment: Mapping[str, str]) -> dict[str, str]:
    """Return variable name to value for every secret that the environment holds.

    Addresses (URLs, host names) are not secrets themselves; what is secret in them is found by its
    place in the URL.
    """
    return {
        name: value
        for name, value in environment.items()
        if _NAME.search(name)
        and len(value) >= MIN_ENVIRONMENT_LENGTH
        and not _HOST.fullmatch(value)
        and not _is_url(value)
    }


def _is_url(value: str) -> bool:
    """Whether ``value`` is a URL with a host."""
    try:
        return "://" in value and bool(urlsplit(value).hostname)
    except ValueError:
        return False


def normalise_secrets(text: str) -> str:
    """Return ``text`` with each secret and each stand-in replaced by the same word.

    Two requests that differ only in the value of a secret become equal, whether redacted or not.
    """
    return STAND_IN.sub(ANY_SECRET, _replace_by_place(text, lambda kind, value, place: ANY_SECRET))


# --- By place -------------------------------------------------------------------------------------

StandIn = Callable[[str, str, str], str]
"""(kind, secret value, place) to what is written instead."""


def _replace_by_place(text: str, stand_in: StandIn) -> str:
    text = _sub(_USER_INFO, "password", "path", text, stand_in)
    text = _sub(_TELEGRAM, "telegram", "path", text, stand_in)
    text = _sub(_TELEGRAM_BARE, "telegram", "text", text, stand_in)
    text = _sub(_JWT, "jwt", "text", text, stand_in)
    if "/" in text:
        text = _sub(_PATH_KEY, "key", "path", text, stand_in, public=True)
    if "=" in text:
        text = _QUERY.sub(lambda match: _query_value(match, stand_in), text)
    if '"' in text:
        text = _JSON.sub(lambda match: _json_value(match, stand_in), text)
        if _LOGIN.search(text[:200]):
            text = _sub(_LONG_STRING, "login", "json", text, stand_in)
    return text


def _sub(
    pattern: re.Pattern[str],
    kind: str,
    place: str,
    text: str,
    stand_in: StandIn,
    *,
    public: bool = False,
) -> str:
    def write(match: re.Match[str]) -> str:
        value = match["value"]
        if public and is_public_identifier(value):
            return match[0]
        return match["before"] + stand_in(kind, value, place)

    return pattern.sub(write, text)


def _query_value(match: re.Match[str], stand_in: StandIn) -> str:
    certainty = _certainty(match["name"])
    if certainty is None:
        return match[0]
    value = unquote(match["value"])
    if certainty == "maybe" and (len(value) < 8 or is_public_identifier(value)):
        return match[0]  # token=USDC, token=<mint>, signature=<transaction>
    return match["before"] + stand_in(_kind(match["name"]), match["value"], "query")


def _json_value(match: re.Match[str], stand_in: StandIn) -> str:
    value = match["value"]
    sure = _certainty(match["name"]) == "sure"
    if not value or not (sure or match["name"].lower() == "token"):
        inner = (
            _JSON.sub(lambda pair: _json_value(pair, stand_in), value) if '"' in value else value
        )
        return match["before"] + inner
    if not sure and (len(value) < 16 or " " in value or is_public_identifier(value)):
        return match[0]  # a coin's symbol, name or mint
    return match["before"] + stand_in(_kind(match["name"]), value, "json")


@cache
def _certainty(name: str) -> Literal["sure", "maybe"] | None:
    if _SURE_NAME.fullmatch(name):
        return "sure"
    return "maybe" if _QUERY_NAME.fullmatch(name) else None


def _kind(name: str) -> str:
    return re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-") or "secret"


# --- The redactor ---------------------------------------------------------------------------------


T = TypeVar("T", bound=Event)


class Redactor:
    """Replaces the secrets of one recording and counts them; not shared between recordings.

    ``secrets`` maps environment variable to value; ``salt`` is random and must not be stored.
    """

    def __init__(self, secrets: Mapping[str, str], salt: bytes) -> None:
        self._salt = salt
        self._environment = dict(secrets)
        self._stand_ins: dict[str, str] = {}
        self._known: dict[str, str] = {}
        self._pattern: re.Pattern[str] | None = None
        self.counts: Counter[str] = Counter()
        for value in self._environment.values():
            self._learn(value, self._named("env", value))

    def event(self, event: T) -> T:
        """Return ``event`` without secrets; raises InputError when one cannot be taken out."""
        clean = self._clean(event)
        self._refuse_leaks(clean)
        return clean  # type: ignore[return-value]

    def text(self, text: str) -> str:
        """Return ``text`` without secrets."""
        text = _replace_by_place(text, self._replace)
        return self._replace_known(text)

    def command(self, words: Iterable[str]) -> tuple[str, ...]:
        """Return a command line without secrets, also behind flags such as ``--api-key``."""
        clean: list[str] = []
        secret_next = False
        for word in words:
            flag, separator, value = word.partition("=")
            is_flag = flag.startswith("-") and _NAME.search(flag.strip("-").replace("-", "_"))
            if secret_next and not word.startswith("-"):
                clean.append(self._replace("flag", word, "command"))
            elif is_flag and separator:
                clean.append(f"{flag}={self._replace('flag', value, 'command')}")
            else:
                clean.append(self.text(word))
            secret_next = bool(is_flag) and not separator
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
                headers = _with_length(self.headers(event.headers), event.body, body)
                return replace(event, headers=headers, body=body, reason=self.text(event.reason))
            case Message():
                data = event.data
                clean = self.text(data) if isinstance(data, str) else self.body(data)
                return replace(event, data=clean)
            case Close():
                return replace(event, reason=self.text(event.reason))
            case Failure():
                return replace(event, detail=self.text(event.detail))

    def _header(self, name: str, value: str) -> str:
        lower = name.lower()
        if not _is_secret_header(lower) or len(value) < 4:
            return self.text(value)
        if lower in ("cookie", "set-cookie"):
            return self._cookie(value, first_only=lower == "set-cookie")
        scheme, space, credentials = value.partition(" ")
        if space and credentials and "authorization" in lower:
            return f"{scheme} {self._replace(_kind(lower), credentials, 'header')}"
        return self._replace(_kind(lower), value, "header")

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
        stand_in = self._named(kind, value)
        if len(value) >= MIN_LEARNED_LENGTH:
            self._learn(value, stand_in)
        return stand_in

    def _named(self, kind: str, value: str) -> str:
        plain = unquote(value)
        if plain not in self._stand_ins:
            digest = hashlib.blake2b(
                plain.encode("utf-8", "replace"), key=self._salt, digest_size=4
            )
            self._stand_ins[plain] = f"REDACTED-{kind}-{digest.hexdigest()}"
        return self._stand_ins[plain]

    def _learn(self, value: str, stand_in: str) -> None:
        if value in self._known:
            return
        for form in _forms(value):
            self._known.setdefault(form, stand_in)
        longest_first = sorted(self._known, key=len, reverse=True)
        self._pattern = re.compile("|".join(map(re.escape, longest_first)))

    def _replace_known(self, text: str) -> str:
        if self._pattern is None:
            return text

        def write(match: re.Match[str]) -> str:
            self.counts["value"] += 1
            return self._known[match[0]]

        return self._pattern.sub(write, text)

    def _refuse_leaks(self, event: Event) -> None:
        texts = list(_texts(event))
        for name, value in self._environment.items():
            if any(form in text for form in _forms(value) for text in texts):
                raise InputError(
                    f"the value of ${name} is still in a {type(event).__name__.lower()} event "
                    "after redaction, so it is not written",
                    remedy=f"unset {name} if it is no secret, or record with --no-redact",
                )


def _is_secret_header(lower: str) -> bool:
    return not lower.startswith(_PUBLIC_HEADERS) and _HEADER.search(lower) is not None


def _with_length(headers: Headers, before: bytes, after: bytes) -> Headers:
    if len(before) == len(after):
        return headers
    return tuple(
        (name, str(len(after)) if name.lower() == "content-length" else value)
        for name, value in headers
    )


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
    }


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
        case Close() | Failure():
            yield event.reason if isinstance(event, Close) else event.detail


def redact_recording(recording: Recording, redactor: Redactor) -> Recording:
    """Return ``recording`` without secrets, its header's counts brought up to date."""
    events = tuple(map(redactor.event, recording.events))
    command = redactor.command(recording.header.command)
    counts = Counter(recording.header.redacted) + redactor.counts
    header = replace(recording.header, command=command, redacted=dict(sorted(counts.items())))
    return replace(recording, header=header, events=events)
