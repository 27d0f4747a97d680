"""``limits`` and ``faults``: what the services allow, and what goes wrong on purpose."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import TypeVar

from perfscan.errors import InputError
from perfscan.replay.amounts import read_duration, read_frequency
from perfscan.replay.faults import read_faults
from perfscan.replay.model import Ban, Fault, HostLimits, Rate, RateLimit, Refusal
from perfscan.replay.scenario.fields import (
    check_request,
    read_children,
    read_entries,
    read_positive,
    read_request,
    read_whole,
)
from perfscan.replay.yaml_node import YamlNode

Value = TypeVar("Value")
_OF_RATE = ("burst", "requests", "weights", "weight_header", "exceeded", "ban")
_OTHERS = ("connections", "new_connections", "websockets", "concurrency")
_HOST = re.compile(r"[^\s/@]+")


def read_limits(node: YamlNode | None) -> tuple[HostLimits, ...]:
    """Read what the hosts allow."""
    return tuple(_host_limits(entry) for entry in read_children(node))


def read_scenario_faults(node: YamlNode | None) -> tuple[Fault, ...]:
    """Read the faults that every run meets."""
    faults: list[Fault] = []
    for entry in read_children(node):
        try:
            faults += read_faults([entry.text()])
        except InputError as error:
            raise entry.mistake(error.what, error.remedy) from error
    return tuple(faults)


def _host_limits(node: YamlNode) -> HostLimits:
    fields = node.fields(("host", "rate", *_OF_RATE, *_OTHERS, "when_full"), required=("host",))
    stray = [name for name in _OF_RATE if name in fields and "rate" not in fields]
    if stray:
        raise fields[stray[0]].mistake(f"{stray[0]!r} needs a rate", "add rate: 1200/1m, say")
    if not {"rate", *_OTHERS} & fields.keys():
        raise node.mistake("nothing is limited", f"add rate, {', '.join(_OTHERS)}")
    if not _HOST.fullmatch(host := fields["host"].text()):
        raise fields["host"].mistake(f"not a host: {host!r}", "write api.example.com")
    counts = {
        name: read_whole(fields[name], at_least=1)
        for name in ("connections", "websockets", "concurrency")
        if name in fields
    }
    return HostLimits(
        host.lower(),
        rate=_rate_limit(fields) if "rate" in fields else None,
        new_connections=_rate(fields["new_connections"]) if "new_connections" in fields else None,
        full_status=_status(fields["when_full"]) if "when_full" in fields else None,
        **counts,
    )


def _rate_limit(fields: dict[str, YamlNode]) -> RateLimit:
    rate = _rate(fields["rate"])
    burst = read_positive(fields["burst"]) if "burst" in fields else max(1, rate.amount)
    if burst < 1:
        raise fields["burst"].mistake(
            f"no request is ever allowed: it takes 1, the burst is {burst:g}", "raise burst"
        )
    weights = {}
    for pattern, node in read_entries(fields.get("weights")).items():
        weights[check_request(pattern, node)] = weight = read_positive(node)
        if weight > burst:
            raise node.mistake(
                f"a weight of {weight:g} is never allowed: the burst is {burst:g}", "raise burst"
            )
    return RateLimit(
        rate,
        burst,
        tuple(read_request(pattern) for pattern in read_children(fields.get("requests"))),
        weights,
        fields["weight_header"].text() if "weight_header" in fields else "",
        _refusal(fields["exceeded"]) if "exceeded" in fields else Refusal(),
        _ban(fields["ban"]) if "ban" in fields else None,
    )


def _refusal(node: YamlNode) -> Refusal:
    fields = node.fields(("status", "retry_after_s", "headers", "body"))
    headers = read_entries(fields.get("headers"))
    return Refusal(
        _status(fields["status"]) if "status" in fields else 429,
        read_positive(fields["retry_after_s"]) if "retry_after_s" in fields else None,
        tuple((name, value.scalar()) for name, value in headers.items()),
        fields["body"].scalar() if "body" in fields else None,
    )


def _ban(node: YamlNode) -> Ban:
    fields = node.fields(("after", "for", "status"), required=("after", "for"))
    return Ban(
        read_whole(fields["after"], at_least=1),
        _amount(fields["for"], read_duration),
        _status(fields["status"]) if "status" in fields else 418,
    )


def _rate(node: YamlNode) -> Rate:
    return Rate(*_amount(node, read_frequency))


def _amount(node: YamlNode, read: Callable[[str], Value]) -> Value:
    try:
        return read(node.scalar())
    except ValueError as error:
        raise node.mistake(str(error)) from error


def _status(node: YamlNode) -> int:
    status = read_whole(node, at_least=400)
    if status > 599:
        raise node.mistake(f"not a status of a refusal: {status}", "write 429 or 503, say")
    return status
