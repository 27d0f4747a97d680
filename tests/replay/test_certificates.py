from __future__ import annotations

import ssl
from pathlib import Path

import pytest

from perfscan.errors import InputError
from perfscan.replay.certificates import Authority


def handshake(server: ssl.SSLContext, client: ssl.SSLContext, host: str | None) -> ssl.SSLObject:
    """Shake hands in memory and return the client's side."""
    to_server, to_client = ssl.MemoryBIO(), ssl.MemoryBIO()
    here = client.wrap_bio(to_client, to_server, server_hostname=host)
    there = server.wrap_bio(to_server, to_client, server_side=True)
    done = False
    while not done:
        done = True
        for side in (here, there):
            try:
                side.do_handshake()
            except ssl.SSLWantReadError:
                done = False
    return here


def trusting(ca_file: Path) -> ssl.SSLContext:
    client = ssl.create_default_context(cafile=str(ca_file))
    client.set_alpn_protocols(["h2", "http/1.1"])
    return client


def names(connection: ssl.SSLObject) -> set[str]:
    certificate = connection.getpeercert()
    assert certificate
    return {value for _, value in certificate["subjectAltName"]}


def test_every_host_gets_its_own_leaf(tmp_path: Path) -> None:
    authority = Authority.create(tmp_path / "ca")
    server = authority.server_context()
    for host in ("api.rugcheck.xyz", "mainnet.helius-rpc.com"):
        assert names(handshake(server, trusting(authority.ca_file), host)) == {host}


def test_only_http_1_is_negotiated(tmp_path: Path) -> None:
    authority = Authority.create(tmp_path)
    connection = handshake(authority.server_context(), trusting(authority.ca_file), "example.org")
    assert connection.selected_alpn_protocol() == "http/1.1"


def test_no_ticket_follows_the_handshake(tmp_path: Path) -> None:
    """One would reach clients while they write their first request."""
    authority = Authority.create(tmp_path)
    for host in ("example.org", None):
        client = trusting(authority.ca_file)
        client.check_hostname = host is not None
        to_server, to_client = ssl.MemoryBIO(), ssl.MemoryBIO()
        here = client.wrap_bio(to_client, to_server, server_hostname=host)
        there = authority.server_context().wrap_bio(to_server, to_client, server_side=True)
        with pytest.raises(ssl.SSLWantReadError):
            here.do_handshake()
        with pytest.raises(ssl.SSLWantReadError):
            there.do_handshake()
        here.do_handshake()
        there.do_handshake()
        assert here.version() == "TLSv1.3"
        assert to_client.pending == 0


def test_a_leaf_is_issued_once(tmp_path: Path) -> None:
    authority = Authority.create(tmp_path)
    server, client = authority.server_context(), trusting(authority.ca_file)
    first, second = (handshake(server, client, "Example.org") for _ in range(2))
    assert first.getpeercert(binary_form=True) == second.getpeercert(binary_form=True)


def test_an_address_gets_the_local_leaf(tmp_path: Path) -> None:
    authority = Authority.create(tmp_path)
    connection = handshake(authority.server_context(), trusting(authority.ca_file), "127.0.0.1")
    assert "127.0.0.1" in names(connection)


def test_who_does_not_trust_the_ca_is_not_served(tmp_path: Path) -> None:
    authority = Authority.create(tmp_path / "one")
    stranger = trusting(Authority.create(tmp_path / "other").ca_file)
    with pytest.raises(ssl.SSLCertVerificationError):
        handshake(authority.server_context(), stranger, "example.org")


def test_a_name_that_no_certificate_can_hold_is_refused(tmp_path: Path) -> None:
    authority = Authority.create(tmp_path)
    with pytest.raises(ssl.SSLError, match="callback"):
        handshake(authority.server_context(), trusting(authority.ca_file), "under_score.org")


def test_another_process_loads_the_same_authority(tmp_path: Path) -> None:
    created = Authority.create(tmp_path / "ca")
    loaded = Authority.load(tmp_path / "ca")
    assert names(handshake(loaded.server_context(), trusting(created.ca_file), "a.example"))


def test_the_private_key_is_for_the_owner_only(tmp_path: Path) -> None:
    Authority.create(tmp_path)
    assert (tmp_path / "ca.key").stat().st_mode & 0o077 == 0


def test_a_folder_without_authority_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no certificate authority"):
        Authority.load(tmp_path)
