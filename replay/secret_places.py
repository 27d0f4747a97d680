"""Where secrets stand in text: names of parameters, keys and headers, and shapes of tokens.

Not secrets: blockchain addresses and transaction signatures, which bots use as item keys. A JSON
``signature`` is therefore left alone; the query parameter is an exchange's HMAC and is not.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import Literal
from urllib.parse import unquote, urlsplit

STAND_IN = re.compile(r"REDACTED-[a-z0-9-]+-[0-9a-f]{8}")
"""What stands where a secret was."""
ANY_SECRET = "<secret>"
MIN_ENVIRONMENT_LENGTH = 8

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
_HINTS = ("token", "secret", "key", "pass", "pwd", "mnemonic", "seed", "jwt", "auth", "credential")
"""One of these is in every name that ``_SURE_NAME`` matches: quickly looked for."""
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
_JSON_NAME = re.compile(r"\"([\w.-]{1,64})\\*\"\s*:")
"""The names of all pairs that ``_JSON`` may find, told several times faster."""
_LOGIN = re.compile(
    r"\"(?:op|method|event|type)\"\s*:\s*\"(?:auth|login|authenticate|session\.logon)\""
)
_LONG_STRING = re.compile(r"(?P<before>\")(?P<value>[^\"\\\s]{16,})(?=\"(?!\s*:))")
_TELEGRAM = re.compile(r"(?P<before>/bot)(?P<value>\d+(?::|%3[Aa])[A-Za-z0-9_-]{6,})")
_TELEGRAM_BARE = re.compile(
    r"(?P<before>(?<![\w-]))(?P<value>\d{8,12}:AA[A-Za-z0-9_-]{33})(?![\w-])"
)
_JWT = re.compile(r"(?P<before>(?<![\w-]))(?P<value>eyJ[\w-]{10,}\.eyJ[\w-]{10,}\.[\w-]{10,})")
_USER_INFO = re.compile(r"(?P<before>://[^/\s:@\"]*:)(?P<value>[^/\s@\"]+)(?=@)")
_CREDENTIALS = re.compile(
    r"(?P<before>\b(?i:basic|bearer) )(?P<value>[A-Za-z0-9_~+/.-]{12,}={0,2})(?![\w~+/.-])"
)
# A field of a multipart form.
_FORM_FIELD = re.compile(
    r"(?P<before>form-data; *name=\"(?P<name>[^\"\r\n]{1,64})\"\r\n(?:[\w-]+:[^\r\n]*\r\n)*\r\n)"
    r"(?P<value>[^\r\n]+)"
)
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


def is_secret_name(name: str) -> bool:
    """Whether a variable or flag of this name holds a secret: ``BOT_TOKEN``, ``api_key``."""
    return _NAME.search(name) is not None


def environment_secrets(environment: Mapping[str, str]) -> dict[str, str]:
    """Return variable name to value for every secret that the environment holds.

    Addresses (URLs, host names) are not secrets themselves; what is secret in them is found by its
    place in the URL.
    """
    return {
        name: value
        for name, value in environment.items()
        if is_secret_name(name)
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
    return STAND_IN.sub(ANY_SECRET, replace_by_place(text, lambda kind, value, place: ANY_SECRET))


# --- By place -------------------------------------------------------------------------------------

StandIn = Callable[[str, str, str], str]
"""(kind, secret value, place) to what is written instead."""


def replace_by_place(text: str, stand_in: StandIn) -> str:
    """Return ``text`` with each secret that its place gives away replaced."""
    if "://" in text:
        text = _sub(_USER_INFO, "password", "path", text, stand_in)
    if "/bot" in text:
        text = _sub(_TELEGRAM, "telegram", "path", text, stand_in)
    if ":AA" in text:
        text = _sub(_TELEGRAM_BARE, "telegram", "text", text, stand_in)
    if "eyJ" in text:
        text = _sub(_JWT, "jwt", "text", text, stand_in)
    if "asic " in text or "earer " in text or "ASIC " in text or "EARER " in text:
        text = _CREDENTIALS.sub(lambda match: _credentials(match, stand_in), text)
    if "/" in text:
        text = _sub(_PATH_KEY, "key", "path", text, stand_in, public=True)
    if "=" in text:
        text = _QUERY.sub(lambda match: _query_value(match, stand_in), text)
    if "form-data" in text:
        text = _FORM_FIELD.sub(lambda match: _query_value(match, stand_in), text)
    if '"' in text:
        text = _in_json(text, stand_in)
    return text


def _in_json(text: str, stand_in: StandIn) -> str:
    lower = text.lower()
    hinted = any(hint in lower for hint in _HINTS)
    if hinted and any(map(_may_name_secret, set(_JSON_NAME.findall(text)))):
        text = _JSON.sub(lambda match: _json_value(match, stand_in), text)
    if _LOGIN.search(text[:200]):
        text = _sub(_LONG_STRING, "login", "json", text, stand_in)
    return text


@lru_cache(4096)
def _may_name_secret(name: str) -> bool:
    return _certainty(name) == "sure" or name.lower() == "token"


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
    return match["before"] + stand_in(kind_of(match["name"]), match["value"], "query")


def _credentials(match: re.Match[str], stand_in: StandIn) -> str:
    """Replace what follows ``Basic`` or ``Bearer`` in prose, unless it is a word of the prose."""
    value = match["value"]
    if value.isalpha() or STAND_IN.fullmatch(value):
        return match[0]
    return match["before"] + stand_in("authorization", value, "text")


def _json_value(match: re.Match[str], stand_in: StandIn) -> str:
    value = match["value"]
    sure = _certainty(match["name"]) == "sure"
    if not value or not _may_name_secret(match["name"]):
        inner = (
            _JSON.sub(lambda pair: _json_value(pair, stand_in), value) if '"' in value else value
        )
        return match["before"] + inner
    if not sure and (len(value) < 16 or " " in value or is_public_identifier(value)):
        return match[0]  # a coin's symbol, name or mint
    return match["before"] + stand_in(kind_of(match["name"]), value, "json")


@lru_cache(4096)
def _certainty(name: str) -> Literal["sure", "maybe"] | None:
    if _SURE_NAME.fullmatch(name):
        return "sure"
    return "maybe" if _QUERY_NAME.fullmatch(name) else None


def kind_of(name: str) -> str:
    """Return the name of a header, parameter or key as the kind of a stand-in."""
    return re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-") or "secret"


def is_secret_header(lower: str) -> bool:
    """Whether the header of this lower-case name holds a secret."""
    return not lower.startswith(_PUBLIC_HEADERS) and _HEADER.search(lower) is not None
