"""``implementations``: how each side is started."""

from __future__ import annotations

import shlex

from perfscan.replay.model import Implementation
from perfscan.replay.scenario.fields import read_directory, read_entries, read_folder, read_whole
from perfscan.replay.yaml_node import YamlNode, did_you_mean

SERVICES = ("redis",)


def read_implementation(name: str, node: YamlNode) -> Implementation:
    """Read one side."""
    fields = node.fields(
        ("command", "directory", "environment", "services", "switches", "listens"),
        required=("command",),
    )
    return Implementation(
        name=name,
        command=_command(fields["command"]),
        directory=read_directory(fields["directory"])
        if "directory" in fields
        else read_folder(node),
        environment=_environment(fields.get("environment")),
        services=_services(fields["services"]) if "services" in fields else (),
        switches={
            switch: _environment(values)
            for switch, values in read_entries(fields.get("switches")).items()
        },
        listens=_port(fields["listens"]) if "listens" in fields else None,
    )


def _port(node: YamlNode) -> int:
    if (port := read_whole(node, at_least=1)) > 65_535:
        raise node.mistake(f"not a port: {port}", "ports end at 65535")
    return port


def _command(node: YamlNode) -> tuple[str, ...]:
    if node.is_list:
        words = tuple(word.scalar() for word in node.items())
    else:
        try:
            words = tuple(shlex.split(node.text()))
        except ValueError as error:
            raise node.mistake(f"cannot split the command: {error}", "write a list") from error
    if not words:
        raise node.mistake("the command is empty", "write what starts the bot")
    return words


def _services(node: YamlNode) -> tuple[str, ...]:
    for service in node.items():
        if service.text() not in SERVICES:
            raise service.mistake(
                f"unknown service {service.text()!r}{did_you_mean(service.text(), SERVICES)}",
                f"perfscan can start {', '.join(SERVICES)}",
            )
    return node.texts()


def _environment(node: YamlNode | None) -> dict[str, str]:
    return {name: value.scalar() for name, value in read_entries(node).items()}
