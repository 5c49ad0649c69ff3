"""A peer that has authenticated says what makes no sense: each row is a case and its answer."""

from __future__ import annotations

from dataclasses import dataclass

import pytest

from ikeactors.iana import ExchangeType, NotifyType, PayloadType
from ikeactors.protocol.ikev2.protection import open_sealed
from ikeactors.wire.header import read_header
from tests.bad_input.envelope import (
    Parts,
    beside,
    in_sk,
    in_sk_behind,
    key_length,
    notify,
    parts_of,
    proposal,
    sealed_chain,
    selector,
    selectors,
    swapped,
    transform,
)
from tests.pair import Pair
from tests.protocol.phases import PHASES, established, rekeying

CREATE, INFORMATIONAL = ExchangeType.CREATE_CHILD_SA, ExchangeType.INFORMATIONAL
SYNTAX, REFUSED = NotifyType.INVALID_SYNTAX, NotifyType.NO_PROPOSAL_CHOSEN
NOT_FOUND, NO_TRAFFIC = NotifyType.CHILD_SA_NOT_FOUND, NotifyType.TS_UNACCEPTABLE
SA, NONCE, TSI = PayloadType.SA, PayloadType.NONCE, PayloadType.TSI
DELETE, CP, VENDOR = PayloadType.DELETE, PayloadType.CP, PayloadType.VENDOR
REKEY_SA = 16393
RESERVED = 0x7F

# A rekeying of the Child SA as the western end asks for it.
_PAIR = rekeying()
_OCTETS = _PAIR.flights[0].datagram.octets
_OPENED = open_sealed(_PAIR.west.association.ike_sa.outgoing, _OCTETS, read_header(_OCTETS))
REKEYING = parts_of(_OPENED.first, _OPENED.plaintext)
SPI = REKEYING[0][1][-4:]

GCM = transform(1, 20, key_length(128))
NO_ESN = transform(5, 0, more=False)
WEST = selector(bytes((10, 1, 0, 0)), bytes((10, 1, 255, 255)))
TWO = (b"\x0a\1\0\0", b"\x0a\1\0\1")
ELSEWHERE = selector(b"\xac\x10\0\0", b"\xac\x10\0\1")
HOSTILE = (b"%n%n", b"$(reboot)", b"\n\x1b[2J", b"\0", b"\xff", bytes(60_000))


@dataclass(frozen=True, slots=True)
class Row:
    """A request, and the error that answers it; INVALID_SYNTAX ends the IKE SA."""

    case: str
    words: str
    parts: Parts
    error: NotifyType | None = None
    exchange: ExchangeType = CREATE


def offer(case: str, words: str, body: bytes, error: NotifyType | None = SYNTAX) -> Row:
    return Row(case, words, swapped(REKEYING, SA, body), error)


def encryption(case: str, words: str, one: bytes, error: NotifyType | None = REFUSED) -> Row:
    return offer(case, words, proposal(one, NO_ESN), error)


def traffic(case: str, words: str, body: bytes, error: NotifyType | None = SYNTAX) -> Row:
    return Row(case, words, swapped(REKEYING, TSI, body), error)


def rekey(words: str, protocol: int, spi: bytes, error: NotifyType) -> Row:
    rest = swapped(REKEYING, PayloadType.NOTIFY)
    return Row("G11", words, (notify(REKEY_SA, b"", protocol, spi), *rest), error)


def told(case: str, words: str, *parts: tuple[int, bytes], error: NotifyType | None = None) -> Row:
    return Row(case, words, parts, error, INFORMATIONAL)


OFFERS = (
    offer("C1", "no proposals", b""),
    offer("C1", "no transforms", proposal()),
    offer("C1", "no cipher", proposal(NO_ESN), REFUSED),
    offer("C2", "255 proposals", b"".join(
        proposal(GCM, NO_ESN, number=number, more=number < 255) for number in range(1, 256)
    )),
    offer("C2", "255 transforms", proposal(
        *(transform(1, 200 + number % 50) for number in range(253)), GCM, NO_ESN
    ), None),
    offer("C3", "the last says that there are more", proposal(GCM, NO_ESN, more=True)),
    offer("C3", "more transforms counted", proposal(GCM, NO_ESN, count=3)),
    offer("C3", "fewer transforms counted", proposal(GCM, NO_ESN, count=1)),
    offer("C3", "number 0", proposal(GCM, NO_ESN, number=0)),
    offer("C3", "a number again", proposal(GCM, NO_ESN, more=True) + proposal(GCM, NO_ESN)),
    offer("C4", "an SPI of 0 octets", proposal(GCM, NO_ESN, spi=b"")),
    offer("C4", "an SPI of 1 octet", proposal(GCM, NO_ESN, spi=b"s")),
    offer("C4", "an SPI of 8 octets", proposal(GCM, NO_ESN, spi=b"eightspi")),
    offer("C4", "an SPI beyond the end", proposal(GCM, NO_ESN, spi_size=255)),
    offer("C5", "an unknown protocol", proposal(GCM, NO_ESN, protocol=99), REFUSED),
    offer("C5", "an unknown transform type", proposal(transform(99, 1), GCM, NO_ESN), REFUSED),
    encryption("C5", "an unknown cipher", transform(1, 999)),
    encryption("C5", "an unknown attribute", transform(1, 20, key_length(128) + b"\x80\x63\0\1")),
    *(
        encryption("C6", f"a key of {bits} bits", transform(1, 20, key_length(bits)))
        for bits in (0, 7, 129, 65535)
    ),
    encryption("C6", "no key length", transform(1, 20)),
    encryption("C6", "a key length twice", transform(1, 20, key_length(128) * 2)),
    encryption("C6", "a key length with a length", transform(1, 20, b"\0\x0e\0\2\0\x80")),
    encryption("C6", "a length of a fixed key", transform(1, 28, key_length(256))),
    offer("C7", "integrity beside an AEAD", proposal(GCM, transform(3, 12), NO_ESN), REFUSED),
    encryption("C7", "no integrity", transform(1, 12, key_length(128))),
    offer("C11", "SPI 0", proposal(GCM, NO_ESN, spi=bytes(4))),
    offer("C11", "SPI 255", proposal(GCM, NO_ESN, spi=b"\0\0\0\xff")),
    offer("C12", "AH", proposal(transform(3, 12), NO_ESN, protocol=2), REFUSED),
    offer("C12", "ESP as if it were AH", proposal(transform(3, 12), NO_ESN), REFUSED),
    offer("C13", "DES and MD5", proposal(transform(1, 2), transform(3, 1), NO_ESN), REFUSED),
    offer("C14", "further key exchanges, one twice", proposal(
        GCM, transform(6, 36), transform(6, 36), transform(8, 36), NO_ESN
    ), REFUSED),
)  # fmt: skip

NONCES = (
    Row("A23", "a second nonce", (*REKEYING, (NONCE, bytes(32))), SYNTAX),
    Row("D7", "15 octets", swapped(REKEYING, NONCE, bytes(15)), SYNTAX),
    Row("D7", "257 octets", swapped(REKEYING, NONCE, bytes(257)), SYNTAX),
)

SELECTORS = (
    traffic("I1", "none", selectors()),
    traffic("I1", "255 counted", selectors(WEST, count=255)),
    traffic("I1", "none counted", selectors(WEST, count=0)),
    traffic("I1", "addresses reversed", selectors(selector(b"\x0a\2\0\0", b"\x0a\1\0\0"))),
    traffic("I1", "ports reversed", selectors(selector(*TWO, 7, b"\0\2\0\1"))),
    traffic("I1", "IPv6 with the length of IPv4", selectors(selector(bytes(4), bytes(4), 8))),
    traffic("I1", "an unknown type", selectors(selector(bytes(4), bytes(4), 99)), NO_TRAFFIC),
    traffic("I1", "length 0", bytes((1, 0, 0, 0)) + bytes(8)),
    traffic("I1", "length 7", bytes((1, 0, 0, 0, 7, 0, 0, 7, 0, 0, 0))),
    traffic("I1", "255 of them", selectors(
        WEST, *(selector(bytes((10, 1, n, 0)), bytes((10, 1, n, 255))) for n in range(254))
    ), None),
    traffic("I3", "nothing in common", selectors(ELSEWHERE), NO_TRAFFIC),
    traffic("I4", "all addresses", selectors(selector(bytes(4), b"\xff" * 4)), None),
    traffic("I4", "OPAQUE ports", selectors(selector(*TWO, 7, b"\xff\xff\0\0")), NO_TRAFFIC),
    traffic("I5", "less than before", selectors(selector(*TWO)), NO_TRAFFIC),
)  # fmt: skip

REKEYINGS = (
    *(rekey(f"protocol {number}", number, SPI, NOT_FOUND) for number in (0, 1, 4, 255)),
    rekey("no SPI", 3, b"", SYNTAX),
    rekey("an SPI of 8 octets", 3, bytes(8), SYNTAX),
    rekey("an SPI that is not there", 3, b"nope", NOT_FOUND),
    Row("G11", "twice", (REKEYING[0], *REKEYING), SYNTAX),
)

DELETES = (
    told("G9", "the IKE SA with an SPI", (DELETE, b"\1\4\0\1spis"), error=SYNTAX),
    told("G9", "65535 counted", (DELETE, b"\3\4\xff\xff"), error=SYNTAX),
    told("G9", "SPIs of 8 octets", (DELETE, b"\3\x08\0\1" + bytes(8)), error=SYNTAX),
    told("G9", "cut off", (DELETE, b"\3\4"), error=SYNTAX),
    told("G9", "9 SPIs of no octets", (DELETE, b"\3\0\0\x09"), error=SYNTAX),
    told("G9", "an SPI of somebody else", (DELETE, b"\3\4\0\1spis")),
    told("G9", "an unknown protocol", (DELETE, b"\x63\4\0\1" + SPI)),
    told("G9", "AH", (DELETE, b"\2\4\0\1" + SPI)),
    told("G9", "an SPI of somebody else twice", (DELETE, b"\3\4\0\2spisspis")),
)

NOTIFIES = tuple(
    told(case, words, notify(kind, data))
    for case, words, kind, data in (
        ("G13", "REDIRECT", 16407, b"\1\4\xc0\0\2\1" + bytes(16)),
        ("G13", "REDIRECTED_FROM", 16408, b""),
        ("G14", "an empty COOKIE", 16390, b""),
        ("G14", "a COOKIE of 65 octets", 16390, bytes(65)),
        ("G14", "INVALID_KE_PAYLOAD of 1 octet", 17, b"\1"),
        ("G14", "SET_WINDOW_SIZE 0", 16385, bytes(4)),
        ("G14", "SET_WINDOW_SIZE 2^32 - 1", 16385, b"\xff" * 4),
        ("G14", "SET_WINDOW_SIZE of 1 octet", 16385, b"\1"),
        ("G14", "ADDITIONAL_TS_POSSIBLE with data", 16386, bytes(3)),
        ("G15", "UPDATE_SA_ADDRESSES", 16400, b""),
        ("G15", "COOKIE2 of 3 octets", 16401, bytes(3)),
        ("G16", "IKEV2_MESSAGE_ID_SYNC", 16422, bytes(12)),
        ("A32", "words for terminals and shells", 40000, b"%n$(reboot)\n\x1b[2J\0\xff"),
    )
)

CONFIGURATIONS = (
    told("I6", "an unknown attribute", (CP, b"\1\0\0\0\x7f\xff\0\0")),
    told("I6", "an attribute beyond the end", (CP, b"\1\0\0\0\0\1\0\x05four"), error=SYNTAX),
    told("I6", "1000 addresses", (CP, b"\1\0\0\0" + b"\0\1\0\0" * 1000), error=SYNTAX),
    told("I6", "an unknown type", (CP, b"\x63\0\0\0")),
    told("I6", "nothing", (CP, b""), error=SYNTAX),
    told("I6", "a name with control characters", (CP, b"\3\0\0\0\0\x19\0\x05a\n\x1bbc")),
    told("I6", "two requests", (CP, b"\1\0\0\0"), (CP, b"\1\0\0\0")),
)

PAYLOADS = (
    told("A17", "64 empty payloads", *((200, b""),) * 64),
    told("A17", "1000 empty payloads", *((200, b""),) * 1000, error=SYNTAX),
    told("A20", "unknown types", (254, b"x"), (255, b"y")),
    told("A31", "IKEv1's types", *((kind, bytes(8)) for kind in range(1, 17))),
    told("A32", "vendors' words", *(
        (VENDOR, text) for text in HOSTILE
    )),
)  # fmt: skip

ROWS = (
    *OFFERS, *NONCES, *SELECTORS, *REKEYINGS, *DELETES, *NOTIFIES, *CONFIGURATIONS, *PAYLOADS,
)  # fmt: skip


@pytest.mark.parametrize("row", ROWS, ids=lambda row: f"{row.case} {row.words}")
def test_what_makes_no_sense_is_answered_within_the_envelope(row: Row) -> None:
    gateway = beside(established())
    outcome = gateway.hear(in_sk(gateway.pair, row.exchange, row.parts))
    assert gateway.errors(outcome) == ([] if row.error is None else [row.error])
    assert outcome.replies
    assert outcome.closed == (row.error is SYNTAX)
    gateway.pair.west.association.ike_sa.requests.next_id += 1
    _assert_in_order(gateway.pair)


def _assert_in_order(pair: Pair) -> None:
    """Both ends come to rest, and keep nothing of an IKE SA that is closed."""
    pair.drop()
    pair.pass_time(600)
    for end in pair.ends():
        if end.association.closed:
            assert (end.sas, end.policies) == ({}, [])


@pytest.mark.parametrize("row", ROWS, ids=lambda row: f"{row.case} {row.words}")
def test_reserved_bits_change_no_answer(row: Row) -> None:
    """A22"""
    gateway = beside(established())
    outcome = gateway.hear(in_sk(gateway.pair, row.exchange, row.parts, RESERVED))
    assert gateway.errors(outcome) == ([] if row.error is None else [row.error])


def test_payloads_of_ike_auth_may_come_in_any_order() -> None:
    """A30: also AUTH before the identities it covers."""
    pair = PHASES["authenticating"]()
    octets = pair.flights[0].datagram.octets
    ike_sa = pair.west.association.ike_sa
    inside = open_sealed(ike_sa.outgoing, octets, read_header(octets))
    pair.drop()
    gateway = beside(pair)
    turned = tuple(reversed(parts_of(inside.first, inside.plaintext)))
    gateway.hear(sealed_chain(pair, ExchangeType.IKE_AUTH, turned, 1))
    assert pair.east.association.established
    pair.settle()
    pair.assert_mirrored()


def test_a_child_sa_is_asked_for_again_and_again_within_bounds() -> None:
    """J9, J10: the peer makes Child SAs without end; each step stays within the envelope."""
    gateway = beside(established())
    rest = swapped(REKEYING, PayloadType.NOTIFY)
    made = 0
    for number in range(1100):
        spi = (0x10000 + number).to_bytes(4, "big")
        parts = swapped(rest, SA, proposal(GCM, NO_ESN, spi=spi))
        outcome = gateway.hear(in_sk(gateway.pair, CREATE, parts))
        gateway.pair.drop()
        gateway.pair.east.actions.clear()
        errors = gateway.errors(outcome)
        made += not errors
        assert errors in ([], [NotifyType.NO_ADDITIONAL_SAS])
    assert made < 1050
    assert len(gateway.pair.east.sas) <= 2 * 1024


def test_what_stands_before_sk_is_ignored() -> None:
    """A26: a Delete of the IKE SA among it."""
    gateway = beside(established())
    clear = ((200, b"outside"), notify(24), (DELETE, b"\1\0\0\0"))
    outcome = gateway.hear(in_sk_behind(gateway.pair, INFORMATIONAL, clear, ((200, b"inside"),)))
    assert len(outcome.replies) == 1
    assert gateway.errors(outcome) == []
    assert not outcome.closed
