"""Malformed messages in IKE_SA_INIT: they leave nothing, and a good one still works."""

from __future__ import annotations

from dataclasses import replace

import pytest

from ikeactors.crypto.prf import prf_for
from ikeactors.iana import KeyExchangeMethod, PayloadType, Prf
from ikeactors.protocol.ikev2.transcript import NONCE_OCTETS
from ikeactors.wire.payload import KeyExchange, Nonce, SecurityAssociation, Unknown
from tests.pair import Pair, connection, ike
from tests.protocol.forging import (
    added,
    change_clear,
    initiated,
    instead,
    sent_by,
    swapped,
    without,
)

ONE_GROUP = connection(proposals=ike("aes128gcm16-prfsha256-ecp256"))


@pytest.mark.parametrize("kind", [SecurityAssociation, KeyExchange, Nonce])
def test_a_request_without_a_payload_it_needs_leaves_nothing(kind: type) -> None:
    """A24"""
    pair = initiated()
    change_clear(pair.flights[0], without(kind))
    pair.settle()
    assert pair.east.association.closed
    assert len(pair.trace) == 1


@pytest.mark.parametrize("kind", [SecurityAssociation, KeyExchange, Nonce])
def test_a_request_with_a_payload_twice_leaves_nothing(kind: type) -> None:
    """A23"""
    pair = initiated()
    change_clear(
        pair.flights[0],
        lambda payloads: (*payloads, *(one for one in payloads if isinstance(one, kind))),
    )
    pair.settle()
    assert pair.east.association.closed
    assert len(pair.trace) == 1


@pytest.mark.parametrize("data", [b"", bytes(31), bytes(33)], ids=len)
def test_a_ke_payload_of_a_wrong_length_leaves_nothing(data: bytes) -> None:
    """D3"""
    pair = initiated()
    ke = KeyExchange(KeyExchangeMethod.CURVE25519, data)
    change_clear(pair.flights[0], swapped(KeyExchange, lambda _: ke))
    pair.settle()
    assert pair.east.association.closed
    assert len(pair.trace) == 1


def test_a_value_without_contribution_leaves_nothing() -> None:
    """D5: an all-zero X25519 value shows when the keys are computed."""
    for at in (0, 1):
        pair = initiated()
        ke = KeyExchange(KeyExchangeMethod.CURVE25519, bytes(32))
        if at:
            pair.deliver(pair.flights[0])
        change_clear(pair.flights[0], swapped(KeyExchange, lambda _, ke=ke: ke))
        pair.settle()
        assert not pair.west.association.established
        assert pair.east.association.closed or pair.east.association.half_open
        pair.pass_time(31)
        assert pair.east.association.closed


def test_a_point_off_its_curve_leaves_nothing() -> None:
    """D4"""
    pair = initiated(Pair(ONE_GROUP))
    ke = KeyExchange(KeyExchangeMethod.ECP_256, bytes(64))
    change_clear(pair.flights[0], swapped(KeyExchange, lambda _: ke))
    pair.settle()
    assert not pair.west.association.established
    pair.pass_time(31)
    assert pair.east.association.closed


@pytest.mark.parametrize("length", [0, 15, 257])
def test_nonces_of_a_wrong_length_leave_nothing(length: int) -> None:
    """D7"""
    pair = initiated()
    change_clear(pair.flights[0], swapped(Nonce, lambda _: Nonce(bytes(length))))
    pair.settle()
    assert pair.east.association.closed
    assert len(pair.trace) == 1


def test_a_nonce_of_less_than_half_the_prfs_key_is_refused() -> None:
    """D7 (RFC 7296 section 2.10)"""
    wide = connection(proposals=ike("aes128gcm16-prfsha512-x25519"))
    pair = initiated(Pair(wide))
    change_clear(pair.flights[0], swapped(Nonce, lambda _: Nonce(b"\7" * 16)))
    pair.settle()
    assert pair.east.association.closed
    pair = initiated(Pair(wide))
    pair.deliver(pair.flights[0])
    change_clear(pair.flights[0], swapped(Nonce, lambda _: Nonce(b"\7" * 16)))
    pair.deliver(pair.flights[0])
    assert pair.west.said("ike-sa-init-refused")


def test_our_own_message_back_is_no_answer() -> None:
    """D8: reflected whole, with the flags of an answer, or only its SPI, nonce or key."""
    pair = initiated()
    ours = pair.flights.pop().datagram.octets
    pair.give(pair.west, sent_by(pair, pair.east, ours))
    flagged = bytearray(ours)
    flagged[19] = 0x20
    pair.give(pair.west, sent_by(pair, pair.east, bytes(flagged)))
    flagged[8:16] = ours[:8]
    pair.give(pair.west, sent_by(pair, pair.east, bytes(flagged)))
    flagged[8:16] = b"\3" * 8
    pair.give(pair.west, sent_by(pair, pair.east, bytes(flagged)))
    assert pair.flights == []
    assert len(pair.trace) == 1
    assert not pair.west.association.closed


@pytest.mark.parametrize(
    "change",
    [
        without(SecurityAssociation),
        without(KeyExchange),
        without(Nonce),
        swapped(KeyExchange, lambda _: KeyExchange(KeyExchangeMethod.ECP_256, bytes(64))),
        swapped(
            SecurityAssociation,
            lambda _: SecurityAssociation(ike("aes256gcm16-prfsha256-x25519")),
        ),
        swapped(
            SecurityAssociation,
            lambda _: SecurityAssociation(
                ike("aes128gcm16-prfsha256-x25519", "aes128-sha1-x25519")
            ),
        ),
        added(Unknown(PayloadType(254), True, b"")),
    ],
)
def test_an_answer_that_is_no_use_leaves_room_for_a_good_one(change: object) -> None:
    """A19, A23, C8, G6"""
    pair = initiated()
    pair.deliver(pair.flights[0])
    good = pair.flights[0].datagram
    change_clear(pair.flights[0], change)  # type: ignore[arg-type]
    pair.deliver(pair.flights[0])
    assert not pair.west.association.closed
    assert len(pair.trace) == 2
    pair.give(pair.west, good)
    pair.settle()
    assert pair.west.association.established


def test_an_answer_to_another_spi_is_dropped() -> None:
    pair = initiated()
    pair.deliver(pair.flights[0])
    datagram = pair.flights.pop().datagram
    for at in (0, 19, 20):
        octets = bytearray(datagram.octets)
        octets[at] ^= 0x08
        pair.give(pair.west, replace(datagram, octets=bytes(octets)))
    assert len(pair.trace) == 2
    assert not pair.west.said("ike-sa-init-refused")


def test_an_empty_answer_is_no_answer() -> None:
    pair = initiated()
    pair.deliver(pair.flights[0])
    change_clear(pair.flights[0], instead())
    pair.deliver(pair.flights[0])
    assert not pair.west.association.closed


@pytest.mark.parametrize("prf", [one for one in Prf if one is not Prf.HMAC_TIGER])
def test_our_nonces_are_long_enough_for_every_prf(prf: Prf) -> None:
    """(RFC 7296 section 2.10)"""
    assert max(16, prf_for(prf).key_octets / 2) <= NONCE_OCTETS
