"""What must hold of any pair, whoever its two ends are."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

from tests.lab.commands import wait_until
from tests.lab.pair import SETTLED_SECONDS, Pair
from tests.lab.peer import Peer, Sa, authenticated, established, only_child
from tests.lab.traffic import Pings, nothing_passes, ping
from tests.lab.tunnels import CHILD, CONNECTION

# Larger than the tunnel's MTU: what passes went in fragments.
LARGE_OCTETS = 4000


def expect_traffic(pair: Pair, size: int = 56) -> None:
    """Pings of both families pass both ways, started by either side."""
    west, east = pair.network.west, pair.network.east
    trains = {
        f"{source.label} to {destination.label}, IPv{version}": Pings.start(
            source, destination, version, count=3, interval=0.05, size=size
        )
        for source, destination in ((west, east), (east, west))
        for version in CHILD
    }
    lost = {title: train.lost() for title, train in trains.items()}
    assert not any(lost.values()), lost


def expect_counted_traffic(pair: Pair) -> None:
    """The tunnel comes up, carries pings of any size, and both sides count them."""
    pair.up()

    expect_traffic(pair)
    expect_traffic(pair, LARGE_OCTETS)
    for peer in (pair.west, pair.east):
        child = only_child(peer, CONNECTION, CHILD[4])
        assert child is not None
        assert child.octets_in > 0
        assert child.octets_out > 0


def expect_child_rekey(pair: Pair, side: str, inner: int) -> None:
    """`side` rekeys a child while pings pass through it: none is lost."""
    pair.up()
    before = only_child(pair.west, CONNECTION, CHILD[inner])
    assert before is not None
    with Pings.start(pair.network.west, pair.network.east, inner, count=60) as pings:
        pair.side(side).rekey_child(CONNECTION, CHILD[inner])

        def is_replaced() -> bool:
            now = only_child(pair.west, CONNECTION, CHILD[inner])
            return now is not None and now.spi_in != before.spi_in and pair.agrees()

        wait_until(is_replaced, SETTLED_SECONDS, "the Child SA is rekeyed")
        pings.expect_no_loss()
    expect_traffic(pair)


def expect_ike_rekey(pair: Pair, side: str) -> None:
    """`side` rekeys the IKE SA, which keeps its Child SAs."""
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
    kept = {child.spi_in for child in before.installed}
    assert {child.spi_in for child in now.installed} == kept
    expect_traffic(pair)


def expect_reauthentication(pair: Pair, side: str, losses: int = 0) -> None:
    """`side` reauthenticates: one IKE SA with new Child SAs is left, and no ping is lost.

    Some may be where the responder sends before its answer has arrived.
    """
    pair.up()
    before = established(pair.west, CONNECTION)
    assert before is not None
    with Pings.start(pair.network.west, pair.network.east, count=150) as pings:
        pair.side(side).reauthenticate(CONNECTION)
        wait_until(
            lambda: _is_renewed(pair, before), SETTLED_SECONDS, "the IKE SA is reauthenticated"
        )
        pings.expect_losses(losses)
    expect_traffic(pair)


def expect_reauthentication_by_itself(pair: Pair, within: float, losses: int = 0) -> None:
    """Nobody is asked, and within that time one IKE SA with new Child SAs is left."""
    pair.up()
    before = established(pair.west, CONNECTION)
    assert before is not None
    count = int(within / 0.05)
    with Pings.start(pair.network.west, pair.network.east, count=count, interval=0.05) as pings:
        wait_until(lambda: _is_renewed(pair, before), within, "the IKE SA is reauthenticated")
        pings.expect_losses(losses)


def expect_simultaneous_reauthentications(pair: Pair) -> None:
    """Both sides reauthenticate at the same time: one IKE SA is left, and no ping is lost."""
    pair.up()
    before = established(pair.west, CONNECTION)
    assert before is not None
    with Pings.start(pair.network.west, pair.network.east, count=250) as pings:
        _both_at_once(pair, lambda peer: peer.reauthenticate(CONNECTION))
        wait_until(lambda: _is_renewed(pair, before), SETTLED_SECONDS, "one IKE SA is left")
        pings.expect_no_loss()
    expect_traffic(pair)


def _is_renewed(pair: Pair, before: Sa) -> bool:
    """Whether one other IKE SA is left, with as many Child SAs of its own."""
    now = established(pair.west, CONNECTION)
    return (
        now is not None
        and now.spi_i != before.spi_i
        and {child.name for child in now.installed} == {one.name for one in before.installed}
        and len(now.installed) == len(before.installed)
        and len(authenticated(pair.west)) == len(authenticated(pair.east)) == 1
        and pair.agrees()
    )


def expect_simultaneous_child_rekeys(pair: Pair) -> None:
    """Both sides rekey a child at the same time: one Child SA is left, and no ping is lost."""
    pair.up()
    before = only_child(pair.west, CONNECTION, CHILD[4])
    assert before is not None
    with Pings.start(pair.network.west, pair.network.east, count=100) as pings:
        _both_at_once(pair, lambda peer: peer.rekey_child(CONNECTION, CHILD[4]))

        def is_replaced() -> bool:
            now = only_child(pair.west, CONNECTION, CHILD[4])
            return now is not None and now.spi_in != before.spi_in and pair.agrees()

        wait_until(is_replaced, SETTLED_SECONDS, "one Child SA is left")
        pings.expect_no_loss()


def expect_simultaneous_ike_rekeys(pair: Pair) -> None:
    """Both sides rekey the IKE SA at the same time: one is left, with all children."""
    pair.up()
    before = established(pair.west, CONNECTION)
    assert before is not None
    with Pings.start(pair.network.west, pair.network.east, count=100) as pings:
        _both_at_once(pair, lambda peer: peer.rekey_ike(CONNECTION))

        def is_replaced() -> bool:
            now = established(pair.west, CONNECTION)
            return (
                now is not None
                and now.spi_i != before.spi_i
                and len(now.installed) == len(before.installed)
                and len(authenticated(pair.west)) == len(authenticated(pair.east)) == 1
                and pair.agrees()
            )

        wait_until(is_replaced, SETTLED_SECONDS, "one IKE SA is left")
        pings.expect_no_loss()


def _both_at_once(pair: Pair, ask: Callable[[Peer], None]) -> None:
    """Ask both; the one that comes too late may be refused (RFC 7296 section 2.25.1)."""
    with ThreadPoolExecutor(2) as threads:
        asked = [threads.submit(ask, peer) for peer in (pair.west, pair.east)]
    refusals = [fault for one in asked if (fault := one.exception())]
    assert len(refusals) < len(asked), refusals


def expect_child_deletion(pair: Pair, side: str) -> None:
    """`side` deletes one child; the other goes on, and the deleted one comes back."""
    pair.up()

    pair.side(side).down_child(CONNECTION, CHILD[6])

    def is_gone() -> bool:
        return only_child(pair.west, CONNECTION, CHILD[6]) is None and pair.agrees()

    wait_until(is_gone, SETTLED_SECONDS, "the Child SA is deleted")
    assert nothing_passes(pair.network.west, pair.network.east, version=6)
    assert ping(pair.network.west, pair.network.east, version=4) == 3
    pair.up()
    expect_traffic(pair)


def expect_ike_deletion(pair: Pair, side: str) -> None:
    """`side` deletes the IKE SA; nothing passes until it comes back."""
    pair.up()

    pair.side(side).down(CONNECTION)

    def is_gone() -> bool:
        return not authenticated(pair.west) and not authenticated(pair.east)

    wait_until(is_gone, SETTLED_SECONDS, "the IKE SA is deleted")
    assert nothing_passes(pair.network.west, pair.network.east)
    pair.up()
    expect_traffic(pair)
