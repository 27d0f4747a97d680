"""A certificate authority of one run: the bot trusts it, the stand-in servers use its leaves."""

from __future__ import annotations

import os
import ssl
from dataclasses import dataclass, field
from pathlib import Path

import trustme

from perfscan.errors import InputError

LOCAL_NAMES = ("localhost", "127.0.0.1", "::1")


@dataclass(slots=True)
class Authority:
    """A per-run CA in ``folder``; other processes of the run load the same one from there."""

    folder: Path
    _ca: trustme.CA
    _contexts: dict[str, ssl.SSLContext] = field(default_factory=dict)

    @classmethod
    def create(cls, folder: Path) -> Authority:
        """Make a new CA and keep its certificate and private key in ``folder``."""
        folder.mkdir(parents=True, exist_ok=True)
        authority = cls(folder, trustme.CA(organization_name="perfscan replay, this run only"))
        authority._ca.cert_pem.write_to_path(authority.ca_file)
        key = os.open(authority._key_file, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(key, "wb") as file:
            file.write(authority._ca.private_key_pem.bytes())
        return authority

    @classmethod
    def load(cls, folder: Path) -> Authority:
        """Return the CA that :meth:`create` left in ``folder``. Raises InputError."""
        try:
            certificate = (folder / "ca.pem").read_bytes()
            return cls(folder, trustme.CA.from_pem(certificate, (folder / "ca.key").read_bytes()))
        except (OSError, ValueError) as error:
            raise InputError(
                f"no certificate authority here: {error}",
                where=str(folder),
                remedy="create one with Authority.create",
            ) from error

    @property
    def ca_file(self) -> Path:
        """The certificate that clients must trust, PEM."""
        return self.folder / "ca.pem"

    @property
    def _key_file(self) -> Path:
        return self.folder / "ca.key"

    def server_context(self, names: tuple[str, ...] = LOCAL_NAMES) -> ssl.SSLContext:
        """Return a context for listening sockets that has a certificate for every host.

        The host is the one that the client asks for (SNI); each leaf is issued once. Clients that
        ask for none, as they do for an IP address, get one leaf for ``names``. HTTP/1.1 only.
        """
        context = self._leaf_context(*names)

        def choose(connection: ssl.SSLObject, name: str | None, _: ssl.SSLContext) -> int | None:
            if name:
                try:
                    connection.context = self._context_for(name.lower())
                except ValueError:  # not a valid host name: no certificate can be issued for it
                    return ssl.ALERT_DESCRIPTION_UNRECOGNIZED_NAME
            return None

        context.sni_callback = choose
        return context

    def _context_for(self, host: str) -> ssl.SSLContext:
        if host not in self._contexts:
            self._contexts[host] = self._leaf_context(host)
        return self._contexts[host]

    def _leaf_context(self, *names: str) -> ssl.SSLContext:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.set_alpn_protocols(["http/1.1"])
        # A client that reads and writes in two threads can lose its first request when a ticket
        # arrives meanwhile: OpenSSL's connections are not safe for that, and Python before 3.13
        # does not lock them. On loopback the ticket always comes at just that moment.
        context.num_tickets = 0
        self._ca.issue_cert(*names).configure_cert(context)
        return context
