"""Proposals."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ikeactors.errors import InvalidSyntax
from ikeactors.iana import (
    Encr,
    Esn,
    Integ,
    KeyExchangeMethod,
    Prf,
    ProtocolId,
    TransformAttribute,
    TransformType,
)
from ikeactors.wire.proposals import (
    MAX_PROPOSALS,
    Attribute,
    Proposal,
    Transform,
    read_proposals,
    write_proposals,
)
from tests.wire.strategies import proposal_lists

GCM = Transform(TransformType.ENCR, Encr.AES_GCM_16, 128)
CBC = Transform(TransformType.ENCR, Encr.AES_CBC, 256)
SHA2 = Transform(TransformType.INTEG, Integ.HMAC_SHA2_256_128)
PRF = Transform(TransformType.PRF, Prf.HMAC_SHA2_256)
X25519 = Transform(TransformType.KE, KeyExchangeMethod.CURVE25519)
NO_ESN = Transform(TransformType.ESN, Esn.NO_ESN)

TABLE = [
    (
        "an IKE proposal",
        (Proposal(1, ProtocolId.IKE, b"", (GCM, PRF, X25519)),),
        "00000024 01010003 0300000c 01000014 800e0080 03000008 02000005 00000008 0400001f",
    ),
    (
        "two ESP proposals",
        (
            Proposal(1, ProtocolId.ESP, b"abcd", (GCM, NO_ESN)),
            Proposal(2, ProtocolId.ESP, b"abcd", (CBC, SHA2, NO_ESN)),
        ),
        "02000020 01030402 61626364 0300000c 01000014 800e0080 00000008 05000000"
        "00000028 02030403 61626364 0300000c 0100000c 800e0100 03000008 0300000c 00000008 05000000",
    ),
    (
        "the lone proposal of a responder",
        (Proposal(7, ProtocolId.IKE, b"12345678", (PRF,)),),
        "00000018 07010801 3132333435363738 00000008 02000005",
    ),
    (
        "all that is unknown survives",
        (
            Proposal(
                1,
                ProtocolId(200),
                b"x",
                (
                    Transform(
                        TransformType(99), 0x1234, None, (Attribute(TransformAttribute(5), b"ab"),)
                    ),
                ),
            ),
        ),
        "00000017 01c80101 78 0000000e 63001234 00050002 6162",
    ),
    (
        "a key length that came twice is an attribute",
        (
            Proposal(
                1,
                ProtocolId.IKE,
                b"",
                (
                    Transform(
                        TransformType.ENCR,
                        Encr.AES_CBC,
                        None,
                        (
                            Attribute(TransformAttribute.KEY_LENGTH, 128),
                            Attribute(TransformAttribute.KEY_LENGTH, 256),
                        ),
                    ),
                ),
            ),
        ),
        "00000018 01010001 00000010 0100000c 800e0080 800e0100",
    ),
    (
        "a key length in the long form is an attribute",
        (
            Proposal(
                1,
                ProtocolId.IKE,
                b"",
                (
                    Transform(
                        TransformType.ENCR,
                        Encr.AES_CBC,
                        None,
                        (Attribute(TransformAttribute.KEY_LENGTH, b"\x01\x00"),),
                    ),
                ),
            ),
        ),
        "00000016 01010001 0000000e 0100000c 000e0002 0100",
    ),
]


@pytest.mark.parametrize(("description", "value", "octets"), TABLE, ids=[row[0] for row in TABLE])
def test_proposals_are_read_and_written(
    description: str, value: tuple[Proposal, ...], octets: str
) -> None:
    assert read_proposals(bytes.fromhex(octets)) == value
    assert write_proposals(value) == bytes.fromhex(octets)


BAD = [
    ("no proposals", ""),
    ("a proposal cut off", "00000008 010100"),
    ("a proposal of length 0", "00000000 01010001 00000008 02000005"),
    ("a proposal of length 7", "00000007 01010001 00000008 02000005"),
    ("a proposal past the end", "00000011 01010001 00000008 02000005"),
    ("no transforms", "00000008 01010000"),
    ("a transform of length 0", "00000010 01010001 00000000 02000005"),
    ("a transform past its proposal", "00000010 01010001 00000009 02000005"),
    ("fewer transforms than counted", "00000010 01010002 03000008 02000005"),
    ("more transforms than counted", "00000018 01010001 00000008 02000005 00000008 02000005"),
    ("the last transform says more", "00000010 01010001 03000008 02000005"),
    (
        "a transform before the last says last",
        "00000018 01010002 00000008 02000005 00000008 02000005",
    ),
    ("the last proposal says more", "02000010 01010001 00000008 02000005"),
    ("octets behind the last proposal", "00000010 01010001 00000008 02000005 00"),
    ("neither last nor more", "01000010 01010001 00000008 02000005"),
    ("number 0", "00000010 00010001 00000008 02000005"),
    (
        "numbers not from 1",
        "02000010 02010001 00000008 02000005 00000010 03010001 00000008 02000005",
    ),
    (
        "a number repeated",
        "02000010 01010001 00000008 02000005 00000010 01010001 00000008 02000005",
    ),
    ("an SPI of 4 octets for IKE", "00000014 01010401 61626364 00000008 02000005"),
    ("no SPI for ESP", "00000010 01030001 00000008 02000005"),
    ("an SPI of 8 octets for AH", "00000018 01020801 3132333435363738 00000008 02000005"),
    ("an SPI past its proposal", "00000010 01c8ff01 00000008 02000005"),
    ("an attribute cut off", "00000012 01010001 0000000a 01000014 800e"),
    ("an attribute past its transform", "00000014 01010001 0000000c 01000014 00050001"),
]


@pytest.mark.parametrize(("description", "octets"), BAD, ids=[row[0] for row in BAD])
def test_a_malformed_proposal_is_invalid(description: str, octets: str) -> None:
    with pytest.raises(InvalidSyntax):
        read_proposals(bytes.fromhex(octets))


def test_reserved_octets_are_ignored() -> None:
    octets = bytes.fromhex("00ff0010 01010001 00ff0008 02ff0005")
    assert read_proposals(octets) == (Proposal(1, ProtocolId.IKE, b"", (PRF,)),)


def test_too_many_proposals_are_invalid() -> None:
    proposals = [Proposal(n, ProtocolId.IKE, b"", (PRF,)) for n in range(1, MAX_PROPOSALS + 2)]
    assert len(read_proposals(write_proposals(proposals[:-1]))) == MAX_PROPOSALS
    with pytest.raises(InvalidSyntax):
        read_proposals(write_proposals(proposals))


def test_the_most_transforms_in_the_most_proposals_are_read() -> None:
    proposals = tuple(Proposal(n, ProtocolId.IKE, b"", (PRF,) * 127) for n in range(1, 61))
    octets = write_proposals(proposals)
    assert len(octets) > 60000
    assert read_proposals(octets) == proposals


def test_ids_are_of_the_registry_of_their_type() -> None:
    hybrid = Transform(TransformType.ADDKE1, KeyExchangeMethod.ML_KEM_768)
    octets = write_proposals((Proposal(1, ProtocolId.IKE, b"", (GCM, PRF, X25519, hybrid)),))
    read = read_proposals(octets)[0].transforms
    assert [type(transform.id) for transform in read] == [
        Encr,
        Prf,
        KeyExchangeMethod,
        KeyExchangeMethod,
    ]


def test_transforms_are_found_by_type_in_order() -> None:
    proposal = Proposal(1, ProtocolId.ESP, b"abcd", (CBC, SHA2, GCM, NO_ESN))
    assert proposal.of_type(TransformType.ENCR) == (CBC, GCM)
    assert proposal.of_type(TransformType.KE) == ()


@pytest.mark.parametrize(
    ("proposal", "text"),
    [
        (Proposal(1, ProtocolId.ESP, b"abcd", (GCM, NO_ESN)), "ESP:AES_GCM_16-128/NO_ESN"),
        (
            Proposal(1, ProtocolId.IKE, b"", (PRF, X25519, SHA2, CBC)),
            "IKE:AES_CBC-256/HMAC_SHA2_256_128/PRF_HMAC_SHA2_256/CURVE25519",
        ),
        (
            Proposal(
                1,
                ProtocolId(9),
                b"",
                (
                    Transform(TransformType.ENCR, Encr(1025)),
                    Transform(TransformType(77), 5, 8, (Attribute(TransformAttribute(4), 1),)),
                    Transform(TransformType.KE, KeyExchangeMethod.NONE),
                    Transform(TransformType.ADDKE2, KeyExchangeMethod.ML_KEM_768),
                ),
            ),
            "PROTOCOL_9:ENCR_1025/KE_NONE/ADDKE2_ML_KEM_768/TYPE_77_5-8+ATTRIBUTE_4",
        ),
    ],
)
def test_a_proposal_prints_like_the_keywords(proposal: Proposal, text: str) -> None:
    assert str(proposal) == text


@given(proposal_lists())
def test_proposals_survive_writing_and_reading(proposals: tuple[Proposal, ...]) -> None:
    assert read_proposals(write_proposals(proposals)) == proposals


@given(st.binary(max_size=60))
def test_any_octets_are_proposals_or_invalid(octets: bytes) -> None:
    try:
        proposals = read_proposals(octets)
    except InvalidSyntax:
        return
    assert read_proposals(write_proposals(proposals)) == proposals
