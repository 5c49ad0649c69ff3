"""Certificates of strongSwan's that its authority has revoked, or not, as a responder tells us."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.lab.commands import stop, wait_until
from tests.lab.ikeactors import IkeactorsPeer
from tests.lab.namespaces import Network, direct
from tests.lab.pair import SETTLED_SECONDS
from tests.lab.peer import Section, established
from tests.lab.pki import Pki, Wanted
from tests.lab.strongswan import StrongswanPeer
from tests.lab.tunnels import CHILD, connection_settings

pytestmark = pytest.mark.interop

PLACE = ("127.0.0.1", 8888)
SERVE = """
from pathlib import Path
from tests.lab.pki import Pki
from tests.lab.responder import Served
with Served({place}, Pki(Path({directory!r}))) as served:
    print("served", flush=True)
    served.serve_forever()
"""
NAMES = ("good", "revoked")

Pair = tuple[IkeactorsPeer, StrongswanPeer]


@pytest.fixture(scope="module", params=["lists", "responder"])
def pair(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Pair]:
    """Both daemons; ours is strict, and asks lists or a responder in its own namespace."""
    base = tmp_path_factory.mktemp("revocation")
    pki = Pki(base / "pki").init(url="http://{}:{}".format(*PLACE))
    ours, theirs = base / "ours", base / "theirs"
    folder = pki.issue("gateway", Wanted(["gateway.lab"]))
    for name in NAMES:
        holder = pki.issue(name, Wanted([f"{name}.lab"]))
        shutil.copytree(holder, theirs, dirs_exist_ok=True)
    pki.revoke("revoked", "keyCompromise")
    shutil.copytree(folder, ours)
    if request.param == "responder":
        shutil.rmtree(ours / "x509crl")
    with direct() as network:
        output = base / "served.log"
        program = SERVE.format(place=PLACE, directory=str(pki.directory))
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


def test_a_revoked_certificate_is_refused_with_date_and_reason(pair: Pair) -> None:
    daemon, _ = pair
    daemon.attempt("up", "revoked", "--timeout", "20s")
    daemon.expect_logged("CN=revoked is revoked since", "UTC (keyCompromise)")
    assert not daemon.sas()


def laid_out(network: Network, ours: Path, theirs: Path) -> Iterator[Pair]:
    nobody = ["nobody.lab"]
    options = {"revocation_private": True, "state_directory": str(ours / "state")}
    strict = connections(network, ours=True, revocation="strict")
    relaxed = connections(network, ours=False)
    with (
        StrongswanPeer(network.east, relaxed, nobody, credentials=theirs) as charon,
        IkeactorsPeer(network.west, strict, nobody, options=options, credentials=ours) as daemon,
    ):
        yield daemon, charon


def connections(network: Network, *, ours: bool, **options: str) -> Section:
    """The connections as one end has them. kernel-libipsec takes ESP in UDP only."""
    gateway = network.west if ours else network.east
    common = connection_settings(network, gateway, options={"encap": True})
    return {
        "connections": {
            name: {
                **common,
                **ends(name, ours, options),
            }
            for name in NAMES
        }
    }


def ends(name: str, ours: bool, options: dict[str, str]) -> Section:
    west: Section = {"auth": "pubkey", "id": "gateway.lab"}
    east: Section = {"auth": "pubkey", "id": f"{name}.lab"}
    if ours:
        return {"local": {**west, "certs": ["gateway.pem"]}, "remote": {**east, **options}}
    return {"local": {**east, "certs": [f"{name}.pem"]}, "remote": west}
