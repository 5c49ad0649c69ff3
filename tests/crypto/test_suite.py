"""Suites: made from chosen proposals, and only of algorithms that are here."""

from __future__ import annotations

import pytest

from ikeactors import iana
from ikeactors.crypto.suite import ChildSuite, IkeSuite, supported
from ikeactors.errors import NoProposalChosen, UnsupportedAlgorithm
from ikeactors.iana import (
    Encr,
    Esn,
    Integ,
    KeyExchangeMethod,
    ProtocolId,
    TransformAttribute,
    TransformType,
)
from ikeactors.wire.proposals import Attribute, Proposal, Transform

GCM = Transform(TransformType.ENCR, Encr.AES_GCM_16, 128)
CBC = Transform(TransformType.ENCR, Encr.AES_CBC, 256)
SHA256 = Transform(TransformType.PRF, iana.Prf.HMAC_SHA2_256, None)
HMAC = Transform(TransformType.INTEG, Integ.HMAC_SHA2_256_128, None)
NO_INTEG = Transform(TransformType.INTEG, Integ.NONE, None)
X25519 = Transform(TransformType.KE, KeyExchangeMethod.CURVE25519, None)
NO_KE = Transform(TransformType.KE, KeyExchangeMethod.NONE, None)
ESN = Transform(TransformType.ESN, Esn.ESN, None)
NO_ESN = Transform(TransformType.ESN, Esn.NO_ESN, None)


def ike(*transforms: Transform) -> Proposal:
    return Proposal(1, ProtocolId.IKE, b"", transforms)


def child(protocol: ProtocolId, *transforms: Transform) -> Proposal:
    return Proposal(1, protocol, b"spi!", transforms)


def test_an_ike_suite_is_the_chosen_transforms() -> None:
    """(RFC 7296 section 3.3.3)"""
    suite = IkeSuite.from_proposal(ike(GCM, SHA256, X25519))
    assert suite == IkeSuite(
        Encr.AES_GCM_16,
        128,
        Integ.NONE,
        iana.Prf.HMAC_SHA2_256,
        KeyExchangeMethod.CURVE25519,
    )
    assert str(suite) == "AES_GCM_16_128/PRF_HMAC_SHA2_256/CURVE_25519"
    assert suite.cipher.is_aead
    assert suite.prf_function.output_octets == 32
    assert IkeSuite.from_proposal(ike(X25519, SHA256, GCM, NO_INTEG)) is suite


def test_an_ike_suite_of_encryption_and_integrity_names_both() -> None:
    suite = IkeSuite.from_proposal(ike(CBC, SHA256, HMAC, X25519))
    assert str(suite) == "AES_CBC_256/HMAC_SHA2_256_128/PRF_HMAC_SHA2_256/CURVE_25519"


def test_a_child_suite_of_esp_needs_no_key_exchange() -> None:
    suite = ChildSuite.from_proposal(child(ProtocolId.ESP, GCM, NO_ESN))
    assert (suite.ke, suite.esn, suite.integ) == (KeyExchangeMethod.NONE, False, Integ.NONE)
    assert (suite.encr_key_octets, suite.integ_key_octets, suite.icv_octets) == (20, 0, 16)
    assert str(suite) == "ESP:AES_GCM_16_128/NO_ESN"
    assert ChildSuite.from_proposal(child(ProtocolId.ESP, GCM, NO_KE, NO_ESN)) is suite


def test_a_child_suite_with_pfs_and_extended_sequence_numbers() -> None:
    suite = ChildSuite.from_proposal(child(ProtocolId.ESP, CBC, HMAC, X25519, ESN))
    assert suite.esn
    assert str(suite) == "ESP:AES_CBC_256/HMAC_SHA2_256_128/CURVE_25519/ESN"


def test_ah_has_integrity_alone() -> None:
    suite = ChildSuite.from_proposal(child(ProtocolId.AH, HMAC, ESN))
    assert (suite.encr, suite.encr_key_octets, suite.integ_key_octets) == (Encr.NULL, 0, 32)
    assert str(suite) == "AH:HMAC_SHA2_256_128/ESN"


@pytest.mark.parametrize(
    "transforms",
    [
        (),
        (SHA256, X25519),
        (GCM, X25519),
        (GCM, SHA256),
        (GCM, SHA256, NO_KE),
        (GCM, HMAC, SHA256, X25519),
        (CBC, SHA256, X25519),
        (CBC, NO_INTEG, SHA256, X25519),
        (GCM, GCM, SHA256, X25519),
        (GCM, SHA256, X25519, ESN),
        (Transform(TransformType.ENCR, Encr.AES_GCM_16, None), SHA256, X25519),
        (Transform(TransformType.ENCR, Encr.NULL_AUTH_AES_GMAC, 128), SHA256, X25519),
        (Transform(TransformType.ENCR, Encr.NULL, None), HMAC, SHA256, X25519),
    ],
)
def test_a_choice_that_makes_no_ike_suite_is_refused(transforms: tuple[Transform, ...]) -> None:
    with pytest.raises(NoProposalChosen):
        IkeSuite.from_proposal(ike(*transforms))


@pytest.mark.parametrize(
    ("protocol", "transforms"),
    [
        (ProtocolId.ESP, (HMAC, NO_ESN)),
        (ProtocolId.ESP, (CBC, NO_ESN)),
        (ProtocolId.ESP, (GCM, SHA256, NO_ESN)),
        (ProtocolId.AH, (NO_ESN,)),
        (ProtocolId.AH, (GCM, NO_ESN)),
        (ProtocolId.IKE, (GCM, SHA256, X25519)),
        (ProtocolId(77), (GCM, NO_ESN)),
    ],
)
def test_a_choice_that_makes_no_child_suite_is_refused(
    protocol: ProtocolId, transforms: tuple[Transform, ...]
) -> None:
    with pytest.raises(NoProposalChosen):
        ChildSuite.from_proposal(child(protocol, *transforms))


def test_a_proposal_of_another_protocol_makes_no_ike_suite() -> None:
    with pytest.raises(NoProposalChosen, match="wrong place"):
        IkeSuite.from_proposal(child(ProtocolId.ESP, GCM, SHA256, X25519))


def test_a_suite_cannot_be_made_of_what_is_not_here() -> None:
    with pytest.raises(UnsupportedAlgorithm):
        IkeSuite(
            Encr.BLOWFISH, 128, Integ.HMAC_SHA1_96, iana.Prf.HMAC_SHA1, KeyExchangeMethod.ECP_256
        )
    with pytest.raises(UnsupportedAlgorithm):
        ChildSuite(
            ProtocolId.ESP, Encr.AES_GCM_16, 128, Integ.NONE, KeyExchangeMethod.ECP_192, esn=False
        )
    with pytest.raises(UnsupportedAlgorithm, match="no Child SA"):
        ChildSuite(
            ProtocolId.IKE, Encr.AES_GCM_16, 128, Integ.NONE, KeyExchangeMethod.NONE, esn=False
        )


@pytest.mark.parametrize(
    "transform", [GCM, CBC, SHA256, HMAC, NO_INTEG, X25519, NO_KE, ESN, NO_ESN]
)
def test_what_is_here_is_supported(transform: Transform) -> None:
    assert supported(transform)


@pytest.mark.parametrize(
    ("type_", "id_", "key_length"),
    [
        (TransformType.ENCR, Encr.AES_GCM_16, None),
        (TransformType.ENCR, Encr.AES_GCM_16, 127),
        (TransformType.ENCR, Encr.CHACHA20_POLY1305, 256),
        (TransformType.ENCR, Encr.CAMELLIA_CBC, 128),
        (TransformType.ENCR, Encr(1024), None),
        (TransformType.PRF, iana.Prf.HMAC_TIGER, None),
        (TransformType.PRF, iana.Prf.HMAC_SHA1, 160),
        (TransformType.INTEG, Integ.DES_MAC, None),
        (TransformType.INTEG, Integ.HMAC_SHA1_96, 160),
        (TransformType.INTEG, Integ.NONE, 0),
        (TransformType.KE, KeyExchangeMethod.MODP_768, None),
        (TransformType.KE, KeyExchangeMethod.CURVE25519, 256),
        (TransformType.ESN, Esn.UNSPECIFIED_32, None),
        (TransformType.ESN, Esn.ESN, 64),
        (TransformType.ADDKE1, KeyExchangeMethod.ML_KEM_768, None),
        (TransformType(99), 1, None),
    ],
)
def test_what_is_not_here_is_not_supported(
    type_: TransformType, id_: int, key_length: int | None
) -> None:
    """(RFC 7296 section 3.3.5)"""
    assert not supported(Transform(type_, id_, key_length))


def test_an_attribute_we_do_not_know_makes_a_transform_unacceptable() -> None:
    """(RFC 7296 section 3.3.6)"""
    attributes = (Attribute(TransformAttribute(99), 1),)
    assert not supported(Transform(TransformType.ENCR, Encr.AES_GCM_16, 128, attributes))
