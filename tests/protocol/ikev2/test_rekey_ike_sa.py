"""Rekeying an IKE SA: the successor, its keys, corrections, crossings."""

from __future__ import annotations

from dataclasses import replace

import pytest

from ikeactors.iana import KeyExchangeMethod, NotifyType, TransformType
from ikeactors.protocol.events import DeletionRequested, InitiationRequested, RekeyRequested
from ikeactors.protocol.ikev2.ike_sa import IkeSaState
from ikeactors.wire.payload import (
    KeyExchange,
    Nonce,
    Notify,
    SecurityAssociation,
)
from ikeactors.wire.proposals import Transform
from tests.pair import Pair, child, connection, ike, opposite, selectors
from tests.protocol.forging import Change, change_sealed, instead, swapped, without

ENDS = pytest.mark.parametrize("end", ["west", "east"])
GROUPS = connection(proposals=ike("aes128gcm16-prfsha256-x25519-ecp256"))


def established(west: object = None, east: object = None) -> Pair:
    pair = Pair(west, east).establish()  # type: ignore[arg-type]
    pair.trace.clear()
    return pair


def rekey(pair: Pair, end: str, request_id: int = 7) -> None:
    pair.give(getattr(pair, end), RekeyRequested(request_id=request_id))


def spis(pair: Pair) -> tuple[bytes, bytes]:
    """The SPIs of the IKE SA that both ends take for the one that stands."""
    ours, theirs = (end.association.ike_sa.spis for end in pair.ends())
    assert (ours.spi_i, ours.spi_r) == (theirs.spi_i, theirs.spi_r)
    assert ours.original_initiator is not theirs.original_initiator
    return ours.spi_i, ours.spi_r


@ENDS
def test_an_ike_sa_is_rekeyed_and_the_old_one_deleted(end: str) -> None:
    """(RFC 7296 section 1.3.2)"""
    pair = established()
    before = spis(pair)
    child_spis = pair.west.spis()
    rekey(pair, end)
    pair.settle()
    assert [one[4:] for one in pair.trace] == [
        "HDR, SK {SA, Ni, KEi}",
        "HDR, SK {SA, Nr, KEr}",
        "HDR, SK {D}",
        "HDR, SK {}",
    ]
    assert set(spis(pair)).isdisjoint(before)
    assert getattr(pair, end).answers[-1].succeeded
    assert pair.west.spis() == child_spis
    assert getattr(pair, end).association.ike_sa.spis.original_initiator


@ENDS
def test_message_ids_start_again(end: str) -> None:
    pair = established()
    rekey(pair, end)
    pair.settle()
    for one in pair.ends():
        assert one.association.ike_sa.requests.next_id == 0
        assert one.association.ike_sa.responses.expected_id == 0


def test_sk_d_goes_on_from_one_ike_sa_to_the_next() -> None:
    """H15: three rekeyings of the IKE SA, then one of the Child SA."""
    pair = established()
    for number, end in enumerate(("west", "east", "west")):
        rekey(pair, end, number)
        pair.settle()
        ours, theirs = (one.association.ike_sa.keys for one in pair.ends())
        assert ours.sk_d == theirs.sk_d
    pair.give(pair.east, RekeyRequested(child="net"))
    pair.settle()
    pair.pass_time(6)
    pair.assert_one_pair()


@ENDS
def test_the_old_spi_is_forgotten_in_the_end(end: str) -> None:
    pair = established()
    rekey(pair, end)
    pair.settle()
    pair.pass_time(30)
    for one in pair.ends():
        names = [type(action).__name__ for action in one.actions]
        assert names.count("RegisterSpi") == 2
        assert names.count("ForgetSpi") == 1


def test_another_group_is_asked_for_and_followed() -> None:
    west = established(GROUPS, opposite(connection(proposals=ike("aes128gcm16-prfsha256-x25519"))))
    west.east.association.connection = opposite(
        connection(proposals=ike("aes128gcm16-prfsha256-ecp256"))
    )
    rekey(west, "west")
    west.settle()
    assert west.trace[1] == "<-- HDR, SK {N(INVALID_KE_PAYLOAD)}"
    assert west.west.association.ike_sa.suite.ke == KeyExchangeMethod.ECP_256
    assert west.west.answers[-1].succeeded
    spis(west)


@pytest.mark.parametrize("data", [b"", b"\0\x1f", b"\0\x0e", b"\0\0"])
def test_a_group_that_cannot_be_followed_ends_the_attempt(data: bytes) -> None:
    """D2"""
    pair = established(GROUPS)
    before = spis(pair)
    pair.east.association.ike_sa.state = IkeSaState.REKEYED
    rekey(pair, "west")
    pair.deliver(pair.flights[0])
    change_sealed(pair, pair.flights[0], instead(Notify(NotifyType.INVALID_KE_PAYLOAD, data)))
    pair.settle()
    pair.east.association.ike_sa.state = IkeSaState.ESTABLISHED
    assert not pair.west.answers[-1].succeeded
    assert spis(pair) == before
    pair.pass_time(31)
    assert spis(pair) != before


def test_an_invalid_ke_in_a_request_costs_the_ike_sa() -> None:
    """D6 (RFC 6989 section 2.5)"""
    pair = established()
    rekey(pair, "west")
    bad = KeyExchange(KeyExchangeMethod.CURVE25519, bytes(32))
    change_sealed(pair, pair.flights[0], swapped(KeyExchange, lambda _: bad))
    pair.settle()
    assert pair.trace[1] == "<-- HDR, SK {N(INVALID_SYNTAX)}"
    assert pair.east.association.closed


def test_an_invalid_ke_in_a_response_deletes_the_ike_sa() -> None:
    """D6 (RFC 6989 section 2.5)"""
    pair = established()
    rekey(pair, "west")
    pair.deliver(pair.flights[0])
    bad = KeyExchange(KeyExchangeMethod.CURVE25519, bytes(32))
    change_sealed(pair, pair.flights[0], swapped(KeyExchange, lambda _: bad))
    pair.settle()
    assert pair.trace[2:] == ["--> HDR, SK {D}", "<-- HDR, SK {}"]
    assert pair.west.association.closed


@pytest.mark.parametrize(
    "change",
    [
        without(SecurityAssociation),
        without(KeyExchange),
        without(Nonce),
        swapped(
            SecurityAssociation, lambda _: SecurityAssociation(ike("aes128gcm16-prfsha256-x25519"))
        ),
    ],
)
def test_a_malformed_request_costs_the_ike_sa(change: Change) -> None:
    """A24: a payload is missing, or the new SPI."""
    pair = established()
    rekey(pair, "west")
    change_sealed(pair, pair.flights[0], change)
    pair.settle()
    assert pair.trace[1] == "<-- HDR, SK {N(INVALID_SYNTAX)}"
    assert pair.east.association.closed


@pytest.mark.parametrize(
    "change",
    [
        without(SecurityAssociation),
        without(KeyExchange),
        without(Nonce),
        swapped(KeyExchange, lambda _: KeyExchange(KeyExchangeMethod.ECP_256, bytes(64))),
        instead(),
    ],
)
def test_a_malformed_response_ends_without_a_wedge(change: Change) -> None:
    """A19, A24: the peer believes in the successor, so nothing can go on; the end comes in time."""
    pair = established()
    rekey(pair, "west")
    pair.deliver(pair.flights[0])
    change_sealed(pair, pair.flights[0], change)
    pair.settle()
    assert not pair.west.answers[-1].succeeded
    pair.pass_time(400)
    pair.pass_time(16000)
    assert pair.west.association.ike_sas.is_replacing is False


def test_two_ends_that_rekey_at_once_come_to_rest() -> None:
    """(RFC 7296 section 2.8.2)"""
    pair = established()
    before = spis(pair)
    rekey(pair, "west")
    rekey(pair, "east")
    pair.settle()
    assert not [one for one in pair.trace if "TEMPORARY_FAILURE" in one]
    pair.pass_time(10)
    assert set(spis(pair)).isdisjoint(before)
    for end in pair.ends():
        assert end.association.ike_sa.state is IkeSaState.ESTABLISHED
    pair.assert_one_pair()


def test_a_child_sa_is_not_made_while_the_ike_sa_is_rekeyed() -> None:
    """(RFC 7296 section 2.25.2)"""
    two = connection(children=(child(), child("more", local_ts=selectors("10.3.0.0/16"))))
    pair = Pair(two).establish("net")
    rekey(pair, "west")
    pair.give(pair.east, InitiationRequested(("more",), 8))
    pair.settle()
    assert any("TEMPORARY_FAILURE" in one for one in pair.trace)
    pair.pass_time(60)
    spis(pair)
    pair.assert_mirrored()


def test_a_child_sa_may_be_deleted_while_the_ike_sa_is_rekeyed() -> None:
    """(RFC 7296 section 2.25.2)"""
    pair = established()
    rekey(pair, "west")
    pair.give(pair.east, DeletionRequested(child="net", request_id=8))
    pair.settle()
    assert pair.east.answers[-1].succeeded
    pair.pass_time(60)
    assert not pair.west.sas
    assert not pair.east.sas
    spis(pair)


def test_what_waits_goes_on_with_the_successor() -> None:
    pair = established()
    rekey(pair, "west", 7)
    pair.give(pair.west, RekeyRequested(child="net", request_id=8))
    rekey(pair, "west", 9)
    pair.settle()
    assert [(one.request_id, one.succeeded) for one in pair.west.answers[-3:]] == [
        (7, True),
        (8, True),
        (9, True),
    ]
    pair.pass_time(60)
    pair.assert_one_pair()
    spis(pair)


def test_an_operator_who_deletes_during_a_rekeying_gets_her_way() -> None:
    pair = established()
    rekey(pair, "west", 7)
    pair.give(pair.west, RekeyRequested(child="net", request_id=8))
    pair.give(pair.west, DeletionRequested(request_id=9))
    pair.settle()
    pair.pass_time(10)
    for end in pair.ends():
        assert end.association.closed
        assert not end.sas
        assert not end.policies
    answered = {one.request_id: one.succeeded for one in pair.west.answers}
    assert answered[9] is True
    assert answered[8] is False
    assert 7 in answered


def test_a_malformed_answer_to_the_delete_of_the_old_ike_sa_costs_only_that() -> None:
    pair = established()
    rekey(pair, "west")
    for _ in range(3):
        pair.deliver(pair.flights[0])
    change_sealed(pair, pair.flights[0], lambda _: (Nonce(bytes(16)), Nonce(bytes(16))))
    pair.settle()
    assert not pair.west.association.closed
    spis(pair)


def test_lost_messages_of_a_rekeying_are_made_up_for() -> None:
    """Each message in turn is lost, and each in turn comes twice."""
    for lost in range(4):
        for copies in (0, 2):
            pair = established()
            before = spis(pair)
            first = pair.sent
            pair.fate = lambda number, at=first + lost, copies=copies: copies if number == at else 1
            rekey(pair, "west")
            pair.settle()
            pair.pass_time(30)
            assert set(spis(pair)).isdisjoint(before)
            pair.give(pair.east, RekeyRequested(child="net"))
            pair.settle()
            pair.pass_time(20)
            pair.assert_one_pair()


@pytest.mark.parametrize("transforms", ["", "none"])
def test_an_ike_sa_without_a_key_exchange_is_not_accepted(transforms: str) -> None:
    """(RFC 7296 section 2.18)"""
    pair = established()
    rekey(pair, "west")

    def without_group(payload: SecurityAssociation) -> SecurityAssociation:
        (proposal,) = payload.proposals
        kept = tuple(one for one in proposal.transforms if one.type is not TransformType.KE)
        none = (Transform(TransformType.KE, KeyExchangeMethod.NONE),) if transforms else ()
        return SecurityAssociation((replace(proposal, transforms=(*kept, *none)),))

    change_sealed(pair, pair.flights[0], swapped(SecurityAssociation, without_group))
    before = spis(pair)
    pair.settle()
    assert pair.trace[1] == "<-- HDR, SK {N(NO_PROPOSAL_CHOSEN)}"
    assert spis(pair) == before
