"""Arranges that each module is extended at the moment when the bot imports it, and not before."""

from __future__ import annotations

import os
import sys

from . import config as settings

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from importlib.machinery import ModuleSpec
    from types import ModuleType
    from typing import Any

    from .config import Config

    Patch = Callable[[Config, ModuleType], None]


def install() -> None:
    """Follow the orders in the environment; without orders do nothing."""
    text = os.environ.get(settings.VARIABLE)
    if not text:
        return
    config = settings.decode(text)
    from . import literals, loops, names, trust

    patches: dict[str, list[Patch]] = {
        "socket": [names.patch_socket],
        "ssl": [trust.patch_ssl],
        "uvloop": [loops.patch_uvloop],
        "aiodns": [names.patch_aiodns],
    }
    if config.mode == "replay":
        patches["asyncio.base_events"] = [names.patch_asyncio]
    else:
        patches["socket"].append(literals.patch_socket)
    if config.vitals:
        from . import vitals

        patches.setdefault("asyncio.base_events", []).append(vitals.patch_asyncio)
        patches["uvloop"].append(vitals.patch_uvloop)
    if config.guards_alone:
        from . import guard

        guard.install(config)
    hidden = ("aiodns",) if config.guards_alone else ()
    finder = _Finder(config, patches, hidden)
    for name in patches:
        if name in sys.modules:  # imported by a .pth file before this
            finder.apply(sys.modules[name])
    sys.meta_path.insert(0, finder)


class _Finder:
    """Finds nothing itself: extends the modules that the other finders find.

    Hidden modules do not exist for the bot: c-ares asks name servers on its own, and aiohttp
    falls back to the resolver of Python when aiodns is missing.
    """

    def __init__(
        self, config: Config, patches: dict[str, list[Patch]], hidden: Sequence[str]
    ) -> None:
        self._config = config
        self._patches = patches
        self._hidden = hidden

    def find_spec(self, name: str, path: Any = None, target: Any = None) -> ModuleSpec | None:
        if name in self._hidden:
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)
        if name not in self._patches:
            return None
        for finder in sys.meta_path:
            if finder is not self:
                spec = finder.find_spec(name, path, target)
                if spec is not None:
                    self._extend(spec)
                    return spec
        return None

    def _extend(self, spec: ModuleSpec) -> None:
        loader: Any = spec.loader
        execute = loader.exec_module

        def exec_module(module: ModuleType) -> None:
            del loader.exec_module  # what the bot sees of the loader is the loader's own
            execute(module)
            self.apply(module)

        loader.exec_module = exec_module

    def apply(self, module: ModuleType) -> None:
        """Extend ``module``."""
        for patch in self._patches[module.__name__]:
            patch(self._config, module)
