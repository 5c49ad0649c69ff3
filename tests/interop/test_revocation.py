"""Certificates that their authority has revoked, or not, as lists or a responder tell both ends."""

from __future__ import annotations

import re
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.lab.commands import CommandFailed, stop, wait_until
from tests.lab.ikeactors import IkeactorsPeer
from tests.lab.namespaces import Network, direct
from tests.lab.pair import SETTLED_SECONDS
from tests.lab.peer import Section, established
from tests.lab.pki import Pki, Wanted
from tests.lab.strongswan import StrongswanPeer
from tests.lab.tunnels import CHILD, connection_settings

pytestmark = pytest.mark.interop

PORT = 8888
SERVE = """
from pathlib import Path
from tests.lab.pki import Pki
from tests.lab.responder import Served
with Served({place}, Pki(Path({directory!r}))) as served:
    print("served", flush=True)
    served.serve_forever()
"""
# Whose certificate is revoked, by the names of the connections.
REVOKED = {"good": None, "theirs": "east", "ours": "west"}

Pair = tuple[IkeactorsPeer, StrongswanPeer]


@pytest.fixture(scope="module", params=["lists", "responder"])
def pair(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Pair]:
    """Both daemons, both strict: they have the lists, or ask a responder that we host."""
    base = tmp_path_factory.mktemp("revocation")
    with direct() as network:
        place = (network.west.outer[4], PORT)
        pki = Pki(base / "pki").init(url="http://{}:{}".format(*place))
        ours, theirs = certify(pki, base)
        if request.param == "responder":
            shutil.rmtree(ours / "x509crl")
            shutil.rmtree(theirs / "x509crl")
        output = base / "served.log"
        program = SERVE.format(place=place, directory=str(pki.directory))
        server = network.west.start(sys.executable, "-c", program, output=output)
        try:
            wait_until(lambda: "served" in output.read_text(), SETTLED_SECONDS, "it serves")
            yield from laid_out(network, ours, theirs)
        finally:
            stop(server)


@pytest.mark.parametrize("initiator", ["ikeactors", "strongswan"])
def test_a_certificate_that_is_good_is_believed(pair: Pair, initiator: str) -> None:
    daemon, charon = pair
    (daemon if initiator == "ikeactors" else charon).up("good", CHILD[4])
    wait_until(lambda: established(daemon, "good"), SETTLED_SECONDS, "it is up")
    daemon.down("good")
    wait_until(lambda: not charon.sas(), SETTLED_SECONDS, "it is down")


@pytest.mark.parametrize("initiator", ["ikeactors", "strongswan"])
def test_a_revoked_certificate_is_refused_with_date_and_reason(pair: Pair, initiator: str) -> None:
    daemon, charon = pair
    attempt(pair, initiator, "theirs")
    daemon.expect_logged("CN=theirs-east is revoked since", "UTC (keyCompromise)")
    assert not daemon.sas()
    wait_until(lambda: not charon.sas(), SETTLED_SECONDS, "neither has it")


@pytest.mark.parametrize("initiator", ["ikeactors", "strongswan"])
def test_our_revoked_certificate_is_refused_by_strongswan(pair: Pair, initiator: str) -> None:
    daemon, charon = pair
    attempt(pair, initiator, "ours")
    words = "certificate was revoked on .*, reason: key compromise"
    assert re.search(words, charon.log), charon.log
    wait_until(lambda: not daemon.sas(), SETTLED_SECONDS, "neither has it")
    daemon.expect_logged("AUTHENTICATION_FAILED")


def attempt(pair: Pair, initiator: str, name: str) -> None:
    daemon, charon = pair
    if initiator == "ikeactors":
        daemon.attempt("up", name, "--timeout", "20s")
        return
    with pytest.raises(CommandFailed):
        charon.up(name, CHILD[4])


def certify(pki: Pki, base: Path) -> tuple[Path, Path]:
    """A certificate for each end of each connection."""
    folders = {"west": base / "ours", "east": base / "theirs"}
    for name, revoked in REVOKED.items():
        for end in folders:
            pki.issue(f"{name}-{end}", Wanted([f"{name}.{end}.lab"]))
        if revoked:
            pki.revoke(f"{name}-{revoked}", "keyCompromise")
    for name in REVOKED:
        for end, folder in folders.items():
            shutil.copytree(pki.directory / f"{name}-{end}", folder, dirs_exist_ok=True)
    return folders["west"], folders["east"]


def laid_out(network: Network, ours: Path, theirs: Path) -> Iterator[Pair]:
    nobody = ["nobody.lab"]
    options = {"revocation_private": True, "state_directory": str(ours / "state")}
    west, east = connections(network, ours=True), connections(network, ours=False)
    with (
        StrongswanPeer(network.east, east, nobody, credentials=theirs, plugins="curl") as charon,
        IkeactorsPeer(network.west, west, nobody, options=options, credentials=ours) as daemon,
    ):
        yield daemon, charon


def connections(network: Network, *, ours: bool) -> Section:
    """The connections as one end has them. kernel-libipsec takes ESP in UDP only."""
    gateway = network.west if ours else network.east
    common = connection_settings(network, gateway, options={"encap": True})
    return {
        "connections": {
            name: {
                **common,
                **ends(name, ours),
            }
            for name in REVOKED
        }
    }


def ends(name: str, ours: bool) -> Section:
    local, remote = ("west", "east") if ours else ("east", "west")
    return {
        "local": {
            "auth": "pubkey",
            "id": f"{name}.{local}.lab",
            "certs": [f"{name}-{local}.pem"],
        },
        "remote": {"auth": "pubkey", "id": f"{name}.{remote}.lab", "revocation": "strict"},
    }
