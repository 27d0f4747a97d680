"""Cassettes of Ruby's VCR and of betamax: ``http_interactions`` in YAML or JSON.

Bodies name their text encoding, or are base64. ``recorded_at`` has whole seconds and says when an
exchange was stored; how long it took is not kept.
"""

from __future__ import annotations

from collections.abc import Iterator
from email.utils import parsedate_to_datetime
from pathlib import Path

from perfscan.errors import InputError
from perfscan.replay.cassette import Interaction, Place, load, recording_of
from perfscan.replay.imported import date_ns
from perfscan.replay.model import Recording

NAME = "Ruby VCR or betamax cassette"


def detect(head: bytes) -> bool:
    """Whether a file that begins with ``head`` is a cassette of VCR or betamax."""
    text = head.removeprefix(b"\xef\xbb\xbf").lstrip()
    if text.startswith(b"{"):
        return b'"http_interactions"' in text
    return text.startswith(b"http_interactions:") or b"\nhttp_interactions:" in text


def read(raw: bytes, path: Path) -> Recording:
    """Read the cassette ``raw``; raises InputError with the interaction that is not usable."""
    document = Place(load(raw, path), f"{path}:")
    found = document["http_interactions"]
    if not found.value:
        raise InputError(
            "the cassette holds no interactions", where=str(path), remedy="record it again"
        )
    by = document["recorded_with"].text("VCR")
    return recording_of(_interactions(found), f"cassette by {by}")


def _interactions(found: Place) -> Iterator[tuple[Interaction, str]]:
    for place in found.items():
        request, response = place["request"], place["response"]
        status = response["status"]
        interaction = Interaction(
            method=request["method"].text("GET"),
            url=request["uri"].text(),
            request_headers=request["headers"].headers(),
            request_body=request["body"].body(),
            status=status["code"].status(),
            reason=status["message"].text(""),
            response_headers=response["headers"].headers(),
            response_body=response["body"].body(),
            at_ns=_recorded_at(place["recorded_at"]),
        )
        yield interaction, request["uri"].where


def _recorded_at(place: Place) -> int | None:
    """Return the date as VCR (RFC 2822) or betamax (ISO 8601) writes it; None without one."""
    text = place.text("").strip()
    if not text:
        return None
    try:
        return date_ns(text)
    except ValueError:
        pass
    try:
        return date_ns(parsedate_to_datetime(text).isoformat())
    except (ValueError, TypeError, IndexError, OverflowError) as error:
        raise place.mistake(f"{text[:40]!r} is not a date") from error
