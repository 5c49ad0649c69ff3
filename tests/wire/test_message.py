"""Whole messages, and how a trace prints them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ikeactors.errors import InvalidMajorVersion, InvalidSyntax, UnsupportedCriticalPayload
from ikeactors.iana import (
    AuthMethod,
    CertificateEncoding,
    ConfigurationType,
    EapCode,
    ExchangeType,
    IdType,
    KeyExchangeMethod,
    NotifyType,
    PayloadType,
    ProtocolId,
)
from ikeactors.wire.identities import Identity
from ikeactors.wire.message import (
    Message,
    find,
    notation,
    notifies,
    only,
    read_message,
    write_message,
)
from ikeactors.wire.payload import (
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
    SecurityAssociation,
    TrafficSelectorsInitiator,
    TrafficSelectorsResponder,
    Unknown,
    VendorId,
)
from tests.wire.strategies import messages

SA = SecurityAssociation(())
KE = KeyExchange(KeyExchangeMethod.CURVE25519, b"")
NONCE = Nonce(bytes(16))
ID = Identity(IdType.FQDN, b"a")
IDI, IDR = IdentificationInitiator(ID), IdentificationResponder(ID)
AUTH = Authentication(AuthMethod.SHARED_KEY, b"")
TSI, TSR = TrafficSelectorsInitiator(()), TrafficSelectorsResponder(())
INIT = ExchangeType.IKE_SA_INIT

DECLARED = (InvalidSyntax, UnsupportedCriticalPayload, InvalidMajorVersion)


def test_a_message_is_read_and_written() -> None:
    octets = bytes.fromhex(
        "0102030405060708 0000000000000000 28202208 00000000 00000038"
        "29000014 000102030405060708090a0b0c0d0e0f 00000008 00004006"
    )
    message = Message(
        bytes(range(1, 9)),
        bytes(8),
        INIT,
        0,
        False,
        True,
        (Nonce(bytes(range(16))), Notify(NotifyType.COOKIE)),
    )
    assert read_message(octets) == message
    assert write_message(message) == octets


@pytest.mark.parametrize("major", [0, 1, 3, 15])
def test_another_major_version_is_no_message_of_ours(major: int) -> None:
    octets = bytearray(write_message(Message(bytes(8), bytes(8), INIT, 0, False, True, ())))
    octets[17] = major << 4
    with pytest.raises(InvalidMajorVersion):
        read_message(bytes(octets))


@pytest.mark.parametrize("minor", range(16))
def test_any_minor_version_is_accepted(minor: int) -> None:
    message = Message(bytes(8), bytes(8), INIT, 0, False, True, (), minor=minor)
    assert read_message(write_message(message)) == message


def test_payloads_end_where_the_message_does() -> None:
    message = Message(bytes(8), bytes(8), INIT, 0, False, True, (NONCE,))
    octets = write_message(message)
    assert read_message(octets + b"tail") == message
    with pytest.raises(InvalidSyntax):
        read_message(octets[:27] + bytes((len(octets) - 1,)) + octets[28:])


@given(messages)
def test_messages_survive_writing_and_reading(message: Message) -> None:
    assert read_message(write_message(message)) == message


def read_or_fault(octets: bytes) -> None:
    """Read octets; whatever they are, they print, and writing them loses nothing."""
    try:
        message = read_message(octets)
    except DECLARED as fault:
        assert str(fault).isprintable()
        return
    assert read_message(write_message(message)) == message
    assert str(message).isprintable()
    assert repr(message)


@given(st.binary(max_size=80))
def test_any_octets_are_a_message_or_a_declared_fault(octets: bytes) -> None:
    read_or_fault(octets)


@given(st.integers(0, 255), st.binary(max_size=60))
def test_any_payload_is_read_or_a_declared_fault(first: int, body: bytes) -> None:
    head = bytes(16) + bytes((first, 0x20, 34, 8)) + bytes(4)
    octets = head + (32 + len(body)).to_bytes(4, "big")
    read_or_fault(octets + bytes((0, 0)) + (4 + len(body)).to_bytes(2, "big") + body)


@given(messages, st.data())
def test_a_damaged_message_is_read_or_a_declared_fault(
    message: Message, data: st.DataObject
) -> None:
    octets = bytearray(write_message(message))
    for _ in range(data.draw(st.integers(1, 4))):
        at = data.draw(st.integers(0, len(octets) - 1))
        span = data.draw(st.integers(0, 4))
        octets[at : at + span] = data.draw(st.binary(max_size=4))
        octets = octets or bytearray(1)
    if len(octets) >= 28 and data.draw(st.booleans()):
        octets[24:28] = len(octets).to_bytes(4, "big")
    read_or_fault(bytes(octets))


NOTATION: list[tuple[ExchangeType, bool, tuple[Payload, ...], bool, str]] = [
    (INIT, False, (SA, KE, NONCE), False, "HDR, SAi1, KEi, Ni"),
    (
        INIT,
        False,
        (Notify(NotifyType.COOKIE), SA, KE, NONCE),
        False,
        "HDR, N(COOKIE), SAi1, KEi, Ni",
    ),
    (
        INIT,
        True,
        (SA, KE, NONCE, CertificateRequest(CertificateEncoding.X509_SIGNATURE, b"")),
        False,
        "HDR, SAr1, KEr, Nr, CERTREQ",
    ),
    (
        ExchangeType.IKE_AUTH,
        False,
        (IDI, Certificate(CertificateEncoding.X509_SIGNATURE, b""), AUTH, SA, TSI, TSR),
        True,
        "HDR, SK {IDi, CERT, AUTH, SAi2, TSi, TSr}",
    ),
    (
        ExchangeType.IKE_AUTH,
        True,
        (IDR, AUTH, Configuration(ConfigurationType.CFG_REPLY), SA, TSI, TSR),
        True,
        "HDR, SK {IDr, AUTH, CP(CFG_REPLY), SAr2, TSi, TSr}",
    ),
    (
        ExchangeType.IKE_AUTH,
        True,
        (Eap(EapCode.SUCCESS, 1), VendorId(b"")),
        True,
        "HDR, SK {EAP, V}",
    ),
    (
        ExchangeType.CREATE_CHILD_SA,
        False,
        (Notify(NotifyType.REKEY_SA), SA, NONCE, KE, TSI, TSR),
        True,
        "HDR, SK {N(REKEY_SA), SA, Ni, KEi, TSi, TSr}",
    ),
    (
        ExchangeType.CREATE_CHILD_SA,
        True,
        (SA, NONCE, KE, TSI, TSR),
        True,
        "HDR, SK {SA, Nr, KEr, TSi, TSr}",
    ),
    (ExchangeType.INFORMATIONAL, False, (Delete(ProtocolId.IKE),), True, "HDR, SK {D}"),
    (ExchangeType.INFORMATIONAL, True, (), True, "HDR, SK {}"),
    (ExchangeType.IKE_INTERMEDIATE, False, (KE,), True, "HDR, SK {KEi}"),
    (ExchangeType(250), True, (SA,), False, "HDR, SAr"),
    (
        ExchangeType.IKE_AUTH,
        False,
        (Unknown(PayloadType(254), False, b""), Encrypted(PayloadType.IDI, b"")),
        False,
        "HDR, ?(254), SK {...}",
    ),
    (
        ExchangeType.IKE_AUTH,
        False,
        (EncryptedFragment(PayloadType.NONE, 2, 3, b""),),
        False,
        "HDR, SKF {2 of 3}",
    ),
    (
        ExchangeType.INFORMATIONAL,
        False,
        (Notify(NotifyType(40960)), Configuration(ConfigurationType(9))),
        True,
        "HDR, SK {N(40960), CP(9)}",
    ),
]


@pytest.mark.parametrize(
    ("exchange", "is_response", "payloads", "protected", "text"),
    NOTATION,
    ids=[row[-1] for row in NOTATION],
)
def test_a_message_prints_as_the_rfc_writes_it(
    exchange: ExchangeType,
    is_response: bool,
    payloads: tuple[Payload, ...],
    protected: bool,
    text: str,
) -> None:
    assert notation(exchange, is_response, payloads, protected) == text
    if not protected:
        assert str(Message(bytes(8), bytes(8), exchange, 0, is_response, True, payloads)) == text


def test_payloads_are_found_by_class() -> None:
    cookie, other = Notify(NotifyType.COOKIE, b"1"), Notify(NotifyType.COOKIE, b"2")
    payloads = (cookie, NONCE, Notify(NotifyType.INITIAL_CONTACT), other)
    assert only(payloads, Nonce) is NONCE
    assert find(payloads, Notify) is cookie
    assert find(payloads, KeyExchange) is None
    assert notifies(payloads, NotifyType.COOKIE) == [cookie, other]
    assert notifies(payloads, NotifyType.REKEY_SA) == []


@pytest.mark.parametrize("kind", [SecurityAssociation, KeyExchange, Nonce, Authentication])
def test_a_payload_that_must_be_there_is_missed(kind: type[Payload]) -> None:
    with pytest.raises(InvalidSyntax, match=kind.__name__):
        only((), kind)
