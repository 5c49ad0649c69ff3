"""What must hold whatever comes in: the envelope around each case; and octets to make cases of.

No exception; few actions and reports; answers that are bounded; nothing more in the data plane, and
nothing less unless the IKE SA ended; no other association touched.
"""

from __future__ import annotations

from dataclasses import dataclass

from ikeactors.iana import ExchangeType, NotifyType, PayloadType
from ikeactors.protocol.actions import Report, SendDatagram
from ikeactors.protocol.events import DatagramReceived, Endpoint
from ikeactors.protocol.ikev2.protection import seal_content
from ikeactors.wire.header import read_header, write_header
from ikeactors.wire.message import read_message
from ikeactors.wire.payload import Notify, Payload
from tests.pair import EAST, End, Pair
from tests.protocol.forging import initiated, iv_of, opened, sent_by, standing

MOST_ACTIONS = 20
MOST_REPORTS = 4
# One message makes one Child SA.
MOST_SAS = 2
# What an answer may have beyond its request: the largest is a whole choice with nonce and KE.
MOST_OCTETS = 600

ELSEWHERE = Endpoint(EAST.address, 40_000)

Parts = tuple[tuple[int, bytes], ...]


@dataclass(frozen=True, slots=True)
class Outcome:
    """What one datagram brought about."""

    replies: tuple[bytes, ...]
    reports: tuple[Report, ...]
    closed: bool


@dataclass(slots=True)
class Gateway:
    """The eastern end, its peer, and another association of the same gateway."""

    pair: Pair
    bystander: End

    def hear(self, octets: bytes) -> Outcome:
        """The eastern end hears this; the envelope is held."""
        end, pair = self.pair.east, self.pair
        before, said = standing(self.bystander), len(end.actions)
        held = set(end.sas)
        pair.give(end, sent_by(pair, pair.west, octets))
        actions = end.actions[said:]
        reports = tuple(one for one in actions if isinstance(one, Report))
        replies = tuple(one.octets for one in actions if isinstance(one, SendDatagram))
        assert len(actions) <= MOST_ACTIONS
        assert len(reports) <= MOST_REPORTS
        assert sum(map(len, replies)) <= len(octets) + MOST_OCTETS
        assert standing(self.bystander) == before
        closed = end.association.closed
        assert len(set(end.sas) - held) <= MOST_SAS
        assert closed or held <= set(end.sas)
        assert not (closed and end.sas)
        return Outcome(replies, reports, closed)

    def errors(self, outcome: Outcome) -> list[NotifyType]:
        """The types of the notifies in the answers."""
        return [one.type for one in self._payloads(outcome) if isinstance(one, Notify)]

    def _payloads(self, outcome: Outcome) -> list[Payload]:
        found: list[Payload] = []
        for octets in outcome.replies:
            header = read_header(octets)
            if header.exchange is ExchangeType.IKE_SA_INIT:
                found += read_message(octets).payloads
            elif header.next_payload is PayloadType.SK:
                found += opened(self.pair.east, octets)
        return found


def beside(pair: Pair) -> Gateway:
    """A gateway with this pair's eastern end, and a half-open association of somebody else."""
    bystander = End("bystander", pair.responder(ELSEWHERE))
    first = initiated(Pair(seed="bystander")).flights[0].datagram.octets
    pair.give(bystander, DatagramReceived(first, EAST, ELSEWHERE))
    del pair.flights[-1:]
    return Gateway(pair, bystander)


def parts_of(first: PayloadType, octets: bytes) -> Parts:
    """The payloads of a chain, unread."""
    parts, kind, at = [], int(first), 0
    while kind:
        length = int.from_bytes(octets[at + 2 : at + 4], "big")
        parts.append((kind, octets[at + 4 : at + length]))
        kind, at = octets[at], at + length
    return tuple(parts)


def chained(parts: Parts, flags: int = 0) -> tuple[PayloadType, bytes]:
    """The type of the first payload, and the chain."""
    kinds = [kind for kind, _ in parts] + [0]
    octets = b"".join(
        bytes((following, flags)) + (4 + len(body)).to_bytes(2, "big") + body
        for following, (_, body) in zip(kinds[1:], parts, strict=True)
    )
    return PayloadType(kinds[0]), octets


def in_clear(parts: Parts, spi_i: bytes = b"initiatr", flags: int = 0) -> bytes:
    """A first request with these payloads."""
    first, chain = chained(parts, flags)
    length = 28 + len(chain)
    return (
        write_header(
            spi_i, bytes(8), first, ExchangeType.IKE_SA_INIT, 0, length,
            is_response=False, from_original_initiator=True,
        )
        + chain
    )  # fmt: skip


def in_sk(pair: Pair, exchange: ExchangeType, parts: Parts, flags: int = 0) -> bytes:
    """The western end's next request with these payloads."""
    expected = pair.east.association.ike_sa.responses.expected_id
    return sealed_chain(pair, exchange, parts, expected, flags)


def sealed_chain(
    pair: Pair, exchange: ExchangeType, parts: Parts, message_id: int, flags: int = 0
) -> bytes:
    """A request of the western end with this number."""
    ike_sa = pair.west.association.ike_sa
    first, chain = chained(parts, flags)
    return seal_content(
        ike_sa.outgoing, iv_of(ike_sa), ike_sa.spis.spi_i, ike_sa.spis.spi_r, exchange,
        message_id, (PayloadType.SK, first, b""), chain,
        is_response=False, from_original_initiator=ike_sa.spis.original_initiator,
    )  # fmt: skip


def in_sk_behind(pair: Pair, exchange: ExchangeType, clear: Parts, parts: Parts) -> bytes:
    """The western end's next request, with payloads in clear before SK."""
    ike_sa = pair.west.association.ike_sa
    cipher, iv = ike_sa.suite.cipher, iv_of(ike_sa)
    (first, front), (inner, chain) = chained((*clear, (PayloadType.SK, b""))), chained(parts)
    plaintext = chain + bytes(-(len(chain) + 1) % cipher.block_octets)
    plaintext += bytes((len(plaintext) - len(chain),))
    length = 4 + len(iv) + len(plaintext) + cipher.icv_octets
    associated = write_header(
        ike_sa.spis.spi_i, ike_sa.spis.spi_r, first, exchange,
        pair.east.association.ike_sa.responses.expected_id, 28 + len(front) - 4 + length,
        is_response=False, from_original_initiator=ike_sa.spis.original_initiator,
    )  # fmt: skip
    associated += front[:-4] + bytes((inner, 0)) + length.to_bytes(2, "big")
    keyed = cipher.keyed(ike_sa.outgoing.sk_e, ike_sa.outgoing.sk_a)
    return associated + iv + keyed.seal(iv, plaintext, associated)


def swapped(parts: Parts, kind: int, *bodies: bytes) -> Parts:
    """Other bodies, or none, for the payloads of a type."""
    found: list[tuple[int, bytes]] = []
    done = False
    for one in parts:
        if one[0] != kind:
            found.append(one)
        elif not done:
            found += [(kind, body) for body in bodies]
            done = True
    return tuple(found)


def transform(kind: int, number: int, attributes: bytes = b"", more: bool = True) -> bytes:
    """A transform substructure."""
    length = (8 + len(attributes)).to_bytes(2, "big")
    return (
        bytes((3 if more else 0, 0))
        + length
        + bytes((kind, 0))
        + number.to_bytes(2, "big")
        + attributes
    )


def key_length(bits: int) -> bytes:
    return b"\x80\x0e" + bits.to_bytes(2, "big")


def proposal(
    *transforms: bytes,
    number: int = 1,
    protocol: int = 3,
    spi: bytes = b"\x01\x02\x03\x04",
    more: bool = False,
    count: int | None = None,
    spi_size: int | None = None,
) -> bytes:
    """A proposal substructure; its counts may lie."""
    body = spi + b"".join(transforms)
    size = len(spi) if spi_size is None else spi_size
    counted = len(transforms) if count is None else count
    head = bytes((2 if more else 0, 0)) + (8 + len(body)).to_bytes(2, "big")
    return head + bytes((number, protocol, size, counted)) + body


def selector(start: bytes, end: bytes, kind: int = 7, ports: bytes = b"\0\0\xff\xff") -> bytes:
    """A traffic selector of any protocol."""
    body = ports + start + end
    return bytes((kind, 0)) + (4 + len(body)).to_bytes(2, "big") + body


def selectors(*those: bytes, count: int | None = None) -> bytes:
    """The body of a TS payload; its count may lie."""
    return bytes((len(those) if count is None else count, 0, 0, 0)) + b"".join(those)


def notify(kind: int, data: bytes = b"", protocol: int = 0, spi: bytes = b"") -> tuple[int, bytes]:
    """A Notify payload."""
    head = bytes((protocol, len(spi))) + kind.to_bytes(2, "big")
    return PayloadType.NOTIFY, head + spi + data
