"""``services``: what real services a side needs, and what they hold when a run begins."""

from __future__ import annotations

import re
from urllib.parse import urlsplit

from perfscan.replay.model import ServiceRule
from perfscan.replay.scenario.fields import read_command, read_file
from perfscan.replay.yaml_node import YamlNode, did_you_mean

SERVICES = {"postgresql": ("postgresql", "postgres"), "redis": ("redis", "rediss", "unix")}
"""Service to the schemes of its URLs."""
_VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")


def read_services(node: YamlNode | None) -> tuple[ServiceRule, ...]:
    """Read a list of names, or a mapping from name to what is said of it."""
    if node is None:
        return ()
    if node.is_list:
        return tuple(dict.fromkeys(ServiceRule(_name(child)) for child in node.items()))
    rules = tuple(_service(name, child) for name, child in node.fields(SERVICES).items())
    told = [rule.variable for rule in rules if rule.variable]
    if len(told) > len(set(told)):
        raise node.mistake(f"{told[0]} cannot tell the URLs of two services", "name another")
    return rules


def _name(node: YamlNode) -> str:
    if (name := node.text()) not in SERVICES:
        raise node.mistake(
            f"unknown service {name!r}{did_you_mean(name, SERVICES)}",
            f"perfscan can start {', '.join(SERVICES)}",
        )
    return name


def _service(name: str, node: YamlNode) -> ServiceRule:
    if node.is_null:
        return ServiceRule(name)
    fields = node.fields(("seed", "environment", "url"))
    seed, url = fields.get("seed"), fields.get("url")
    if seed and url:
        raise seed.mistake("perfscan seeds only what it starts", "remove seed or url")
    return ServiceRule(
        name,
        seed_file=read_file(seed).resolve() if seed and not seed.is_list else None,
        seed_command=read_command(seed) if seed and seed.is_list else (),
        variable=_variable(fields["environment"]) if "environment" in fields else "",
        url=_url(url, name) if url else "",
    )


def _variable(node: YamlNode) -> str:
    if not _VARIABLE.fullmatch(name := node.text()):
        raise node.mistake(f"not the name of an environment variable: {name!r}")
    return name


def _url(node: YamlNode, name: str) -> str:
    url = node.text()
    schemes = SERVICES[name]
    try:
        parts = urlsplit(url)
        known = parts.scheme in schemes and parts.port != 0
    except ValueError:
        known = False
    if not known:
        raise node.mistake(f"not a URL of {name}: {url!r}", f"begin it with {schemes[0]}://")
    return url
