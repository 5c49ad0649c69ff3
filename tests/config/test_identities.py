import pytest

from ikeactors.config.identities import (
    ANYBODY,
    identity,
    identity_pattern,
    identity_patterns,
    matching_by,
    may_be,
    own_identity,
)
from ikeactors.config.mistakes import Refused
from ikeactors.iana import IdType
from ikeactors.protocol.name_patterns import RdnMatching
from ikeactors.protocol.settings import IdentityPattern
from ikeactors.wire.identities import Identity

FORM = 'a pattern begins with "*." or "*@": "*.example.org", "*@example.org"'


def exactly(text: str) -> IdentityPattern:
    return IdentityPattern(Identity.from_text(text))


def test_an_identity_is_one():
    assert identity("a.lab") == identity_pattern("a.lab") == exactly("a.lab")
    assert identity("192.0.2.1").identity == Identity(IdType.IPV4_ADDR, b"\xc0\x00\x02\x01")
    assert identity("%any") == identity_pattern("%any") == ANYBODY


def test_a_pattern_keeps_what_follows_the_asterisk():
    domain = Identity(IdType.FQDN, b".example.org")
    assert identity_pattern("*.example.org") == IdentityPattern(None, domain)
    mail = Identity(IdType.RFC822_ADDR, b"@example.org")
    assert identity_pattern("*@example.org") == IdentityPattern(None, mail)


def test_an_asterisk_in_a_distinguished_name_or_a_key_id_is_a_character():
    assert identity_pattern("keyid:a*b").identity == Identity(IdType.KEY_ID, b"a*b")
    assert identity_pattern("CN=*.example.org").identity is not None


@pytest.mark.parametrize("text", ["C=CH, O=x, CN=*", "asn1dn:CN=*"])
def test_an_asterisk_alone_stands_for_any_value_of_a_distinguished_name(text):
    pattern = identity_pattern(text)
    assert pattern.identity is None
    assert pattern.quality(Identity.from_text(text.replace("*", "anybody"))) == 2
    with pytest.raises(Refused, match="without an asterisk for a value"):
        identity(text)


@pytest.mark.parametrize(
    ("text", "inside", "outside"),
    [
        ("192.0.2.0/24", "192.0.2.9", "192.0.3.0"),
        ("192.0.2.1-192.0.2.9", "192.0.2.9", "192.0.2.10"),
        ("2001:db8::/64", "2001:db8::7", "2001:db8:0:1::"),
    ],
)
def test_networks_and_ranges_stand_for_their_addresses(text, inside, outside):
    pattern = identity_pattern(text)
    assert pattern.quality(Identity.from_text(inside)) == 2
    assert pattern.quality(Identity.from_text(outside)) == 0
    assert pattern.quality(Identity.from_text("a.lab")) == 0


@pytest.mark.parametrize("text", ["192.0.2.9-192.0.2.1", "192.0.2.0/33", "192.0.2.0/24,x"])
def test_networks_that_are_none_are_refused(text):
    with pytest.raises(Refused):
        identity_pattern(text)


def test_the_order_of_relative_names_is_left_open():
    pattern = matching_by(exactly("C=CH, O=x"), RdnMatching.REORDERED)
    assert pattern.quality(Identity.from_text("O=x, C=CH")) == 2
    wild = matching_by(identity_pattern("O=x, CN=*"), RdnMatching.RELAXED)
    assert wild.quality(Identity.from_text("C=CH, CN=a, O=x")) == 2
    assert matching_by(exactly("a.lab"), RdnMatching.STRICT) == exactly("a.lab")
    with pytest.raises(Refused, match="is for a name with ="):
        matching_by(exactly("a.lab"), RdnMatching.RELAXED)


def test_we_are_no_general_name():
    """(RFC 4945 section 3.1.6)"""
    with pytest.raises(Refused, match=r"write a\.lab"):
        own_identity("asn1gn:a.lab")
    assert own_identity("a.lab") == exactly("a.lab")


@pytest.mark.parametrize("text", ["gw*.example.org", "*", "*.", "*.*.org", "*@\xe4.org"])
def test_other_patterns_are_refused(text):
    with pytest.raises(Refused) as caught:
        identity_pattern(text)
    assert caught.value.complaints == ((text, FORM),)


def test_our_own_identity_is_no_pattern():
    with pytest.raises(Refused, match="one identity expected, without an asterisk"):
        identity("*.example.org")


def test_what_is_no_identity_is_refused_once():
    with pytest.raises(Refused) as caught:
        identity("ipv4:nonsense")
    ((value, message),) = caught.value.complaints
    assert value == "ipv4:nonsense"
    assert message
    assert not message.startswith("'ipv4:nonsense'")


@pytest.mark.parametrize(
    ("value", "several"),
    [
        ("a.lab, *.org", ("a.lab", "*.org")),
        (["a.lab", "C=DE, O=x"], ("a.lab", "C=DE, O=x")),
        ("C=DE, O=x", ("C=DE, O=x",)),
        ("keyid:a,b", ("keyid:a,b",)),
        ("%any", ("%any",)),
    ],
)
def test_several_are_a_list_or_one_text_with_commas(value, several):
    assert identity_patterns(value) == tuple(map(identity_pattern, several))


def test_commas_that_could_be_of_either_kind_are_refused():
    with pytest.raises(Refused, match="write a list"):
        identity_patterns("a.lab, C=DE, O=x")


def test_one_identity_has_no_comma():
    with pytest.raises(Refused, match="one identity expected, without a comma"):
        identity("a.lab, b.lab")


@pytest.mark.parametrize(
    ("owner", "peer", "possible"),
    [
        ("a.lab", "a.lab", True),
        ("A.lab", "a.LAB", True),
        ("a.lab", "b.lab", False),
        ("*.lab", "b.lab", True),
        ("*.lab", "b.org", False),
        ("a.lab", "*.lab", True),
        ("a.lab", "*.org", False),
        ("%any", "b.lab", True),
        ("a.lab", "%any", True),
        ("*.lab", "%any", True),
        ("%any", "*.lab", True),
        ("*.lab", "*.site.lab", True),
        ("*.site.lab", "*.lab", True),
        ("*.lab", "*.org", False),
        ("*.lab", "*@lab", False),
    ],
)
def test_an_owner_may_be_the_peer_if_some_identity_is_both(owner, peer, possible):
    assert may_be(identity_pattern(owner), identity_pattern(peer)) is possible
