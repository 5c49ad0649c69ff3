"""IP compression negotiated with a Child SA, and what the data plane is asked for."""

from __future__ import annotations

from dataclasses import replace

import pytest

from ikeactors.iana import IpCompression, NotifyType
from ikeactors.kernel.compression import IPCOMP
from ikeactors.kernel.requests import Mode
from ikeactors.protocol.encoding import decode, encode
from ikeactors.protocol.events import RekeyRequested, SaExpired
from ikeactors.protocol.surroundings import Surroundings
from ikeactors.wire.notify import write_compression
from ikeactors.wire.payload import Notify
from tests.pair import End, Pair, child, connection, opposite, selectors
from tests.protocol.forging import added, authenticating, change_sealed

OFFERED = "--> HDR, SK {IDi, IDr, AUTH, N(INITIAL_CONTACT), SAi2, TSi, TSr, N(IPCOMP_SUPPORTED)}"
TAKEN = "<-- HDR, SK {IDr, AUTH, SAr2, TSi, TSr, N(IPCOMP_SUPPORTED)}"


class Compressing(Pair):
    """Two ends whose data planes compress, or only some of them."""

    abilities = frozenset({"west", "east"})

    def surroundings_of(self, name: str, encapsulate: bool) -> Surroundings:
        surroundings = super().surroundings_of(name, encapsulate)
        return replace(surroundings, compresses=name in self.abilities)


class OnlyWest(Compressing):
    abilities = frozenset({"west"})


class OnlyEast(Compressing):
    abilities = frozenset({"east"})


def compressing(kind: type[Pair] = Compressing, **changes: object) -> Pair:
    west = connection(children=(child(ipcomp=True, **changes),))
    return kind(west, opposite(west))


def associations(end: End) -> set[tuple[int, Mode]]:
    return {(one.spi, one.mode) for one in end.sas.values() if one.protocol == IPCOMP}


def assert_compressed(pair: Pair, children: int = 1) -> None:
    """Each end has an association for each SA, and they are the same."""
    pair.assert_mirrored()
    assert associations(pair.west) == associations(pair.east)
    for end in pair.ends():
        assert len(associations(end)) == 2 * children
        assert {one.spi for one in end.sas.values() if one.protocol == IPCOMP} == {
            one.cpi for one in end.sas.values() if one.cpi
        }
        assert all(one.compressed for one in end.policies)


def assert_plain(pair: Pair) -> None:
    pair.assert_mirrored()
    for end in pair.ends():
        assert len(end.sas) == 2
        assert not any(one.cpi for one in end.sas.values())
        assert not any(one.compressed for one in end.policies)


@pytest.mark.parametrize("mode", Mode)
def test_both_ends_compress(mode: Mode) -> None:
    """(RFC 7296 section 2.22)"""
    pair = compressing(mode=mode).establish()
    assert_compressed(pair)
    assert {one[1] for one in associations(pair.west)} == {mode}
    assert all(256 <= cpi <= 61439 for cpi, _ in associations(pair.west))


def test_each_end_says_where_it_receives() -> None:
    pair = compressing().establish()
    assert (pair.trace[2], pair.trace[3]) == (OFFERED, TAKEN)


def test_it_comes_and_goes_with_the_child_sa() -> None:
    pair = compressing(rekey_time=0.0).establish()
    before = associations(pair.west)
    pair.give(pair.west, RekeyRequested("net"))
    pair.settle()
    pair.pass_time(6)
    assert_compressed(pair)
    assert not associations(pair.west) & before


@pytest.mark.parametrize("kind", [OnlyWest, OnlyEast])
def test_a_data_plane_that_cannot_declines_by_silence(kind: type[Pair]) -> None:
    pair = compressing(kind).establish()
    assert_plain(pair)
    assert TAKEN not in pair.trace


@pytest.mark.parametrize("side", ["west", "east"])
def test_who_has_not_configured_it_declines_by_silence(side: str) -> None:
    ours, theirs = (child(ipcomp=side == "west"),), (child(ipcomp=side == "east"),)
    west, east = connection(children=ours), opposite(connection(children=theirs))
    assert_plain(Compressing(west, east).establish())


def test_what_is_of_another_family_than_the_outer_header_is_not_compressed() -> None:
    """Linux finds no SA for it."""
    six = {"local_ts": selectors("fd01::/64"), "remote_ts": selectors("fd02::/64")}
    pair = compressing(**six).establish()
    assert_plain(pair)
    assert OFFERED not in pair.trace


OTHERS = [
    Notify(NotifyType.IPCOMP_SUPPORTED, write_compression(0x1234, IpCompression.LZS)),
    Notify(NotifyType.IPCOMP_SUPPORTED, b"\x12\x34"),
    Notify(NotifyType.IPCOMP_SUPPORTED, b"\0\0\x02"),
]
DEFLATE = Notify(NotifyType.IPCOMP_SUPPORTED, write_compression(0x1234, IpCompression.DEFLATE))


@pytest.mark.parametrize("offer", OTHERS)
def test_an_offer_of_another_algorithm_or_of_none_is_declined(offer: Notify) -> None:
    west = connection()
    pair = authenticating(Compressing(west, opposite(connection(children=(child(ipcomp=True),)))))
    change_sealed(pair, pair.flights[0], added(offer))
    pair.settle()
    assert_plain(pair)


def test_of_several_offers_the_one_that_we_know_is_taken() -> None:
    pair = authenticating(compressing())
    change_sealed(pair, pair.flights[0], added(OTHERS[0]))
    pair.settle()
    assert_compressed(pair)


@pytest.mark.parametrize("answer", [*OTHERS, DEFLATE])
def test_what_was_not_offered_is_not_accepted(answer: Notify) -> None:
    """(RFC 7296 section 2.22)"""
    pair = authenticating(Compressing())
    pair.deliver(pair.flights[0])
    change_sealed(pair, pair.flights[0], added(answer))
    pair.settle()
    pair.pass_time(6)
    assert not pair.west.sas
    assert not pair.east.sas


def test_two_are_not_accepted() -> None:
    """(RFC 7296 section 2.22)"""
    pair = authenticating(compressing())
    pair.deliver(pair.flights[0])
    change_sealed(pair, pair.flights[0], added(DEFLATE))
    pair.settle()
    pair.pass_time(6)
    assert not pair.west.sas


def test_a_checkpoint_has_it() -> None:
    pair = compressing().establish()
    taken = pair.west.association.checkpoint(pair.now)
    (saved,) = decode(encode(taken)).children
    assert saved.inbound.cpi
    assert saved.outbound.cpi


def test_an_association_that_is_gone_takes_its_child_sa_along() -> None:
    pair = compressing().establish()
    gone = next(one for one in pair.west.sas.values() if one.protocol == IPCOMP)
    pair.give(pair.west, SaExpired(gone.sa_id, hard=True))
    pair.settle()
    pair.pass_time(6)
    assert gone.sa_id not in pair.west.sas
