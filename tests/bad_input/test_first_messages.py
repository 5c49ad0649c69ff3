"""A stranger's first message makes no sense: each row is a case, and what the responder says."""

from __future__ import annotations

import random
import struct
from dataclasses import dataclass

import pytest

from ikeactors.iana import NotifyType, PayloadType
from ikeactors.protocol.allowance import Allowance
from ikeactors.protocol.events import DatagramReceived
from ikeactors.protocol.ikev2.admission import Admission, AdmissionLimits, Refused
from tests.bad_input.envelope import (
    Gateway,
    Parts,
    beside,
    in_clear,
    key_length,
    notify,
    parts_of,
    proposal,
    swapped,
    transform,
)
from tests.pair import EAST, WEST, Pair, SeededEntropy
from tests.protocol.forging import initiated
from tests.protocol.phases import PHASES, wake

SA, KE, NONCE = PayloadType.SA, PayloadType.KE, PayloadType.NONCE
CHOSEN, OTHER_GROUP = NotifyType.NO_PROPOSAL_CHOSEN, NotifyType.INVALID_KE_PAYLOAD

FIRST = initiated().flights[0].datagram.octets
PARTS = parts_of(PayloadType(FIRST[16]), FIRST[28:])
SPI = FIRST[:8]

GCM = transform(1, 20, key_length(128))
PRF, GROUP = transform(2, 5), transform(4, 31, more=False)
KE_BODY = dict(PARTS)[KE]


@dataclass(frozen=True, slots=True)
class Row:
    """A first request, and the error that answers it; without one nobody is answered."""

    case: str
    words: str
    parts: Parts
    error: NotifyType | None = None


def offer(case: str, words: str, *proposals: bytes, error: NotifyType | None = CHOSEN) -> Row:
    return Row(case, words, swapped(PARTS, SA, b"".join(proposals)), error)


def ike(*transforms: bytes, number: int = 1, more: bool = False, spi: bytes = b"") -> bytes:
    return proposal(*transforms, number=number, protocol=1, spi=spi, more=more)


OFFERS = (
    offer("C1", "no proposals", error=None),
    offer("C1", "no transforms", ike(), error=None),
    offer("C1", "a cipher alone", ike(transform(1, 20, key_length(128), more=False))),
    offer("C2", "255 proposals", *(
        ike(GCM, PRF, GROUP, number=n, more=n < 255) for n in range(1, 256)
    ), error=None),
    offer("C3", "number 0", ike(GCM, PRF, GROUP, number=0), error=None),
    offer("C3", "1 and 1", ike(GCM, PRF, GROUP, more=True), ike(GCM, PRF, GROUP), error=None),
    offer("C3", "1 and 3",
        ike(GCM, PRF, GROUP, more=True), ike(GCM, PRF, GROUP, number=3), error=None,
    ),
    offer("C3", "the last says that there are more", ike(GCM, PRF, GROUP, more=True), error=None),
    offer("C4", "an SPI of 4 octets", ike(GCM, PRF, GROUP, spi=b"four"), error=None),
    offer("C5", "ESP", proposal(GCM, PRF, GROUP), error=None),
    offer("C5", "unknown transforms", ike(transform(1, 999), transform(2, 999), GROUP)),
    *(
        offer("C6", f"a key of {bits} bits", ike(transform(1, 20, key_length(bits)), PRF, GROUP))
        for bits in (0, 7, 129, 65535)
    ),
    offer("C7", "integrity beside an AEAD", ike(GCM, PRF, transform(3, 12), GROUP)),
    offer("C7", "no integrity", ike(transform(1, 12, key_length(128)), PRF, GROUP)),
    offer("C10", "no confidentiality", ike(transform(1, 11), PRF, transform(3, 12), GROUP)),
    offer("C13", "768 bits and DES", ike(
        transform(1, 2), PRF, transform(3, 1), transform(4, 1, more=False)
    )),
    offer("C14", "further key exchanges", ike(GCM, PRF, transform(6, 36), transform(6, 36), GROUP)),
)  # fmt: skip

PAYLOADS = (
    *(
        Row("A24", f"without {kind.name}", swapped(PARTS, kind))
        for kind in (SA, KE, NONCE)
    ),
    *(
        Row("A23", f"{kind.name} twice", (*PARTS, (kind, dict(PARTS)[kind])))
        for kind in (SA, KE, NONCE)
    ),
    Row("A17", "1000 empty payloads", (*PARTS, *((200, b""),) * 1000)),
    Row("A29", "SK", ((PayloadType.SK, bytes(60)),)),
    Row("B12", "SKF", ((PayloadType.SKF, b"\0\1\0\1" + bytes(60)),)),
    Row("A31", "IKEv1's payloads alone", tuple((kind, bytes(8)) for kind in range(1, 14))),
    Row("D1", "another group", swapped(PARTS, KE, b"\0\x13\0\0" + bytes(64)), OTHER_GROUP),
    Row("D3", "no public value", swapped(PARTS, KE, KE_BODY[:4])),
    Row("D3", "an octet less", swapped(PARTS, KE, KE_BODY[:-1])),
    Row("D3", "an octet more", swapped(PARTS, KE, KE_BODY + b"\0")),
    Row("D7", "an empty nonce", swapped(PARTS, NONCE, b"")),
    Row("D7", "15 octets", swapped(PARTS, NONCE, bytes(15))),
    Row("D7", "65531 octets", swapped(PARTS, NONCE, bytes(65_000))),
)  # fmt: skip

ROWS = (*OFFERS, *PAYLOADS)

HOSTILE = (b"%n%n", b"$(reboot)", b"\n\x1b[2J", b"\0", b"\xff" * 9, bytes(50_000))


def stranger() -> Gateway:
    """A gateway whose eastern end has heard nothing yet."""
    return beside(Pair())


@pytest.mark.parametrize("row", ROWS, ids=lambda row: f"{row.case} {row.words}")
def test_a_first_request_that_makes_no_sense_leaves_nothing(row: Row) -> None:
    gateway = stranger()
    outcome = gateway.hear(in_clear(row.parts, SPI))
    assert gateway.errors(outcome) == ([] if row.error is None else [row.error])
    assert bool(outcome.replies) == (row.error is not None)
    assert outcome.closed
    assert not gateway.pair.east.sas


@pytest.mark.parametrize("more", [
    *((PayloadType.VENDOR, text) for text in HOSTILE),
    notify(40_000, b"%n\x1b[2J"), notify(16388, b"short"), notify(16389, bytes(21)),
    notify(16390, bytes(65)), notify(16431, b"\0"), notify(16406, b""),
    (254, b""), (255, bytes(300)),
], ids=str)  # fmt: skip
def test_what_is_added_to_a_first_request_changes_nothing(more: tuple[int, bytes]) -> None:
    """A20, A32, E11, G14: strings for terminals and shells, notifies of other lengths."""
    gateway = stranger()
    outcome = gateway.hear(in_clear((*PARTS, more), SPI))
    assert gateway.pair.east.association.half_open or outcome.closed
    assert all(one.text.isprintable() for one in outcome.reports)


def test_reserved_bits_of_a_first_request_are_ignored() -> None:
    """A7, A21, A22"""
    gateway = stranger()
    octets = bytearray(in_clear(PARTS, SPI, flags=0xFF))
    octets[19] |= 0xD7 & ~0x20
    assert gateway.hear(bytes(octets)).replies
    assert gateway.pair.east.association.half_open


HEADERS = {
    "A1 nothing": b"",
    "A1 27 octets": FIRST[:27],
    "A2 length below the header": FIRST[:24] + struct.pack(">I", 27) + FIRST[28:],
    "A2 length above the datagram": FIRST[:24] + struct.pack(">I", len(FIRST) + 1) + FIRST[28:],
    "A3 length 2^32 - 1": FIRST[:24] + b"\xff" * 4 + FIRST[28:],
    "A14 payload of length 0": FIRST[:30] + b"\0\0" + FIRST[32:],
    "A14 payload of length 3": FIRST[:30] + b"\0\3" + FIRST[32:],
    "A15 payload of length 65535": FIRST[:30] + b"\xff\xff" + FIRST[32:],
    "A16 more payloads than octets": FIRST[:24] + struct.pack(">I", 40) + FIRST[28:40],
    "A9 a response": FIRST[:19] + b"\x20" + FIRST[20:],
    "A11 a responder's SPI": FIRST[:8] + b"\1" * 8 + FIRST[16:],
}


@pytest.mark.parametrize("case", HEADERS)
def test_a_malformed_first_message_is_not_answered(case: str) -> None:
    door = Admission(SeededEntropy("door"), AdmissionLimits(), Allowance(100, 100))
    verdict = door.consider(DatagramReceived(HEADERS[case], EAST, WEST), 0, 0, 1000.0)
    if isinstance(verdict, Refused):
        assert verdict.reply is None
        return
    outcome = stranger().hear(HEADERS[case])
    assert not outcome.replies
    assert outcome.closed


@pytest.mark.parametrize("case", HEADERS)
@pytest.mark.parametrize("phase", [one for one in PHASES if one != "initiated"])
def test_a_malformed_message_is_dropped_in_every_phase(case: str, phase: str) -> None:
    pair = PHASES[phase]()
    wake(pair, phase)
    outcome = beside(pair).hear(HEADERS[case])
    assert not outcome.replies
    assert not outcome.closed


@pytest.mark.parametrize("phase", PHASES)
def test_random_datagrams_of_all_sizes_are_dropped(phase: str) -> None:
    """A34"""
    pair = PHASES[phase]()
    wake(pair, phase)
    gateway = beside(pair)
    closed = pair.east.association.closed
    chance = random.Random(34)
    spis = _spis(pair) if pair.east.association.ike_sas.exists else SPI + SPI
    for size in (0, 1, 27, 28, 29, 60, 300, 1500, 9000, 65_507):
        for prefix in (b"", spis):
            outcome = gateway.hear((prefix + chance.randbytes(size))[:65_507])
            assert not outcome.replies
            assert outcome.closed == closed or phase == "initiated"


def _spis(pair: Pair) -> bytes:
    spis = pair.east.association.ike_sa.spis
    return spis.spi_i + spis.spi_r


def test_an_spi_in_use_is_no_way_into_an_established_ike_sa() -> None:
    """G8: the first request again, and another with the same SPI."""
    pair = PHASES["established"]()
    gateway = beside(pair)
    for octets in (FIRST, in_clear(swapped(PARTS, NONCE, bytes(32)), SPI)):
        pair.give(pair.east, DatagramReceived(octets, EAST, WEST))
        assert not gateway.hear(octets).closed
    assert pair.east.association.established
