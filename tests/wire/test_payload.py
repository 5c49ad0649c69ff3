"""Payloads and their chain."""

from __future__ import annotations

import pytest
from hypothesis import given

from ikeactors.errors import InvalidSyntax, UnsupportedCriticalPayload
from ikeactors.iana import (
    AuthMethod,
    CertificateEncoding,
    ConfigurationType,
    EapCode,
    IdType,
    KeyExchangeMethod,
    NotifyType,
    PayloadType,
    Prf,
    ProtocolId,
    TransformType,
    TsType,
)
from ikeactors.wire import payload as payloads_module
from ikeactors.wire.identities import Identity
from ikeactors.wire.payload import (
    MAX_PAYLOADS,
    MAY_REPEAT,
    PAYLOAD_TYPES,
    Authentication,
    Certificate,
    CertificateRequest,
    Configuration,
    Delete,
    Eap,
    Encrypted,
    EncryptedFragment,
    IdentificationInitiator,
    IdentificationResponder,
    KeyExchange,
    Nonce,
    Notify,
    Payload,
    PuzzleSolution,
    SecurityAssociation,
    TrafficSelectorsInitiator,
    TrafficSelectorsResponder,
    Unknown,
    VendorId,
    payload_type,
    read_payloads,
    write_payloads,
)
from ikeactors.wire.proposals import Proposal, Transform
from ikeactors.wire.selectors import UnknownSelector
from tests.wire.strategies import payload_lists

PROPOSAL = Proposal(1, ProtocolId.IKE, b"", (Transform(TransformType.PRF, Prf.HMAC_SHA2_256),))
NAME = Identity(IdType.FQDN, b"a")
LABEL = UnknownSelector(TsType.SECLABEL, b"")

TABLE: list[tuple[str, Payload, int, str]] = [
    ("SA", SecurityAssociation((PROPOSAL,)), 33, "00000010 01010001 00000008 02000005"),
    ("KE", KeyExchange(KeyExchangeMethod.CURVE25519, b"ab"), 34, "001f0000 6162"),
    ("IDi", IdentificationInitiator(NAME), 35, "02000000 61"),
    ("IDr", IdentificationResponder(NAME), 36, "02000000 61"),
    ("CERT", Certificate(CertificateEncoding.X509_SIGNATURE, b"ab"), 37, "04 6162"),
    ("CERTREQ", CertificateRequest(CertificateEncoding.X509_SIGNATURE, b""), 38, "04"),
    ("AUTH", Authentication(AuthMethod.SHARED_KEY, b"ab"), 39, "02000000 6162"),
    ("Nonce", Nonce(bytes(16)), 40, "00" * 16),
    ("N", Notify(NotifyType.COOKIE, b"ab"), 41, "00004006 6162"),
    ("D of the IKE SA", Delete(ProtocolId.IKE), 42, "01000000"),
    ("D of Child SAs", Delete(ProtocolId.ESP, (b"abcd", b"efgh")), 42, "03040002 6162636465666768"),
    ("D of no Child SA", Delete(ProtocolId.AH), 42, "02040000"),
    ("V", VendorId(b"ab"), 43, "6162"),
    ("TSi", TrafficSelectorsInitiator((LABEL,)), 44, "01000000 0a000004"),
    ("TSr", TrafficSelectorsResponder((LABEL,)), 45, "01000000 0a000004"),
    ("SK", Encrypted(PayloadType.NONE, b"ab"), 46, "6162"),
    ("CP", Configuration(ConfigurationType.CFG_REQUEST), 47, "01000000"),
    ("EAP request", Eap(EapCode.REQUEST, 7, b"\x01"), 48, "01070005 01"),
    ("EAP success", Eap(EapCode.SUCCESS, 7), 48, "03070004"),
    ("PS", PuzzleSolution((b"ab", b"cd", b"ef", b"gh")), 54, "6162636465666768"),
    ("SKF", EncryptedFragment(PayloadType.NONE, 2, 3, b"ab"), 53, "00020003 6162"),
    ("an unknown payload", Unknown(PayloadType(254), False, b"ab"), 254, "6162"),
    ("an ISAKMP payload", Unknown(PayloadType(1), False, b"ab"), 1, "6162"),
]


def chain(*payloads: tuple[int, str]) -> bytes:
    """Payloads of a type and a body, as a chain."""
    written = b""
    following = 0
    for kind, body in reversed(payloads):
        octets = bytes.fromhex(body)
        written = bytes((following, 0)) + (4 + len(octets)).to_bytes(2, "big") + octets + written
        following = kind
    return written


@pytest.mark.parametrize(
    ("description", "value", "kind", "body"), TABLE, ids=[row[0] for row in TABLE]
)
def test_every_payload_is_read_and_written(
    description: str, value: Payload, kind: int, body: str
) -> None:
    octets = chain((kind, body))
    assert read_payloads(PayloadType(kind), octets) == (value,)
    assert write_payloads((value,)) == (kind, octets)
    assert payload_type(value) == kind


def test_the_table_above_has_every_payload() -> None:
    assert {type(value) for _, value, _, _ in TABLE} == {*PAYLOAD_TYPES, Unknown}
    assert set(payloads_module._WRITERS) == {*PAYLOAD_TYPES, Unknown}


BODIES = [
    ("a short KE", 34, "001f00"),
    ("a short IDi", 35, "020000"),
    ("a short CERT", 37, ""),
    ("a short CERTREQ", 38, ""),
    ("a short AUTH", 39, "020000"),
    ("no nonce", 40, ""),
    ("a nonce of 15 octets", 40, "00" * 15),
    ("a nonce of 257 octets", 40, "00" * 257),
    ("a nonce of 65531 octets", 40, "00" * 65531),
    ("a short N", 41, "000040"),
    ("a short D", 42, "010000"),
    ("a D of the IKE SA with an SPI", 42, "01080001 6162636465666768"),
    ("a D with an SPI of 8 octets", 42, "03080001 6162636465666768"),
    ("a D that counts too many", 42, "03040002 61626364"),
    ("a D that counts too few", 42, "03040000 61626364"),
    ("a D that counts 65535", 42, "0304ffff 61626364"),
    ("a D of no octets, 65535 times", 42, "0900ffff"),
    ("no selectors", 44, "00000000"),
    ("a short CP", 47, "010000"),
    ("a short EAP", 48, "010700"),
    ("an EAP of length 3", 48, "01070003"),
    ("an EAP longer than its payload", 48, "01070006 01"),
    ("an EAP shorter than its payload", 48, "01070004 01"),
    ("an EAP success with data", 48, "03070005 01"),
    ("an empty PS", 54, ""),
    ("a PS of three keys", 54, "616263"),
    ("a PS of keys of two lengths", 54, "6162636465"),
    ("a short SKF", 53, "000100"),
    ("fragment 0", 53, "00000001"),
    ("fragment 0 of 0", 53, "00000000"),
    ("fragment 1 of 0", 53, "00010000"),
    ("fragment 3 of 2", 53, "00030002"),
]


@pytest.mark.parametrize(("description", "kind", "body"), BODIES, ids=[row[0] for row in BODIES])
def test_a_malformed_body_is_invalid(description: str, kind: int, body: str) -> None:
    with pytest.raises(InvalidSyntax):
        read_payloads(PayloadType(kind), chain((kind, body)))


@pytest.mark.parametrize("length", [0, 1, 2, 3])
def test_a_payload_shorter_than_its_head_is_invalid(length: int) -> None:
    with pytest.raises(InvalidSyntax):
        read_payloads(PayloadType.VENDOR, bytes((43, 0, 0, length)))


@pytest.mark.parametrize("beyond", [1, 2, 255, 65529])
def test_a_payload_that_runs_past_the_end_is_invalid(beyond: int) -> None:
    octets = b"\0\0" + (6 + beyond).to_bytes(2, "big") + b"ab"
    with pytest.raises(InvalidSyntax):
        read_payloads(PayloadType.VENDOR, octets)


def test_a_payload_does_not_run_past_the_given_end() -> None:
    octets = b"xx" + chain((43, "6162")) + b"tail"
    assert read_payloads(PayloadType.VENDOR, octets, 2, 8) == (VendorId(b"ab"),)
    with pytest.raises(InvalidSyntax):
        read_payloads(PayloadType.VENDOR, octets, 2, 7)


@pytest.mark.parametrize(
    ("first", "octets"),
    [(0, "00"), (43, "00000004 00"), (43, "2b000004"), (43, ""), (43, "2b000004 000000")],
)
def test_a_chain_that_ends_early_or_late_is_invalid(first: int, octets: str) -> None:
    with pytest.raises(InvalidSyntax):
        read_payloads(PayloadType(first), bytes.fromhex(octets))


def test_no_payloads_are_a_chain() -> None:
    assert read_payloads(PayloadType.NONE, b"") == ()
    assert write_payloads(()) == (PayloadType.NONE, b"")


@pytest.mark.parametrize("count", [MAX_PAYLOADS + 1, 1000, 16000])
def test_a_chain_of_too_many_payloads_is_invalid(count: int) -> None:
    octets = bytes((254, 0, 0, 4)) * (count - 1) + bytes((0, 0, 0, 4))
    assert len(read_payloads(PayloadType(254), octets[-4 * MAX_PAYLOADS :])) == MAX_PAYLOADS
    with pytest.raises(InvalidSyntax):
        read_payloads(PayloadType(254), octets)


@pytest.mark.parametrize("kind", [1, 16, 32, 49, 55, 254, 255])
def test_an_unknown_critical_payload_is_named(kind: int) -> None:
    octets = bytearray(chain((kind, "6162")))
    octets[1] = 0x80
    with pytest.raises(UnsupportedCriticalPayload) as raised:
        read_payloads(PayloadType(kind), bytes(octets))
    assert raised.value.data == bytes((kind,))


def test_an_unknown_critical_payload_can_be_written() -> None:
    unknown = Unknown(PayloadType(254), True, b"ab")
    assert write_payloads((unknown,)) == (254, bytes.fromhex("00800006 6162"))


def test_the_critical_bit_of_a_known_payload_is_ignored() -> None:
    octets = bytes.fromhex("00800006 6162")
    assert read_payloads(PayloadType.VENDOR, octets) == (VendorId(b"ab"),)


def test_reserved_bits_are_ignored() -> None:
    octets = bytes.fromhex("007f000a 001fffff 6162")
    assert read_payloads(PayloadType.KE, octets) == (
        KeyExchange(KeyExchangeMethod.CURVE25519, b"ab"),
    )


@pytest.mark.parametrize(
    ("kind", "body"), [(row[2], row[3]) for row in TABLE], ids=[row[0] for row in TABLE]
)
def test_only_some_payloads_may_repeat(kind: int, body: str) -> None:
    octets = chain((kind, body), (kind, body))
    if kind in MAY_REPEAT or kind not in PAYLOAD_TYPES.values():
        assert len(read_payloads(PayloadType(kind), octets)) == 2
        return
    with pytest.raises(InvalidSyntax):
        read_payloads(PayloadType(kind), octets)


@pytest.mark.parametrize("kind", [46, 53])
def test_nothing_comes_behind_a_sealed_payload(kind: int) -> None:
    with pytest.raises(InvalidSyntax):
        read_payloads(PayloadType(kind), chain((kind, "00010001"), (43, "")))


def test_a_sealed_payload_keeps_the_type_inside_and_what_is_before_it() -> None:
    octets = bytes.fromhex("2e000006 6162 23000006 6364")
    payloads = (VendorId(b"ab"), Encrypted(PayloadType.IDI, b"cd"))
    assert read_payloads(PayloadType.VENDOR, octets) == payloads
    assert write_payloads(payloads) == (PayloadType.VENDOR, octets)


def test_only_the_first_fragment_names_a_payload() -> None:
    first = bytes.fromhex("23000008 00010002")
    assert read_payloads(PayloadType.SKF, first) == (EncryptedFragment(PayloadType.IDI, 1, 2, b""),)
    with pytest.raises(InvalidSyntax):
        read_payloads(PayloadType.SKF, bytes.fromhex("23000008 00020002"))


@given(payload_lists)
def test_payloads_survive_writing_and_reading(payloads: tuple[Payload, ...]) -> None:
    first, octets = write_payloads(payloads)
    assert read_payloads(first, octets) == payloads


@pytest.mark.parametrize("payload", [payload for _, payload, _, _ in TABLE])
def test_what_we_say_is_never_critical(payload: Payload) -> None:
    """(RFC 7296 section 2.5)"""
    _, octets = write_payloads((payload,))
    assert not octets[1] & 0x80
