"""A hostile or broken peer: messages made with the keys of an end, or changed on their way."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from ikeactors.iana import ExchangeType, NotifyType, PayloadType
from ikeactors.protocol.actions import RegisterSpi
from ikeactors.protocol.events import DatagramReceived
from ikeactors.protocol.ikev2.ike_sa import IkeSa
from ikeactors.protocol.ikev2.protection import open_sealed, seal, seal_content
from ikeactors.wire.header import ZERO_SPI, Header, read_header
from ikeactors.wire.message import Message, read_message, write_message
from ikeactors.wire.payload import Notify, Payload
from tests.pair import EAST, WEST, End, Flight, Pair

Payloads = tuple[Payload, ...]
Change = Callable[[Payloads], Payloads]

# The IVs of forged messages are of no interest, but they must not meet those of real ones.
_FORGED_IV = 0xF0


def iv_of(ike_sa: IkeSa) -> bytes:
    """An IV that the end itself does not use."""
    return bytes((_FORGED_IV,)) * ike_sa.suite.cipher.iv_octets


def sealed(
    sender: End,
    exchange: ExchangeType,
    payloads: Payloads,
    *,
    message_id: int | None = None,
    is_response: bool = False,
    ike_sa: IkeSa | None = None,
) -> bytes:
    """A message as `sender` would protect it; its own state stays as it is."""
    ike_sa = ike_sa or sender.association.ike_sa
    return seal(
        ike_sa.outgoing,
        iv_of(ike_sa),
        ike_sa.spis.spi_i,
        ike_sa.spis.spi_r,
        exchange,
        ike_sa.requests.next_id if message_id is None else message_id,
        payloads,
        is_response=is_response,
        from_original_initiator=ike_sa.spis.original_initiator,
    )


def fragment(
    sender: End,
    number: int,
    total: int,
    chunk: bytes,
    *,
    exchange: ExchangeType = ExchangeType.INFORMATIONAL,
    first: PayloadType | None = None,
    message_id: int | None = None,
    is_response: bool = False,
) -> bytes:
    """A fragment as `sender` would protect it, sound or not; its own state stays as it is."""
    ike_sa = sender.association.ike_sa
    if first is None:
        first = PayloadType.NOTIFY if number == 1 else PayloadType.NONE
    return seal_content(
        ike_sa.outgoing,
        iv_of(ike_sa),
        ike_sa.spis.spi_i,
        ike_sa.spis.spi_r,
        exchange,
        ike_sa.requests.next_id if message_id is None else message_id,
        (PayloadType.SKF, first, number.to_bytes(2, "big") + total.to_bytes(2, "big")),
        chunk,
        is_response=is_response,
        from_original_initiator=ike_sa.spis.original_initiator,
    )


def sent_by(pair: Pair, sender: End, octets: bytes) -> DatagramReceived:
    """The datagram as it arrives at the other end."""
    ends = (EAST, WEST) if sender is pair.west else (WEST, EAST)
    return DatagramReceived(octets, *ends)


def request(pair: Pair, sender: End, exchange: ExchangeType, *payloads: Payload) -> None:
    """`sender` asks this behind its own back: the request arrives, and is counted as its own."""
    octets = sealed(sender, exchange, payloads)
    sender.association.ike_sa.requests.next_id += 1
    pair.give(other(pair, sender), sent_by(pair, sender, octets))


def initiated(pair: Pair | None = None) -> Pair:
    """Two ends, and the first request under way."""
    pair = pair or Pair()
    pair.initiate()
    return pair


def authenticating(pair: Pair | None = None) -> Pair:
    """IKE_SA_INIT is done, the IKE_AUTH request under way."""
    pair = initiated(pair)
    pair.deliver(pair.flights[0])
    pair.deliver(pair.flights[0])
    return pair


def answered() -> Pair:
    """The IKE_AUTH response is under way."""
    pair = authenticating()
    pair.deliver(pair.flights[0])
    return pair


def error(pair: Pair, kind: NotifyType, data: bytes = b"") -> None:
    """Somebody answers the western end's IKE_SA_INIT with an error, or a cookie."""
    (spi,) = [one.spi for one in pair.west.actions if isinstance(one, RegisterSpi)]
    message = Message(
        spi, ZERO_SPI, ExchangeType.IKE_SA_INIT, 0, True, False, (Notify(kind, data),)
    )
    pair.give(pair.west, sent_by(pair, pair.east, write_message(message)))


def answers(pair: Pair, receiver: End) -> list[Payloads]:
    """What is under way to `receiver` inside of SK; it is taken from the network."""
    found = []
    for flight in [one for one in pair.flights if one.receiver is receiver]:
        pair.flights.remove(flight)
        found.append(opened(other(pair, receiver), flight.datagram.octets))
    return found


def other(pair: Pair, end: End) -> End:
    """The end at the other side."""
    return pair.east if end is pair.west else pair.west


def opened(sender: End, octets: bytes) -> Payloads:
    """What is inside of a message of `sender`."""
    header = read_header(octets)
    return open_sealed(_ike_sa(sender, header).outgoing, octets, header).payloads()


def change_sealed(pair: Pair, flight: Flight, change: Change) -> None:
    """The sender of what is under way has said something else."""
    sender = other(pair, flight.receiver)
    octets = flight.datagram.octets
    header = read_header(octets)
    changed = sealed(
        sender,
        header.exchange,
        change(opened(sender, octets)),
        message_id=header.message_id,
        is_response=header.is_response,
        ike_sa=_ike_sa(sender, header),
    )
    flight.datagram = replace(flight.datagram, octets=changed)


def change_clear(flight: Flight, change: Change) -> None:
    """Somebody on the path changes a message in clear."""
    message = read_message(flight.datagram.octets)
    octets = write_message(replace(message, payloads=change(message.payloads)))
    flight.datagram = replace(flight.datagram, octets=octets)


def without(*kinds: type) -> Change:
    """Leaves out payloads of these classes."""
    return lambda payloads: tuple(one for one in payloads if not isinstance(one, kinds))


def swapped(kind: type, change: Callable[[Payload], Payload]) -> Change:
    """Changes the payloads of a class."""
    return lambda payloads: tuple(change(one) if isinstance(one, kind) else one for one in payloads)


def added(*more: Payload) -> Change:
    """Adds payloads at the end."""
    return lambda payloads: (*payloads, *more)


def instead(*payloads: Payload) -> Change:
    """Says something else altogether."""
    return lambda _: payloads


def standing(end: End) -> tuple[object, ...]:
    """What of an end may not change by a message that is not its peer's."""
    association = end.association
    windows: tuple[object, ...] = ()
    if association.ike_sas.exists:
        ike_sa = association.ike_sa
        windows = (
            ike_sa.spis,
            ike_sa.state,
            ike_sa.requests.next_id,
            ike_sa.responses.expected_id,
            ike_sa.responses.pending,
            len(ike_sa.queue),
        )
    return (
        type(association.phase),
        windows,
        association.local,
        association.remote,
        association.last_heard_at,
        association.deadline,
        association.connection_name,
        tuple((one.number, one.state) for one in association.children),
        dict(end.sas),
        tuple(end.policies),
    )


def _ike_sa(end: End, header: Header) -> IkeSa:
    ours = header.spi_i if header.from_original_initiator else header.spi_r
    ike_sa = end.association.ike_sas.find(ours)
    return ike_sa or end.association.ike_sa
