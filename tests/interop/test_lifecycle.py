"""The life of a tunnel between ikeactors and strongSwan, in every pairing of roles and suites."""

from __future__ import annotations

import pytest

from tests.lab.commands import wait_until
from tests.lab.pair import BOTH_ROLES, SETTLED_SECONDS, Pair
from tests.lab.peer import established, only_child
from tests.lab.traffic import Pings, ping
from tests.lab.tunnels import CBC, CHACHA, CHILD, CONNECTION, GCM

SUITES = {"gcm": GCM, "cbc": CBC, "chacha": CHACHA}
PAIRS = [
    pytest.param((initiator, suite, version), id=f"{initiator}-{name}-ipv{version}")
    for initiator in BOTH_ROLES
    for name, suite in SUITES.items()
    for version in (4, 6)
]
SIDES = ["initiator", "responder"]

pytestmark = [pytest.mark.interop, pytest.mark.parametrize("pair", PAIRS, indirect=True)]


def traffic_passes(pair: Pair) -> bool:
    """Whether pings of both families pass both ways, started by either side."""
    west, east = pair.network.west, pair.network.east
    trains = [
        Pings.start(source, destination, version, count=3, interval=0.05)
        for source, destination in ((west, east), (east, west))
        for version in CHILD
    ]
    return [train.lost() for train in trains] == [0, 0, 0, 0]


def test_pings_of_both_families_pass_both_ways(pair: Pair) -> None:
    pair.up()

    assert traffic_passes(pair)
    for peer in (pair.west, pair.east):
        child = only_child(peer, CONNECTION, CHILD[4])
        assert child is not None
        assert child.octets_in > 0
        assert child.octets_out > 0


@pytest.mark.parametrize("side", SIDES)
@pytest.mark.parametrize("inner", CHILD)
def test_a_child_sa_is_rekeyed_under_traffic(pair: Pair, side: str, inner: int) -> None:
    pair.up()
    before = only_child(pair.west, CONNECTION, CHILD[inner])
    assert before is not None
    pings = Pings.start(pair.network.west, pair.network.east, inner, count=60)

    pair.side(side).rekey_child(CONNECTION, CHILD[inner])

    def is_replaced() -> bool:
        now = only_child(pair.west, CONNECTION, CHILD[inner])
        return now is not None and now.spi_in != before.spi_in and pair.agrees()

    wait_until(is_replaced, SETTLED_SECONDS, "the Child SA is rekeyed")
    assert pings.lost() == 0
    assert traffic_passes(pair)


@pytest.mark.parametrize("side", SIDES)
def test_the_ike_sa_is_rekeyed_and_keeps_its_children(pair: Pair, side: str) -> None:
    pair.up()
    before = established(pair.west, CONNECTION)
    assert before is not None

    pair.side(side).rekey_ike(CONNECTION)

    def is_replaced() -> bool:
        now = established(pair.west, CONNECTION)
        return now is not None and now.spi_i != before.spi_i and pair.agrees()

    wait_until(is_replaced, SETTLED_SECONDS, "the IKE SA is rekeyed")
    now = established(pair.west, CONNECTION)
    assert now is not None
    assert {child.spi_in for child in now.installed} == {child.spi_in for child in before.installed}
    assert traffic_passes(pair)


@pytest.mark.parametrize("side", SIDES)
def test_a_child_sa_is_deleted_and_comes_back(pair: Pair, side: str) -> None:
    pair.up()

    pair.side(side).down_child(CONNECTION, CHILD[6])

    def is_gone() -> bool:
        return only_child(pair.west, CONNECTION, CHILD[6]) is None and pair.agrees()

    wait_until(is_gone, SETTLED_SECONDS, "the Child SA is deleted")
    assert ping(pair.network.west, pair.network.east, version=6, count=1) == 0
    assert ping(pair.network.west, pair.network.east, version=4) == 3
    pair.up()
    assert traffic_passes(pair)


@pytest.mark.parametrize("side", SIDES)
def test_the_ike_sa_is_deleted_and_comes_back(pair: Pair, side: str) -> None:
    pair.up()

    pair.side(side).down(CONNECTION)

    wait_until(
        lambda: not pair.west.sas() and not pair.east.sas(),
        SETTLED_SECONDS,
        "the IKE SA is deleted",
    )
    assert ping(pair.network.west, pair.network.east, count=1) == 0
    pair.up()
    assert traffic_passes(pair)
