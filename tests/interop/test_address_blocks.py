"""Certificates that are for addresses (RFC 3779), between ikeactors and strongSwan's addrblock."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.lab.commands import wait_until
from tests.lab.ikeactors import IkeactorsPeer
from tests.lab.namespaces import Network, direct
from tests.lab.pair import SETTLED_SECONDS
from tests.lab.peer import Section, established
from tests.lab.pki import Pki, Wanted
from tests.lab.strongswan import StrongswanPeer
from tests.lab.traffic import ping
from tests.lab.tunnels import CHILD, connection_settings

pytestmark = pytest.mark.interop

ENDS = IKEACTORS, STRONGSWAN = ("ikeactors", "strongswan")
LOCAL = {IKEACTORS: "west", STRONGSWAN: "east"}


@dataclass(frozen=True, slots=True)
class Case:
    """The blocks of either end's certificate, and what of 10.1.0.0/24 and 10.2.0.0/24 is agreed on.

    `within` binds the address that strongSwan is known by to its blocks.
    """

    ours: tuple[str, ...]
    theirs: tuple[str, ...]
    selectors: str
    within: bool = False


CASES = {
    "whole": Case(("10.1.0.0/16",), ("10.2.0.0/24",), "10.1.0.0/24 === 10.2.0.0/24"),
    "ours-narrow": Case(("10.1.0.0/25",), ("10.2.0.0/16",), "10.1.0.0/25 === 10.2.0.0/24"),
    "theirs-narrow": Case(("10.1.0.0/16",), ("10.2.0.0/25",), "10.1.0.0/24 === 10.2.0.0/25"),
    "bound": Case(
        ("10.1.0.0/16",), ("10.2.0.0/16", "10.77.0.0/24"), "10.1.0.0/24 === 10.2.0.0/24", True
    ),
}
# strongSwan as responder does not look at its own blocks: we do.
REFUSED = ("theirs-narrow", IKEACTORS)

Pair = tuple[Network, IkeactorsPeer, StrongswanPeer]


@pytest.fixture(scope="module")
def pair(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pair]:
    base = tmp_path_factory.mktemp("blocks")
    pki = Pki(base / "pki").init()
    for name, case in CASES.items():
        certify(pki, name, case, base)
    with direct() as network:
        east, west = (connections(network, end) for end in (STRONGSWAN, IKEACTORS))
        theirs, ours = (base / end for end in (STRONGSWAN, IKEACTORS))
        options = {"state_directory": str(base / "state")}
        nobody = ["nobody.lab"]
        with (
            StrongswanPeer(
                network.east, east, nobody, credentials=theirs, plugins="addrblock"
            ) as charon,
            IkeactorsPeer(network.west, west, nobody, options=options, credentials=ours) as daemon,
        ):
            yield network, daemon, charon


@pytest.mark.parametrize(
    ("name", "initiator"),
    [(name, end) for name in CASES for end in ENDS if (name, end) != REFUSED],
)
def test_traffic_is_limited_to_the_blocks_of_the_certificates(
    pair: Pair, name: str, initiator: str
) -> None:
    """(RFC 3779 section 2)"""
    network, daemon, charon = pair
    (daemon if initiator == IKEACTORS else charon).up(name, CHILD[4])
    wait_until(lambda: established(daemon, name), SETTLED_SECONDS, "it is up")
    daemon.expect_logged(f"{name}[", f"is up: {CASES[name].selectors}")
    assert ping(network.west, network.east) == 3
    daemon.down(name)
    wait_until(lambda: not charon.sas(), SETTLED_SECONDS, "it is down")


def test_a_responder_that_takes_more_than_its_blocks_is_refused(pair: Pair) -> None:
    _, daemon, _ = pair
    name = REFUSED[0]
    assert daemon.attempt("up", f"{name}/{CHILD[4]}", "--timeout", "20s").returncode == 1
    daemon.expect_logged("10.2.0.0/24; the address blocks of its certificate are 10.2.0.0/25")
    daemon.down(name)


def certify(pki: Pki, name: str, case: Case, base: Path) -> None:
    for end, blocks in ((IKEACTORS, case.ours), (STRONGSWAN, case.theirs)):
        names = [] if case.within and end == STRONGSWAN else [f"{name}.{end}.lab"]
        folder = pki.issue(f"{name}-{end}", Wanted(names, blocks=blocks))
        shutil.copytree(folder, base / end, dirs_exist_ok=True)


def connections(network: Network, end: str) -> Section:
    gateway = network.west if end == IKEACTORS else network.east
    common = connection_settings(network, gateway, options={"encap": True})
    return {
        "connections": {name: {**common, **sides(network, name, end)} for name in CASES},
    }


def sides(network: Network, name: str, end: str) -> Section:
    other = STRONGSWAN if end == IKEACTORS else IKEACTORS
    return {
        "local": {**side(network, name, end), "certs": [f"{name}-{end}.pem"]},
        "remote": {**side(network, name, other), **demands(name, end)},
    }


def side(network: Network, name: str, end: str) -> Section:
    """Who is bound by blocks is an address of them."""
    who = f"{name}.{end}.lab"
    if CASES[name].within and end == STRONGSWAN:
        who = network.east.outer[4]
    return {"auth": "pubkey", "id": who}


def demands(name: str, end: str) -> Section:
    """What we ask beside that. The host is at an end of the network."""
    if end == STRONGSWAN:
        return {}
    bound = {"id": "10.77.0.0/24", "address_binding": "within"} if CASES[name].within else {}
    return {"address_blocks": "require", **bound}
