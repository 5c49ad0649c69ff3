import pytest

from ikeactors.config.identities import (
    ANYBODY,
    identity,
    identity_pattern,
    identity_patterns,
    may_be,
)
from ikeactors.config.mistakes import Refused
from ikeactors.iana import IdType
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
