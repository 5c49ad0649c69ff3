import pytest
from hypothesis import given
from hypothesis import strategies as st

from ikeactors.config.keywords import KEYWORDS, OPT_IN, PRF_OF_INTEGRITY, is_weak
from ikeactors.config.mistakes import Refused
from ikeactors.config.proposals import esp_proposals, ike_proposals, templates
from ikeactors.crypto.ciphers import ESP_ONLY_ENCR, is_aead
from ikeactors.crypto.suite import ChildSuite, IkeSuite, supported
from ikeactors.iana import Encr, ProtocolId, TransformType
from ikeactors.wire.proposals import Proposal

GOOD_IKE = [
    ("aes128-sha256-x25519", "IKE:AES_CBC-128/HMAC_SHA2_256_128/PRF_HMAC_SHA2_256/CURVE25519"),
    ("aes-sha-modp2048", "IKE:AES_CBC-128/HMAC_SHA1_96/PRF_HMAC_SHA1/MODP_2048"),
    ("aes256gcm-prfsha384-ecp384", "IKE:AES_GCM_16-256/PRF_HMAC_SHA2_384/ECP_384"),
    ("ecp384-prfsha384-aes256gcm128", "IKE:AES_GCM_16-256/PRF_HMAC_SHA2_384/ECP_384"),
    (
        "aes192ctr-aesxcbc-prfsha256-curve448",
        "IKE:AES_CTR-192/AES_XCBC_96/PRF_HMAC_SHA2_256/CURVE448",
    ),
    (
        "aes256-aes128-sha512-sha256-ecp256bp",
        "IKE:AES_CBC-256/AES_CBC-128/HMAC_SHA2_512_256/HMAC_SHA2_256_128"
        "/PRF_HMAC_SHA2_512/PRF_HMAC_SHA2_256/BRAINPOOL_256",
    ),
]

GOOD_ESP = [
    ("aes128gcm16", "ESP:AES_GCM_16-128/NO_ESN"),
    ("chacha20poly1305-x25519", "ESP:CHACHA20_POLY1305/CURVE25519/NO_ESN"),
    ("aes256-sha2_256-esn", "ESP:AES_CBC-256/HMAC_SHA2_256_128/ESN"),
    ("aes256ccm64-esn-noesn", "ESP:AES_CCM_8-256/ESN/NO_ESN"),
    ("null-sha256", "ESP:NULL/HMAC_SHA2_256_128/NO_ESN"),
    ("aes128gmac", "ESP:NULL_AUTH_AES_GMAC-128/NO_ESN"),
]

MIXED = "AEAD ciphers and others may not be mixed: write two proposals"

BAD_IKE = [
    ("aes129-sha256-x25519", [("aes129", "unknown keyword; nearest: aes192")]),
    ("aes128-shaa256-x2551", [("shaa256", "unknown keyword; nearest: sha256")]),
    ("aes128--x25519", [("aes128--x25519", "a keyword is missing")]),
    ("", [("", "a keyword is missing")]),
    ("default-x25519", [("default", '"default" stands alone')]),
    ("aes128-aes-sha256-x25519", [(..., "aes is given twice")]),
    ("aes128-sha256", [(..., "no key exchange method: add one, x25519 for example")]),
    ("aes128-x25519", [(..., "no integrity algorithm: add one, sha256 for example")]),
    ("sha256-x25519", [(..., "no encryption algorithm: add one, aes256gcm16 for example")]),
    ("aes128gcm16-x25519", [(..., "an AEAD cipher needs a PRF: add one, prfsha256 for example")]),
    ("aes128gcm16-aes128-prfsha256-x25519", [(..., MIXED)]),
    (
        "aes128gcm16-sha256-prfsha256-x25519",
        [(..., "an AEAD cipher takes no integrity algorithm: remove it")],
    ),
    ("null-sha256-x25519", [(..., "null and gmac are for ESP only: they do not encrypt")]),
    ("aes128-sha256-x25519-esn", [(..., "esn and noesn are for ESP only")]),
]

BAD_ESP = [
    ("aes128gcm16-prfsha256", [(..., "a PRF is for IKE only: remove it")]),
    ("aes128", [(..., "no integrity algorithm: add one, sha256 for example")]),
    ("x25519", [(..., "no encryption algorithm: add one, aes256gcm16 for example")]),
    ("aes128gcm16-chacha20", [("chacha20", "unknown keyword; nearest: chacha20poly1305")]),
]


@pytest.mark.parametrize(("text", "expected"), GOOD_IKE)
def test_an_ike_proposal_is_its_keywords(text, expected):
    (proposal,) = templates(ProtocolId.IKE, ike_proposals(text))
    assert str(proposal) == expected
    assert (proposal.number, proposal.spi) == (1, b"")


@pytest.mark.parametrize(("text", "expected"), GOOD_ESP)
def test_an_esp_proposal_is_its_keywords(text, expected):
    (proposal,) = templates(ProtocolId.ESP, esp_proposals(text))
    assert str(proposal) == expected


@pytest.mark.parametrize(("text", "complaints"), BAD_IKE)
def test_a_wrong_ike_proposal_is_told_what_would_be_right(text, complaints):
    with pytest.raises(Refused) as caught:
        ike_proposals(text)
    expected = [(text if value is ... else value, message) for value, message in complaints]
    assert list(caught.value.complaints[: len(expected)]) == expected


@pytest.mark.parametrize(("text", "complaints"), BAD_ESP)
def test_a_wrong_esp_proposal_is_told_what_would_be_right(text, complaints):
    with pytest.raises(Refused) as caught:
        esp_proposals(text)
    expected = [(text if value is ... else value, message) for value, message in complaints]
    assert list(caught.value.complaints) == expected


def test_the_defaults_are_numbered_aead_first_and_offer_both_sequence_numbers():
    ike = templates(ProtocolId.IKE, ike_proposals("default"))
    esp = templates(ProtocolId.ESP, esp_proposals("default"))
    assert [proposal.number for proposal in ike] == [proposal.number for proposal in esp] == [1, 2]
    assert not ike[0].of_type(TransformType.INTEG)
    assert not any(proposal.of_type(TransformType.KE) for proposal in esp)
    assert all(len(proposal.of_type(TransformType.ESN)) == 2 for proposal in esp)


def test_the_defaults_are_not_weak():
    assert not any(one.weak for one in (*ike_proposals("default"), *esp_proposals("default")))


def test_what_is_opt_in_is_weak_by_its_keyword():
    (proposal,) = ike_proposals("3des-aes128-md5-sha256-modp1024-x25519")
    assert proposal.weak == ("3des", "md5", "modp1024")


def test_every_keyword_is_an_algorithm_of_this_build():
    assert all(map(supported, KEYWORDS.values()))


def test_every_opt_in_algorithm_is_refused_without_being_asked_for():
    for kind, numbers in OPT_IN.items():
        rows = [row for row in KEYWORDS.values() if row.type == kind and row.id in numbers]
        assert all(map(is_weak, rows))


def keywords(kind: TransformType, size: int = 3) -> st.SearchStrategy[list[str]]:
    known = [name for name, row in KEYWORDS.items() if row.type == kind]
    return st.lists(
        st.sampled_from(known), min_size=1, max_size=size, unique_by=lambda name: KEYWORDS[name]
    )


def chosen(proposal: Proposal) -> Proposal:
    """The first transform of each type, as a peer with our own taste would choose."""
    first = {transform.type: transform for transform in reversed(proposal.transforms)}
    return Proposal(1, proposal.protocol, bytes(4), tuple(first.values()))


ciphers = keywords(TransformType.ENCR)
groups = keywords(TransformType.KE)


def with_integrity(words: list[str], integrities: list[str]) -> list[str]:
    return [] if is_aead(Encr(KEYWORDS[words[0]].id)) else integrities


def of_one_kind(words: list[str]) -> bool:
    return len({is_aead(Encr(KEYWORDS[word].id)) for word in words}) == 1


@given(
    ciphers.filter(of_one_kind).filter(
        lambda words: all(KEYWORDS[word].id not in ESP_ONLY_ENCR for word in words)
    ),
    keywords(TransformType.INTEG),
    keywords(TransformType.PRF),
    groups,
    st.booleans(),
)
def test_every_sound_ike_proposal_makes_a_suite(encr, integ, prf, ke, wants_prf):
    integrities = with_integrity(encr, integ)
    words = [*encr, *integrities, *(prf if wants_prf or not integrities else []), *ke]
    (written,) = ike_proposals("-".join(words))
    if not wants_prf and integrities:
        prfs = [one.id for one in written.transforms if one.type == TransformType.PRF]
        assert prfs == [PRF_OF_INTEGRITY[KEYWORDS[word].id] for word in integrities]
    else:
        assert list(written.transforms) == [KEYWORDS[word] for word in words]
    (template,) = templates(ProtocolId.IKE, (written,))
    assert IkeSuite.from_proposal(chosen(template))


@given(ciphers.filter(of_one_kind), keywords(TransformType.INTEG), groups, st.booleans())
def test_every_sound_esp_proposal_makes_a_suite(encr, integ, ke, wants_ke):
    words = [*encr, *with_integrity(encr, integ), *(ke if wants_ke else [])]
    (written,) = esp_proposals("-".join(words))
    assert list(written.transforms) == [KEYWORDS[word] for word in (*words, "noesn")]
    (template,) = templates(ProtocolId.ESP, (written,))
    assert ChildSuite.from_proposal(chosen(template))


@given(st.text(), st.lists(st.sampled_from(sorted(KEYWORDS))).map("-".join))
def test_whatever_is_written_is_a_proposal_or_refused(text, words):
    for given_text in (text, words, f"{words}-{text}"):
        for parse in (ike_proposals, esp_proposals):
            try:
                parse(given_text)
            except Refused as refused:
                assert refused.complaints
