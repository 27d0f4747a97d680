"""Every TLS context that loads certificates also trusts the authority of the run."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from types import ModuleType
    from typing import Any

    from .config import Config


def patch_ssl(config: Config, ssl: ModuleType) -> None:
    """Extend ``SSLContext.load_verify_locations`` and ``set_default_verify_paths``."""
    for name in ("load_verify_locations", "set_default_verify_paths"):
        setattr(ssl.SSLContext, name, _extended(ssl.SSLContext, name, config.ca))


def _extended(context_class: Any, name: str, ca: str) -> Any:
    original = getattr(context_class, name)
    load = context_class.load_verify_locations

    def extended(self: Any, *arguments: Any, **options: Any) -> Any:
        result = original(self, *arguments, **options)
        load(self, ca)
        return result

    extended.__name__ = name
    extended.__qualname__ = f"SSLContext.{name}"
    extended.__doc__ = original.__doc__
    extended.__module__ = "ssl"
    return extended
