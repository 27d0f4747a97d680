"""Find the names of installed packages by paths such as ``pkg.Class().method``, calling nothing."""

from __future__ import annotations

import contextlib
import functools
import importlib
import importlib.metadata
import importlib.util
import inspect
import io
import re
import sys
import types
import typing
import warnings
from collections.abc import Iterable
from pathlib import Path
from typing import Any, NamedTuple


class MissingError(Exception):
    """The package has no such name."""


class NotInstalledError(Exception):
    """The module is not there; another distribution may hold it."""


class UnknownError(Exception):
    """Only a living instance could tell."""


class Place(NamedTuple):
    """What a path leads to: a module, a class, any other object, or an instance of a class."""

    held: Any
    is_instance: bool = False


@functools.cache
def module(name: str) -> types.ModuleType:
    """Import a module. Raises NotInstalledError."""
    try:
        with warnings.catch_warnings(), contextlib.redirect_stdout(io.StringIO()):
            warnings.simplefilter("ignore")  # what a library says about itself is not our matter
            return importlib.import_module(name)
    except (Exception, SystemExit) as error:  # import runs foreign code
        raise NotInstalledError(name) from error


def walk(path: str) -> Place:
    """Return what ``pkg.Class().attribute.method`` is."""
    head, *steps = re.findall(r"\w+|\(\)|\[\]", path)
    try:
        return _follow(Place(module(head)), steps)
    except MissingError:
        # A package may hold something of the same name as one of its modules.
        name = head
        while steps and is_installed(f"{name}.{steps[0]}"):
            name = f"{name}.{steps.pop(0)}"
        if name == head:
            raise
        return _follow(Place(module(name)), steps)


def _follow(place: Place, steps: list[str]) -> Place:
    for step in steps:
        place = result(place) if step in {"()", "[]"} else member(place, step)
    return place


def member(place: Place, name: str) -> Place:
    """Return an attribute, as it stands in the class when ``place`` is an instance."""
    if inspect.ismodule(place.held):
        return _in_module(place.held, name)
    if not inspect.isclass(place.held) or (place.is_instance and _is_value(place)):
        place = value(place)
    cls = place.held
    found = inspect.getattr_static(cls, name, MissingError)
    if found is not MissingError:
        return Place(found.__func__ if isinstance(found, classmethod | staticmethod) else found)
    hint = _hints(cls).get(name)
    if hint is not None:
        return Place(_class_of(hint, cls), is_instance=True)
    if hasattr(cls, "__getattr__") or _set_on_self(cls, name):
        raise UnknownError(name)
    raise MissingError(name)


def _is_value(place: Place) -> bool:
    return not inspect.isclass(place.held)


def _in_module(held: types.ModuleType, name: str) -> Place:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            found = getattr(held, name)
    except ImportError as error:
        raise NotInstalledError(f"{held.__name__}.{name}") from error
    except AttributeError:
        inner = f"{held.__name__}.{name}"
        if is_installed(inner):
            return Place(module(inner))
        if getattr(held, "__file__", None) is None:  # a namespace that many packages share
            raise NotInstalledError(inner) from None
        raise MissingError(name) from None
    return Place(found)


def value(place: Place) -> Place:
    """Return the instance that reading a property or attribute gives."""
    held = place.held
    for getter in ("fget", "func", "__wrapped__"):
        function = getattr(held, getter, None)
        if function is not None and not inspect.isfunction(held):
            return Place(_class_of(_returned(function), None), is_instance=True)
    if inspect.isroutine(held):
        raise MissingError("attribute of a function")
    if inspect.isdatadescriptor(held) or held is None:
        raise UnknownError(repr(held))
    return Place(type(held), is_instance=True)


def result(place: Place) -> Place:
    """Return what a call gives: an instance of the class, or of the annotated class."""
    if inspect.isclass(place.held) and not place.is_instance:
        return Place(place.held, is_instance=True)
    if place.is_instance:
        place = member(place, "__call__")
    return Place(_class_of(_returned(place.held), None), is_instance=True)


def _returned(function: Any) -> Any:
    try:
        return typing.get_type_hints(inspect.unwrap(function))["return"]
    except Exception as error:  # annotations are foreign code
        raise UnknownError(str(function)) from error


def _class_of(hint: Any, owner: Any) -> type:
    if hint is typing.Self and owner is not None:
        return typing.cast(type, owner)
    if typing.get_origin(hint) in {typing.Union, types.UnionType}:
        hints = [part for part in typing.get_args(hint) if part is not type(None)]
        hint = hints[0] if len(hints) == 1 else None
    found = typing.get_origin(hint) or hint
    if not inspect.isclass(found) or found in {object, type(None)}:
        raise UnknownError(str(hint))
    return found


@functools.cache
def _hints(cls: type) -> dict[str, Any]:
    try:
        return typing.get_type_hints(cls)
    except Exception:  # annotations are foreign code
        return {}


def _set_on_self(cls: type, name: str) -> bool:
    assigned = re.compile(rf"\bself\.{name}\b[^\n=]*=")
    return any(assigned.search(_source(base.__module__)) for base in cls.__mro__[:-1])


@functools.cache
def _source(name: str) -> str:
    file = getattr(sys.modules.get(name), "__file__", None) or ""
    return Path(file).read_text("utf-8") if file.endswith(".py") else ""


def value_of(place: Place) -> Place:
    """Return what an attribute holds."""
    return place if place.is_instance else value(place)


@functools.cache
def distributions() -> dict[str, str]:
    """Return which distribution and version holds each package and each package in a package."""
    found: dict[str, str] = {}
    for dist in importlib.metadata.distributions():
        shown = f"{dist.name} {dist.version}"
        for file in dist.files or ():
            if file.suffix in {".py", ".so", ".pyd"}:
                parts = [part.partition(".")[0] for part in file.parts]
                parts = parts[:-1] if parts[-1] == "__init__" else parts
                for depth in (1, 2, 3):
                    found.setdefault(".".join(parts[:depth]), shown)
    return found


def versions(imports: Iterable[str]) -> str:
    """Return the names and versions of the installed packages among ``imports``."""
    python = f"Python {sys.version_info.major}.{sys.version_info.minor}"
    shown = [
        python if name.partition(".")[0] in sys.stdlib_module_names else distributions().get(name)
        for name in imports
    ]
    return ", ".join(dict.fromkeys(filter(None, shown)))


def is_installed(name: str) -> bool:
    """Tell whether a module can be found."""
    try:
        return importlib.util.find_spec(name) is not None
    except ModuleNotFoundError:
        return False
