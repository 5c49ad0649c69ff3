"""Keys and certificates that are replaced while the daemon runs."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path

import pytest
import trio
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
)

from ikeactors.actors.reports import ReportHub
from ikeactors.actors.workers import Workers, threads
from ikeactors.config import load
from ikeactors.expiring import ExpiryNotice
from ikeactors.iana import SignatureHash
from ikeactors.protocol.credentials import OwnProof
from ikeactors.protocol.settings import Settings
from ikeactors.reloading import NotReloaded, Reloading
from ikeactors.trust import open_trust
from tests.config.test_certificates import CONNECTION, ROOT, WEST
from tests.crypto.pki.making import Holder, certify
from tests.crypto.pki.revoking import crl_of, der_of

EXTENSIONS = [(one.value, one.critical) for one in WEST.certificate.extensions]
RENEWED = certify("CN=west", ROOT, EXTENSIONS)
NAMED = CONNECTION.replace('id = "west.example"', 'id = "west.example"\ncerts = "west.crt"')


def put(directory: Path, holder: Holder) -> None:
    """A certificate and its key, where the daemon looks for them."""
    for name in ("x509", "x509ca", "private", "x509crl"):
        (directory / name).mkdir(exist_ok=True)
    pem = holder.certificate.public_bytes(Encoding.PEM)
    (directory / "x509" / "west.crt").write_bytes(pem)
    (directory / "x509ca" / "root.crt").write_bytes(ROOT.certificate.public_bytes(Encoding.PEM))
    key = directory / "private" / "west.key"
    key.write_bytes(holder.key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    key.chmod(0o600)


class World:
    """A daemon's credentials, from a directory."""

    def __init__(self, directory: Path, text: str = NAMED) -> None:
        self.directory = directory
        path = directory / "ike.toml"
        path.write_text(text)
        path.chmod(0o600)
        put(directory, WEST)
        configuration = load(path)
        self.hub = ReportHub(lambda: 0.0)
        self.settings: Settings = configuration.settings()
        self.trust = open_trust(configuration, nobody, Workers(threads(1)), self.hub)
        self.reloading = Reloading(
            partial(load, path),
            directory,
            (self.settings,),
            self.trust,
            self.hub,
            ExpiryNotice(self.hub, 0.0),
        )

    def sent(self) -> bytes:
        """The certificate that goes with our signature."""
        auth = self.settings.connections[0].local
        assert auth.id.identity is not None
        hashes = (SignatureHash.SHA2_256,)
        proof = self.trust.credentials.prove(auth, auth.id.identity, (), hashes, b"octets")
        assert isinstance(proof, OwnProof), proof
        return proof.certificates[0].data


async def nobody(name: str) -> list:
    return []


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(tmp_path)


def der(holder: Holder) -> bytes:
    return holder.certificate.public_bytes(Encoding.DER)


@pytest.mark.parametrize("text", [NAMED, CONNECTION], ids=["named", "found"])
async def test_a_renewed_certificate_is_used_from_then_on(tmp_path: Path, text: str) -> None:
    world = World(tmp_path, text)
    assert world.sent() == der(WEST)
    running = world.settings.connections[0]
    put(world.directory, RENEWED)
    assert world.sent() == der(WEST)
    assert "are reloaded" in await world.reloading.reload()
    assert world.sent() == der(RENEWED)
    assert world.settings.connection("gw") is world.settings.connections[0]
    assert running.local.certificates in ((), (der(WEST),))


async def test_when_certificates_expire_is_in_the_statistics(world: World) -> None:
    shown = world.trust.statistics()["certificates"]
    assert isinstance(shown, tuple)
    assert [(one.kind, one.holder, one.expires) for one in shown] == [
        ("own", "CN=west", f"{WEST.certificate.not_valid_after_utc:%Y-%m-%d %H:%M} UTC"),
        ("authority", "CN=root", f"{ROOT.certificate.not_valid_after_utc:%Y-%m-%d %H:%M} UTC"),
    ]


async def test_what_cannot_be_read_leaves_everything_as_it_was(world: World) -> None:
    put(world.directory, RENEWED)
    (world.directory / "private" / "west.key").chmod(0o644)
    with pytest.raises(NotReloaded, match="those before stay in use"):
        await world.reloading.reload()
    assert world.sent() == der(WEST)


async def test_what_is_told_of_a_refused_reload_names_the_file(world: World) -> None:
    (world.directory / "x509" / "west.crt").write_text("nothing")
    with world.hub.subscribe() as reports:
        await world.reloading.try_reload()
        published = await anext(reports)
    assert published.report.name == "credentials-not-reloaded"
    assert "west.crt" in published.report.text


async def test_other_changes_of_the_configuration_wait_for_a_restart(world: World) -> None:
    path = world.directory / "ike.toml"
    path.write_text(NAMED.replace('"192.0.2.2"', '"192.0.2.9"'))
    await world.reloading.reload()
    assert str(world.settings.connections[0].remote_addrs[0].first) == "192.0.2.2"


async def test_lists_are_read_again_too(world: World) -> None:
    assert world.trust.checking is not None
    crls = world.trust.checking.examiner.crls
    assert not crls.statistics().configured
    (world.directory / "x509crl" / "root.crl").write_bytes(der_of(crl_of(ROOT)))
    await world.reloading.reload()
    assert crls.statistics().configured == 1


async def at_once(work: Callable[..., object], *arguments: object) -> object:
    return work(*arguments)


async def test_a_change_on_disk_is_noticed(
    world: World, nursery: trio.Nursery, autojump_clock: trio.testing.MockClock
) -> None:
    with world.hub.subscribe() as reports:
        # A thread may still be at the first look when no task runs.
        nursery.start_soon(replace(world.reloading, carry=at_once).watch)
        await trio.testing.wait_all_tasks_blocked()
        put(world.directory, RENEWED)
        os.utime(world.directory / "x509" / "west.crt", (1.0, 1.0))
        published = await anext(reports)
    assert published.report.name == "credentials-reloaded"
    assert world.sent() == der(RENEWED)
