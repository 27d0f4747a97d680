"""A place in a YAML file that is read with checks, so that each mistake names its line and key."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path

import yaml

from perfscan.errors import InputError

_TAG = "tag:yaml.org,2002:"
_KINDS = {"str": "text", "int": "a number", "float": "a number", "bool": "true or false"}


@dataclass(frozen=True, slots=True)
class YamlNode:
    """One node: ``path`` is its dotted key, such as ``claims[2].metric``."""

    file: Path
    path: str
    node: yaml.Node

    @property
    def where(self) -> str:
        """File, line and key, for error messages."""
        place = f"{self.file}:{self.node.start_mark.line + 1}"
        return f"{place}: {self.path}" if self.path else place

    def mistake(self, what: str, remedy: str | None = None) -> InputError:
        """Build the error that names this place."""
        return InputError(what, where=self.where, remedy=remedy)

    def mapping(self) -> dict[str, YamlNode]:
        """Return the children of a mapping with free keys. Raises InputError on a repeated key."""
        if not isinstance(self.node, yaml.MappingNode):
            raise self.mistake(f"expected a mapping, found {self._found()}")
        children: dict[str, YamlNode] = {}
        for key, value in self.node.value:
            if not isinstance(key, yaml.ScalarNode):
                raise YamlNode(self.file, self.path, key).mistake("a key must be plain text")
            child = f"{self.path}.{key.value}" if self.path else key.value
            if key.value in children:
                raise YamlNode(self.file, child, key).mistake(
                    f"the key {key.value!r} appears twice", "remove one of them"
                )
            children[key.value] = YamlNode(self.file, child, value)
        return children

    def fields(self, known: Collection[str], required: Collection[str] = ()) -> dict[str, YamlNode]:
        """Return the children of a mapping that may hold only ``known`` keys."""
        children = self.mapping()
        for key, child in children.items():
            if key not in known:
                raise child.mistake(
                    f"unknown key {key!r}{did_you_mean(key, known)}",
                    f"the keys here are {', '.join(sorted(known))}",
                )
        missing = [key for key in required if key not in children]
        if missing:
            raise self.mistake(f"the key {missing[0]!r} is missing", "add it")
        return children

    def items(self) -> list[YamlNode]:
        """Return the children of a list."""
        if not isinstance(self.node, yaml.SequenceNode):
            raise self.mistake(f"expected a list, found {self._found()}")
        return [
            YamlNode(self.file, f"{self.path}[{index}]", child)
            for index, child in enumerate(self.node.value)
        ]

    @property
    def is_list(self) -> bool:
        """Whether this is a list rather than one value."""
        return isinstance(self.node, yaml.SequenceNode)

    @property
    def is_mapping(self) -> bool:
        """Whether this has keys."""
        return isinstance(self.node, yaml.MappingNode)

    @property
    def is_null(self) -> bool:
        """Whether nothing, ``null`` or ``~`` stands here."""
        return self._tag == "null"

    def scalar(self) -> str:
        """Return any single value as it is written, such as ``8080`` or ``true``."""
        if not isinstance(self.node, yaml.ScalarNode) or self.is_null:
            raise self.mistake(f"expected one value, found {self._found()}", "put it in quotes")
        return str(self.node.value)

    def text(self) -> str:
        """Return a non-empty text."""
        if self._tag != "str" or not isinstance(self.node, yaml.ScalarNode):
            raise self.mistake(f"expected text, found {self._found()}", "put it in quotes")
        if not self.node.value.strip():
            raise self.mistake("expected text, found nothing", "fill it in or remove the key")
        return str(self.node.value)

    def texts(self) -> tuple[str, ...]:
        """Return a list of texts."""
        return tuple(item.text() for item in self.items())

    def number(self) -> float:
        """Return a finite number."""
        if self._tag in ("int", "float") and isinstance(self.node, yaml.ScalarNode):
            try:
                value = float(self.node.value.replace("_", ""))
            except ValueError:
                value = float("nan")
            if abs(value) < float("inf"):
                return value
        raise self.mistake(f"expected a number, found {self._found()}")

    def flag(self) -> bool:
        """Return a truth value."""
        if self._tag != "bool" or not isinstance(self.node, yaml.ScalarNode):
            raise self.mistake(f"expected true or false, found {self._found()}")
        return str(self.node.value).lower() in ("true", "yes", "on")

    @property
    def _tag(self) -> str:
        return str(self.node.tag).removeprefix(_TAG)

    def _found(self) -> str:
        if isinstance(self.node, yaml.MappingNode):
            return "a mapping"
        if isinstance(self.node, yaml.SequenceNode):
            return "a list"
        if self.is_null:
            return "nothing"
        return f"{_KINDS.get(self._tag, self._tag)} ({self.node.value!r})"


def read_yaml(path: Path) -> YamlNode:
    """Read one YAML document. Raises InputError for a missing, unreadable or malformed file."""
    try:
        text = path.read_text(encoding="utf-8-sig")
    except FileNotFoundError:
        raise InputError("no such file", where=str(path), remedy="check the path") from None
    except IsADirectoryError:
        raise InputError(
            "this is a directory", where=str(path), remedy="name the scenario.yaml inside it"
        ) from None
    except UnicodeDecodeError as error:
        raise InputError(
            f"not UTF-8 text (byte {error.start})", where=str(path), remedy="save it as UTF-8"
        ) from error
    except OSError as error:
        raise InputError(error.strerror or str(error), where=str(path)) from error
    try:
        node = yaml.compose(text, Loader=yaml.SafeLoader)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        place = f"{path}:{mark.line + 1}" if mark else str(path)
        raise InputError(f"not valid YAML: {error.problem}", where=place) from error
    except yaml.YAMLError as error:
        reason = " ".join(str(error).split())
        raise InputError(f"not valid YAML: {reason}", where=str(path)) from error
    if node is None:
        raise InputError("the file is empty", where=str(path), remedy="describe a scenario in it")
    return YamlNode(path, "", node)


def did_you_mean(word: str, known: Collection[str]) -> str:
    """Return ``; did you mean 'x'?`` for the closest of ``known``, or an empty string."""
    close = get_close_matches(word, sorted(known), n=1, cutoff=0.6)
    return f"; did you mean {close[0]!r}?" if close else ""
