"""Certificates that ikeactors and strongSwan name by hash and URL rather than send."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Iterator

import pytest

from tests.lab.commands import stop, wait_until
from tests.lab.ikeactors import IkeactorsPeer
from tests.lab.namespaces import Network, direct
from tests.lab.pair import SETTLED_SECONDS
from tests.lab.peer import Section, established
from tests.lab.pki import ROOT, Pki, Wanted
from tests.lab.strongswan import StrongswanPeer
from tests.lab.tunnels import CHILD, CONNECTION, connection

pytestmark = pytest.mark.interop

PORT = 8890
ENDS = ("west", "east")
Pair = tuple[IkeactorsPeer, StrongswanPeer]


@pytest.fixture(scope="module")
def pair(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pair]:
    """Both daemons; certificates of both are where the western host serves them."""
    base = tmp_path_factory.mktemp("lookup")
    pki, served = Pki(base / "pki").init(), base / "served"
    served.mkdir()
    for end in ENDS:
        pki.issue(end, Wanted([f"{end}.lab"], issuer=ROOT))
        for name, octets in pki.published(end).items():
            (served / name).write_bytes(octets)
    for end, other in (ENDS, ENDS[::-1]):
        assert not (pki.directory / end / "x509" / f"{other}.pem").exists()
    with direct() as network:
        address, output = network.west.outer[4], base / "served.log"
        arguments = ("-u", "-m", "http.server", str(PORT), "--bind", address, "-d", str(served))
        server = network.west.start(sys.executable, *arguments, output=output)
        try:
            wait_until(lambda: "Serving" in output.read_text(), SETTLED_SECONDS, "it serves")
            yield from laid_out(network, pki, f"http://{address}:{PORT}/")
        finally:
            stop(server)


@pytest.mark.parametrize("initiator", ["ikeactors", "strongswan"])
def test_certificates_come_from_their_urls(pair: Pair, initiator: str) -> None:
    """(RFC 7296 section 3.6)"""
    daemon, charon = pair
    sent = charon.log.count("sending hash-and-url")
    (daemon if initiator == "ikeactors" else charon).up(CONNECTION, CHILD[4])
    wait_until(lambda: established(daemon, CONNECTION), SETTLED_SECONDS, "it is up")
    # What it has fetched for the first tunnel it knows in the second one.
    assert 'received hash-and-url for end entity cert "http://' in charon.log
    assert charon.log.count("sending hash-and-url") > sent
    daemon.expect_logged("peer-key-checked", "CN=east <- CN=root authority")
    daemon.down(CONNECTION)
    wait_until(lambda: not charon.sas(), SETTLED_SECONDS, "it is down")


def laid_out(network: Network, pki: Pki, url: str) -> Iterator[Pair]:
    ours = sections(network, "west", {"cert_uri_base": url}, {"cert_urls": url})
    theirs = sections(network, "east", {}, {})
    theirs["authorities"] = {"lab": {"cacert": f"{ROOT}.pem", "cert_uri_base": url}}
    credentials = {end: pki.directory / end for end in ENDS}
    shutil.rmtree(credentials["west"] / "x509crl")
    options = {"revocation_private": True, "state_directory": str(pki.directory / "state")}
    with (
        StrongswanPeer(
            network.east,
            theirs,
            ["nobody.lab"],
            credentials=credentials["east"],
            plugins="curl",
            options="hash_and_url = yes",
        ) as charon,
        IkeactorsPeer(
            network.west, ours, ["nobody.lab"], options=options, credentials=credentials["west"]
        ) as daemon,
    ):
        yield daemon, charon


def sections(network: Network, end: str, local: Section, remote: Section) -> dict[str, Section]:
    gateway = network.west if end == "west" else network.east
    other = ENDS[end == "west"]
    ends: Section = {
        "local": {"auth": "pubkey", "id": f"{end}.lab", "certs": [f"{end}.pem"], **local},
        "remote": {"auth": "pubkey", "id": f"{other}.lab", **remote},
        "encap": True,
    }
    return {**connection(network, gateway, options=ends)}  # type: ignore[dict-item]
