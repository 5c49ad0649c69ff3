"""Fragments of one message, and what has become of them, for tests of reassembly."""

from __future__ import annotations

from ikeactors.iana import ExchangeType, NotifyType
from ikeactors.protocol.ikev2.reassembly import (
    FragmentSet,
)
from ikeactors.wire.payload import Notify, Payload, write_payloads
from tests.pair import Pair
from tests.protocol.forging import sent_by

INFORMATIONAL = ExchangeType.INFORMATIONAL


STATUS = Notify(NotifyType(40960), bytes(range(24)))


def content(*payloads: Payload) -> bytes:
    return write_payloads(payloads or (STATUS,))[1]


def halves(*payloads: Payload) -> tuple[bytes, bytes]:
    whole = content(*payloads)
    return whole[:10], whole[10:]


def arrive(pair: Pair, *datagrams: bytes) -> None:
    """These come from the western end."""
    for octets in datagrams:
        pair.give(pair.east, sent_by(pair, pair.west, octets))


def partial(pair: Pair) -> FragmentSet | None:
    return pair.east.association.ike_sa.responses.partial


def is_answered(pair: Pair) -> bool:
    """Whether the eastern end has answered; the answer is taken from the network."""
    there = bool(pair.flights)
    pair.drop()
    return there
