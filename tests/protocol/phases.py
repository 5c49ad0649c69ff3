"""An association in each of its phases, with what is under way: for tests."""

from __future__ import annotations

from collections.abc import Callable

from ikeactors.iana import ExchangeType, NotifyType, ProtocolId
from ikeactors.protocol.events import (
    DeletionRequested,
    RekeyRequested,
)
from ikeactors.wire.header import read_header
from ikeactors.wire.message import Message, write_message
from ikeactors.wire.payload import Delete, Nonce, Notify
from tests.pair import End, Pair
from tests.protocol.forging import (
    answered,
    authenticating,
    initiated,
    sent_by,
)


def half_open() -> Pair:
    """The responder has answered IKE_SA_INIT; its answer is under way."""
    pair = initiated()
    pair.deliver(pair.flights[0])
    return pair


def established() -> Pair:
    return Pair().establish()


def rekeying() -> Pair:
    """West's request to rekey the Child SA is under way."""
    pair = established()
    pair.give(pair.west, RekeyRequested(child="net"))
    return pair


def rekeying_ike() -> Pair:
    pair = established()
    pair.give(pair.west, RekeyRequested())
    return pair


def rekeyed_ike() -> Pair:
    """East has answered: the old IKE SA is on its way out there."""
    pair = rekeying_ike()
    pair.deliver(pair.flights[0])
    return pair


def deleting() -> Pair:
    pair = established()
    pair.give(pair.west, DeletionRequested(child="net"))
    return pair


def deleting_ike() -> Pair:
    pair = established()
    pair.give(pair.west, DeletionRequested())
    return pair


PHASES: dict[str, Callable[[], Pair]] = {
    one.__name__: one
    for one in (
        initiated,
        half_open,
        authenticating,
        answered,
        established,
        rekeying,
        rekeying_ike,
        rekeyed_ike,
        deleting,
        deleting_ike,
    )
}
KEYED = [name for name in PHASES if name not in ("initiated", "half_open")]


def in_clear(
    pair: Pair, receiver: End, exchange: ExchangeType, message_id: int, is_response: bool
) -> bytes:
    """What would end the IKE SA if it were the peer's."""
    if pair.flights:
        header = read_header(pair.flights[-1].datagram.octets)
        spis = header.spi_i, header.spi_r
    else:
        spis = receiver.association.ike_sa.spis.spi_i, receiver.association.ike_sa.spis.spi_r
    payloads = (Delete(ProtocolId.IKE), Notify(NotifyType.AUTHENTICATION_FAILED), Nonce(bytes(16)))
    from_initiator = receiver is pair.east
    message = Message(*spis, exchange, message_id, is_response, from_initiator, payloads)
    return write_message(message)


def wake(pair: Pair, phase: str) -> None:
    """Junk that looks like IKE_AUTH makes a responder compute its keys; nothing else."""
    if phase in ("half_open", "authenticating"):
        octets = in_clear(pair, pair.east, ExchangeType.IKE_AUTH, 1, False)
        pair.give(pair.east, sent_by(pair, pair.west, octets))
        assert pair.east.association.half_open
