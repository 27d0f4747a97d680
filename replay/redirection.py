"""The environment in which a bot reaches its stand-in instead of the real services."""

from __future__ import annotations

import json
import os
import ssl
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Literal

from perfscan.replay.agent import config, guard

AGENT_FOLDER = Path(config.__file__).resolve().parent
_BUNDLE_VARIABLES = (
    "SSL_CERT_FILE",
    "REQUESTS_CA_BUNDLE",
    "CURL_CA_BUNDLE",
    "WEBSOCKET_CLIENT_CA_BUNDLE",
    "NODE_EXTRA_CA_CERTS",
)
_PROXY_VARIABLES = frozenset({"http_proxy", "https_proxy", "all_proxy", "ws_proxy", "wss_proxy"})


# Where programs are, and nothing that is secret.
_INHERITED = ("PATH", "HOME", "LANG", "LC_ALL", "TZ", "TMPDIR")


def inherited() -> dict[str, str]:
    """Return what programs that a bench starts may see of the user's environment."""
    return {name: os.environ[name] for name in _INHERITED if name in os.environ}


def bot_environment(
    base: Mapping[str, str],
    *,
    mode: Literal["record", "replay"],
    ca_bundle: Path,
    authority: Path | None = None,
    hosts: Sequence[str],
    ports: Mapping[int, int] | None,
    report: Path,
    include_local: bool = False,
    vitals: Path | None = None,
) -> dict[str, str]:
    """Return ``base`` with everything that leads a bot to its stand-in.

    ``ports`` maps real to local ports where the hook redirects, and is None inside a namespace;
    ``hosts`` are those of the recording (ignored when recording); refusals are appended to
    ``report``; event loops tell how they fare in the folder ``vitals``, where there is one. Proxy
    variables are dropped, since a proxy would be reached instead. ``authority`` is what contexts
    trust beside whatever they load; where the bundle holds more, reading all of that a second time
    would slow down a bot that makes many of them.
    """
    orders = config.Config(
        mode,
        str((authority or ca_bundle).resolve()),
        tuple(hosts),
        None if ports is None else dict(ports),
        str(report.resolve()),
        include_local,
        str(vitals.resolve()) if vitals else "",
    )
    environment = {
        name: value for name, value in base.items() if name.lower() not in _PROXY_VARIABLES
    }
    environment |= dict.fromkeys(_BUNDLE_VARIABLES, str(ca_bundle.resolve()))
    path = [str(AGENT_FOLDER), *filter(None, [base.get("PYTHONPATH")])]
    environment["PYTHONPATH"] = os.pathsep.join(path)
    environment[config.VARIABLE] = config.encode(orders)
    return environment


def with_python(command: Sequence[str], python: str) -> list[str]:
    """Let ``command`` run on the interpreter ``python`` where it asks for one by name only."""
    if command[0] in ("python", "python3"):
        return [python, "-P", *command[1:]]
    return list(command)


def unguarded(command: Sequence[str]) -> str | None:
    """Return why the hooks cannot guard ``command`` without a namespace, or None if they can."""
    return guard.unguarded(command)


def escapes(report: Path) -> tuple[str, ...]:
    """Return what the bot tried to reach outside the recording: ``host (bot.py:31)``, once each."""
    if not report.exists():
        return ()
    lines = report.read_text("utf-8", errors="replace").splitlines()
    tried = [json.loads(line) for line in lines if line.endswith("}")]
    return tuple(dict.fromkeys(f"{entry['host']} ({entry['where']})" for entry in tried))


def write_bundle(ca_file: Path, target: Path) -> Path:
    """Write the system's certificates and ``ca_file`` to ``target``: both are to be trusted."""
    paths = ssl.get_default_verify_paths()
    system = Path(paths.cafile).read_bytes() if paths.cafile else _certifi()
    target.write_bytes(system + b"\n" + ca_file.read_bytes())
    return target


def _certifi() -> bytes:
    try:
        import certifi
    except ImportError:
        return b""
    return Path(certifi.where()).read_bytes()
