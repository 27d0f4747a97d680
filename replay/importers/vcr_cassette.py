"""Cassettes of vcrpy (and pytest-recording), in YAML or JSON.

Bodies are texts, ``!!binary`` or base64, packed as they came or already unpacked. Headers are lists
of values; older cassettes have single values, those of httpx ``status_code`` and ``content``.
No version stores when anything happened or how long it took.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

from perfscan.errors import InputError
from perfscan.replay.cassette import Interaction, Place, load, recording_of
from perfscan.replay.model import Recording

NAME = "vcrpy cassette"
_YAML = re.compile(rb"(?m)^interactions:|\A\s*(---\s+)?- request:")
_JSON = re.compile(rb'\A\s*(\{\s*"(version|interactions)"|\[\s*\{\s*"request")')


def detect(head: bytes) -> bool:
    """Whether a file that begins with ``head`` is a cassette of vcrpy."""
    text = head.removeprefix(b"\xef\xbb\xbf")
    if text.lstrip()[:1] in (b"{", b"["):
        return bool(_JSON.match(text)) and (b'"interactions"' in text or b'"request"' in text)
    return bool(_YAML.search(text))


def read(raw: bytes, path: Path) -> Recording:
    """Read the cassette ``raw``; raises InputError with the interaction that is not usable."""
    document = Place(load(raw, path), f"{path}:")
    found = document if isinstance(document.value, list) else document["interactions"]
    if not found.value:
        raise InputError(
            "the cassette holds no interactions", where=str(path), remedy="record it again"
        )
    return recording_of(_interactions(found), "vcrpy cassette")


def _interactions(found: Place) -> Iterator[tuple[Interaction, str]]:
    for place in found.items():
        request, response = place["request"], place["response"]
        uri = request["uri"] if request["uri"].value is not None else request["url"]
        status = response["status"]
        of_httpx = response["status_code"].value is not None
        code = response["status_code"] if of_httpx else status["code"]
        body = response["content"] if response["content"].value else response["body"]
        interaction = Interaction(
            method=request["method"].text("GET"),
            url=uri.text(),
            request_headers=request["headers"].headers(),
            request_body=request["body"].body(),
            status=code.status(),
            reason="" if of_httpx else status["message"].text(""),
            response_headers=response["headers"].headers(),
            response_body=body.body(),
            at_ns=None,
        )
        yield interaction, uri.where
