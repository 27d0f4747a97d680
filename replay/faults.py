"""The faults that can be asked for, and how they are written: ``loss=50%,latency=2s@HOST``.

Times are those of the recording: ``--speed 10`` divides them by ten, as it divides all waits.
Everything is drawn by seed, fault, thing asked for and its n-th request, so that both sides of a
comparison meet the same whatever else they ask for, and a request that is repeated draws anew.

``loss=50%``
    Packets are lost on their way. A program never sees that: TCP sends again after 0.2 s, then
    after twice the time, and so on, up to 120 s (Linux's shortest timeout and its doubling), so
    that answers come late or never. Request and answer count as one packet each, and so does the
    handshake of a WebSocket and each of its messages, behind which later ones wait. What would
    take longer than anybody waits never comes. Connections are set up without loss.
``latency=2s``
    Every answer comes so much later.
``jitter=100ms``
    Every answer comes later by an amount between nothing and this, all equally likely.
``reset=1%``
    The connection is reset in the middle of the answer's body (before the answer without one).
``status=503:5%``
    The service fails: this status with the body that the recording holds for it on that host, or
    else the one that such a service or the proxy before it gives. Without a share: always.
``slow-body=10kB/s``
    Bodies trickle in at this speed, ten pieces a second. With a share (``10kB/s:5%``) only those.
``stall=1%``
    The answer stops after its head or half of its body, and nothing follows.
``malformed=1%``
    The answer is broken: half of its body as if it were all, a chunk of no size, a broken head.
``ws-drop=every:30s``
    All WebSockets are reset at these times.
``outage=HOST:10s-20s``
    Between these times HOST resets what connects to it and all that is connected; its name still
    resolves.

A fault can be kept to one host, to a window of time or to both: ``loss=5%@HOST``,
``latency=1s@10s-40s``, ``status=429:80%@HOST:10s-40s``. All times are counted from the start of
the streams; from the first long poll or the first cycle where such begin the items; else from the
first request. Pushed messages count from the start of their own stream.

Where a fault takes the place of an answer (``loss`` without end, ``reset``, ``status``, ``stall``,
``malformed``, ``outage``) the service did not do what was asked, so asking again is right.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from perfscan.errors import InputError
from perfscan.replay.amounts import read_duration, read_share, read_speed
from perfscan.replay.model import Fault, FaultKind
from perfscan.replay.yaml_node import did_you_mean

_HOST = re.compile(r"[a-z0-9._-]+(:\d+)?|\[[0-9a-f:]+\](:\d+)?")
_WINDOW = re.compile(r"((?P<host>.*):)?(?P<begin>[\d.]+[a-z]*)-(?P<end>[\d.]+[a-z]*)", re.I)
_EXAMPLE = "loss=50%, status=429:80%@api.example.com:10s-40s or outage=api.example.com:10s-20s"


def read_faults(specs: Iterable[str], where: str = "--fault") -> tuple[Fault, ...]:
    """Return the faults of all ``specs``, each of which may hold several, parted by commas.

    Raises InputError that names ``where``.
    """
    faults = []
    for spec in (part.strip() for text in specs for part in text.split(",")):
        try:
            faults.append(_fault(spec))
        except ValueError as error:
            raise InputError(
                f"not a fault: {spec!r}: {error}", where=where, remedy=f"write it as in {_EXAMPLE}"
            ) from error
    return tuple(faults)


def _fault(spec: str) -> Fault:
    name, _, rest = spec.partition("=")
    kind = next((known for known in _READERS if known == name.strip()), None)
    if kind is None:
        known = did_you_mean(name, _READERS) or f"; known are {', '.join(_READERS)}"
        raise ValueError(f"unknown fault {name!r}{known}")
    value, at, place = rest.partition("@")
    if at and kind == "outage":
        raise ValueError("an outage names its host before the times")
    fields = dict(_READERS[kind](value.strip()))
    if at:
        fields |= _place(place.strip())
    return Fault(kind, spec, **fields)


def _place(text: str) -> Mapping[str, Any]:
    """Read what stands behind ``@``: a host, a window of time, or both."""
    found = _WINDOW.fullmatch(text)
    if found is None:
        return {"host": _host(text)}
    window = {"window_ns": _window(found["begin"], found["end"])}
    return window if found["host"] is None else {"host": _host(found["host"]), **window}


def _window(begin: str, end: str) -> tuple[int, int]:
    begin_ns, end_ns = read_duration(begin), read_duration(end)
    if begin_ns >= end_ns:
        raise ValueError(f"it ends before it begins: {begin}-{end}")
    return begin_ns, end_ns


def _host(text: str) -> str:
    if not _HOST.fullmatch(host := text.strip().lower()):
        raise ValueError(f"not a host: {text!r}")
    return host


def _share(text: str) -> Mapping[str, Any]:
    return {"share": read_share(text)}


def _time(text: str) -> Mapping[str, Any]:
    return {"time_ns": read_duration(text)}


def _status(text: str) -> Mapping[str, Any]:
    status, colon, share = text.partition(":")
    if not re.fullmatch(r"[45]\d\d", status, re.ASCII):
        raise ValueError(f"not a status that a failing service gives: {status!r}; write 503:5%")
    return {"status": int(status), "share": read_share(share) if colon else 1.0}


def _slow_body(text: str) -> Mapping[str, Any]:
    speed, colon, share = text.partition(":")
    return {"bytes_per_s": read_speed(speed), "share": read_share(share) if colon else 1.0}


def _ws_drop(text: str) -> Mapping[str, Any]:
    word, _, interval = text.partition(":")
    interval_ns = read_duration(interval) if word == "every" and interval else 0
    if not interval_ns:
        raise ValueError(f"expected how often, such as every:30s, found {text!r}")
    return {"time_ns": interval_ns}


def _outage(text: str) -> Mapping[str, Any]:
    host, _, window = text.rpartition(":")
    begin, dash, end = window.partition("-")
    if not host or not dash:
        raise ValueError(
            f"expected host and times, such as api.example.com:10s-20s, found {text!r}"
        )
    return {"host": _host(host), "window_ns": _window(begin, end)}


_READERS: dict[FaultKind, Callable[[str], Mapping[str, Any]]] = {
    "loss": _share,
    "latency": _time,
    "jitter": _time,
    "reset": _share,
    "status": _status,
    "slow-body": _slow_body,
    "stall": _share,
    "malformed": _share,
    "ws-drop": _ws_drop,
    "outage": _outage,
}
