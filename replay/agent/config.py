"""The agent's orders, handed over in one environment variable as ``name=value`` lines."""

from __future__ import annotations

VARIABLE = "PERFSCAN_AGENT"


class Config:
    """What to redirect, whom to trust, what to refuse; a dataclass would cost start-up time."""

    __slots__ = ("ca", "hosts", "include_local", "mode", "ports", "report", "vitals")

    def __init__(
        self,
        mode: str,
        ca: str,
        hosts: tuple[str, ...] = (),
        ports: dict[int, int] | None = None,
        report: str = "",
        include_local: bool = False,
        vitals: str = "",
    ) -> None:
        self.mode = mode
        """``record`` or ``replay``."""
        self.ca = ca
        """PEM file that every TLS context trusts in addition."""
        self.hosts = frozenset(host.lower() for host in hosts)
        """Replay: the hosts that may be looked up."""
        self.ports = ports
        """Real port to local port, or None where names lead to the stand-in by themselves."""
        self.report = report
        """File to which refusals are appended."""
        self.include_local = include_local
        """Record: redirect ``localhost`` too."""
        self.vitals = vitals
        """Folder to which event loops tell how they fare; empty where nobody asks."""

    @property
    def guards_alone(self) -> bool:
        """Whether nothing but the hooks keeps a replay away from real services."""
        return self.mode == "replay" and self.ports is not None


def encode(config: Config) -> str:
    """Return ``config`` as the text of the environment variable."""
    ports = config.ports
    values = {
        "mode": config.mode,
        "ca": config.ca,
        "hosts": ",".join(sorted(config.hosts)),
        "ports": "none" if ports is None else ",".join(f"{a}:{b}" for a, b in ports.items()),
        "report": config.report,
        "include_local": "yes" if config.include_local else "no",
        "vitals": config.vitals,
    }
    return "\n".join(f"{name}={value}" for name, value in values.items())


def decode(text: str) -> Config:
    """Return the Config that :func:`encode` wrote."""
    values = dict(line.split("=", 1) for line in text.split("\n"))
    ports = None
    if values["ports"] != "none":
        pairs = (pair.split(":") for pair in values["ports"].split(",") if pair)
        ports = {int(real): int(local) for real, local in pairs}
    return Config(
        values["mode"],
        values["ca"],
        tuple(host for host in values["hosts"].split(",") if host),
        ports,
        values["report"],
        values["include_local"] == "yes",
        values["vitals"],
    )
