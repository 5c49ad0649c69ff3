"""Whatever moves, and whatever is lost meanwhile: both ends come to one path, with one Child SA."""

from __future__ import annotations

from collections.abc import Callable

from hypothesis import given, settings
from hypothesis import strategies as st

from ikeactors.protocol.events import LocalAddressesChanged, RekeyRequested
from tests.pair import End
from tests.protocol.roaming import EAST_1, EAST_2, EAST_6, WEST_1, WEST_2, WEST_6, RoamingPair

Deed = Callable[[RoamingPair], None]

# Where the ends may be: each end has an address of the family that both have in the end.
_WESTERN = ((WEST_1,), (WEST_2,), (WEST_1, WEST_2), (WEST_2, WEST_1, WEST_6), (WEST_6,), ())
_EASTERN = ((EAST_1,), (EAST_1, EAST_2), (EAST_1, EAST_6), (EAST_1, EAST_2, EAST_6))
# The answer of an end that was asked long ago may still be under way when all is quiet.
_CALM = 400.0


def _west_moves(addresses: tuple) -> Deed:
    return lambda pair: pair.readdress(pair.west, *addresses)


def _east_moves(addresses: tuple) -> Deed:
    return lambda pair: pair.readdress(pair.east, *addresses)


def _rekeys(name: str, child: str | None) -> Deed:
    def rekey(pair: RoamingPair) -> None:
        end: End = getattr(pair, name)
        pair.give(end, RekeyRequested(child=child))

    return rekey


def _delivers(place: int) -> Deed:
    def deliver(pair: RoamingPair) -> None:
        if pair.flights:
            pair.deliver(pair.flights[place % len(pair.flights)])

    return deliver


def _loses(pair: RoamingPair) -> None:
    pair.drop()


def _waits(seconds: float) -> Deed:
    return lambda pair: pair.pass_time(seconds, deliver=False)


DEEDS = st.one_of(
    st.sampled_from(_WESTERN).map(_west_moves),
    st.sampled_from(_EASTERN).map(_east_moves),
    st.builds(_rekeys, st.sampled_from(("west", "east")), st.sampled_from(("net", None))),
    st.integers(0, 3).map(_delivers),
    st.integers(0, 3).map(_delivers),
    st.just(_loses),
    st.sampled_from((0.5, 5.0)).map(_waits),
)


@settings(max_examples=150, deadline=None)
@given(st.lists(DEEDS, max_size=25))
def test_both_ends_come_to_one_path(deeds: list[Deed]) -> None:
    pair = RoamingPair()
    pair.hosts["east"] = _EASTERN[-1]
    pair.establish()
    for deed in deeds:
        deed(pair)
    if any(end.association.closed for end in pair.ends()):
        # Without an address for minutes the peer is given up, as it must be.
        return
    for end, addresses in ((pair.east, _EASTERN[-1]), (pair.west, (WEST_2, WEST_6))):
        pair.readdress(end, *addresses)
    pair.settle()
    pair.pass_time(_CALM)
    assert not pair.west.association.closed, pair.west.association.failure
    assert not pair.east.association.closed, pair.east.association.failure
    pair.give(pair.west, LocalAddressesChanged())
    pair.settle()
    west, east = pair.west.association, pair.east.association
    assert (west.local, west.remote) == (east.remote, east.local)
    pair.assert_at(west.local.address, west.remote.address)
    pair.assert_one_pair()
