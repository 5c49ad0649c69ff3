"""Quick crash detection: tokens that come with an IKE SA, and come back when it is lost."""

from __future__ import annotations

from dataclasses import replace

import pytest

from ikeactors.iana import ExchangeType, NotifyType, ProtocolId
from ikeactors.protocol.allowance import Allowance
from ikeactors.protocol.events import DatagramReceived, DeletionRequested, RekeyRequested
from ikeactors.protocol.ikev2.admission import Admission, AdmissionLimits, Refused
from ikeactors.protocol.tokens import TOKEN_OCTETS, TokenMaker
from ikeactors.wire.message import Message, notifies, read_message, write_message
from ikeactors.wire.payload import Notify
from tests.pair import EAST, WEST, End, Pair, SeededEntropy, connection, opposite
from tests.protocol.forging import sealed, standing

MAKERS = {"west": TokenMaker(b"w" * 32), "east": TokenMaker(b"e" * 32)}
QCD = NotifyType.QUICK_CRASH_DETECTION


def tokens(west: bool = True, east: bool = True) -> Pair:
    ours = connection(quick_crash_detection=west)
    pair = Pair(ours, replace(opposite(ours), quick_crash_detection=east))
    for end in pair.ends():
        surroundings = replace(end.association.surroundings, token_of=MAKERS[end.name].make)
        end.association.surroundings = surroundings
    return pair


def door(name: str) -> Admission:
    allowance = Allowance(100, 100)
    return Admission(SeededEntropy("door"), AdmissionLimits(), allowance, MAKERS[name].make)


def asked_of_stranger(pair: Pair, sender: End, octets: bytes | None = None) -> DatagramReceived:
    """The answer of the other end, which has forgotten everything, to a request of `sender`."""
    octets = octets or sealed(sender, ExchangeType.INFORMATIONAL, ())
    receiver = "east" if sender is pair.west else "west"
    ends = (EAST, WEST) if sender is pair.west else (WEST, EAST)
    refused = door(receiver).consider(DatagramReceived(octets, *ends), 0, 0, pair.now)
    assert isinstance(refused, Refused)
    assert refused.reply is not None
    return DatagramReceived(refused.reply, ends[1], ends[0])


def token(pair: Pair, end: End) -> bytes:
    return end.association.ike_sa.token


def test_both_ends_give_their_tokens_in_ike_auth() -> None:
    """(RFC 6290 section 4.2)"""
    pair = tokens().establish()
    assert "AUTH, N(QUICK_CRASH_DETECTION), SA" in pair.trace[2].replace("INITIAL_CONTACT), N(", "")
    assert "AUTH, N(QUICK_CRASH_DETECTION), SA" in pair.trace[3]
    for end in pair.ends():
        assert len(token(pair, end)) == TOKEN_OCTETS
    assert token(pair, pair.west) != token(pair, pair.east)


def test_a_token_names_the_ike_sa_and_is_of_no_spi() -> None:
    """(RFC 6290 section 4.1)"""
    pair = tokens().establish()
    sent = [one for trace in pair.west.traces for one in notifies(trace.payloads, QCD)]
    assert {(one.protocol, one.spi) for one in sent} == {(ProtocolId.IKE, b"")}


@pytest.mark.parametrize(("west", "east"), [(False, True), (True, False), (False, False)])
def test_an_end_without_it_neither_gives_nor_keeps_a_token(west: bool, east: bool) -> None:
    pair = tokens(west, east).establish()
    assert token(pair, pair.west) == b"" == token(pair, pair.east)


@pytest.mark.parametrize("name", ["west", "east"])
def test_a_peer_that_has_lost_everything_is_noticed_at_its_first_answer(name: str) -> None:
    """(RFC 6290 section 4.5)"""
    pair = tokens().establish()
    end = getattr(pair, name)
    pair.give(end, asked_of_stranger(pair, end))
    assert end.association.closed
    assert "has lost the IKE SA" in end.association.failure
    assert not end.sas
    assert pair.flights == []


def test_a_token_counts_from_whatever_address_it_comes() -> None:
    """(RFC 6290 section 3)"""
    pair = tokens().establish()
    presented = asked_of_stranger(pair, pair.west)
    elsewhere = replace(presented, remote=replace(EAST, port=61000))
    pair.give(pair.west, elsewhere)
    assert pair.west.association.closed


def changed(datagram: DatagramReceived, *, keep: bool) -> DatagramReceived:
    message = read_message(datagram.octets)
    wrong = Notify(QCD, bytes(TOKEN_OCTETS), ProtocolId.IKE)
    right = notifies(message.payloads, QCD)
    payloads = (wrong, wrong, wrong, *right) if keep else (wrong, *right[1:])
    return replace(datagram, octets=write_message(replace(message, payloads=payloads)))


def test_a_wrong_token_changes_nothing_and_is_told() -> None:
    pair = tokens().establish()
    before = standing(pair.west)
    pair.give(pair.west, changed(asked_of_stranger(pair, pair.west), keep=False))
    assert standing(pair.west) == before
    assert pair.west.said("token-refused")
    assert pair.flights == []


def test_one_of_four_tokens_is_enough() -> None:
    """(RFC 6290 section 4.5)"""
    pair = tokens().establish()
    pair.give(pair.west, changed(asked_of_stranger(pair, pair.west), keep=True))
    assert pair.west.association.closed


def test_an_error_without_a_token_changes_nothing() -> None:
    """(RFC 7296 section 2.4)"""
    pair = tokens().establish()
    before = standing(pair.west)
    spis = pair.west.association.ike_sa.spis
    error = (Notify(NotifyType.INVALID_IKE_SPI),)
    octets = write_message(
        Message(spis.spi_i, spis.spi_r, ExchangeType.INFORMATIONAL, 2, True, False, error)
    )
    pair.give(pair.west, DatagramReceived(octets, WEST, EAST))
    assert standing(pair.west) == before
    assert not pair.west.said("token-refused")
    assert pair.west.said("message-dropped")


def test_a_stranger_gets_no_token_of_an_ike_sa_by_turning_its_initiator_flag() -> None:
    """(RFC 6290 section 9.3)"""
    pair = tokens().establish()
    octets = bytearray(sealed(pair.west, ExchangeType.INFORMATIONAL, ()))
    octets[19] ^= 0x08
    presented = asked_of_stranger(pair, pair.west, bytes(octets))
    (given,) = notifies(read_message(presented.octets).payloads, QCD)
    assert given.data != token(pair, pair.west)


def test_a_reply_with_a_token_is_hardly_larger_than_the_smallest_request() -> None:
    pair = tokens().establish()
    octets = sealed(pair.west, ExchangeType.INFORMATIONAL, ())
    assert len(asked_of_stranger(pair, pair.west, octets).octets) <= len(octets) + 8


@pytest.mark.parametrize(("missing", "answered"), [(8, True), (9, False)])
def test_what_is_much_smaller_than_its_answer_gets_no_token(missing: int, answered: bool) -> None:
    pair = tokens().establish()
    octets = sealed(pair.west, ExchangeType.INFORMATIONAL, ())
    length = len(asked_of_stranger(pair, pair.west, octets).octets) - missing
    short = octets[:24] + length.to_bytes(4, "big") + octets[28:length]
    datagram = DatagramReceived(short, EAST, WEST)
    refused = door("east").consider(datagram, 0, 0, pair.now)
    assert isinstance(refused, Refused)
    assert (refused.reply is not None) is answered


@pytest.mark.parametrize("name", ["west", "east"])
def test_the_successor_of_an_ike_sa_has_tokens_of_its_own(name: str) -> None:
    """(RFC 6290 section 4.3)"""
    pair = tokens().establish()
    former = {end.name: token(pair, end) for end in pair.ends()}
    pair.give(getattr(pair, name), RekeyRequested())
    pair.settle()
    for end in pair.ends():
        assert len(token(pair, end)) == TOKEN_OCTETS
        assert token(pair, end) != former[end.name]
        pair.give(end, asked_of_stranger(pair, end))
        assert end.association.closed


def test_a_former_ike_sa_that_the_peer_has_forgotten_goes_alone() -> None:
    pair = tokens().establish()
    pair.give(pair.west, RekeyRequested())
    pair.deliver(pair.flights[0])
    pair.deliver(pair.flights[0])
    former = next(one for one in pair.west.association.ike_sas._by_spi.values() if one.token)
    octets = sealed(pair.west, ExchangeType.INFORMATIONAL, (), ike_sa=former)
    pair.give(pair.west, asked_of_stranger(pair, pair.west, octets))
    assert not pair.west.association.closed
    assert former not in pair.west.association.ike_sas._by_spi.values()


def test_a_token_that_comes_later_takes_the_place_of_the_former() -> None:
    """(RFC 6290 section 4.4)"""
    pair = tokens().establish()
    fresh = Notify(QCD, b"another token of 24 octets", ProtocolId.IKE)
    octets = sealed(pair.east, ExchangeType.INFORMATIONAL, (fresh,))
    pair.give(pair.west, DatagramReceived(octets, WEST, EAST))
    assert token(pair, pair.west) == fresh.data


def test_the_secret_is_not_in_the_text_of_its_maker() -> None:
    assert "www" not in repr(MAKERS["west"])


def test_a_deleted_ike_sa_does_not_mind_a_token() -> None:
    pair = tokens().establish()
    presented = asked_of_stranger(pair, pair.west)
    pair.give(pair.west, DeletionRequested())
    pair.settle()
    pair.give(pair.west, presented)
    assert pair.west.association.closed
