"""Which group our KE payload has, and how the peer may correct it."""

from __future__ import annotations

from ikeactors.iana import KeyExchangeMethod
from ikeactors.protocol.ikev2.groups import (
    MAX_GROUPS,
    GroupChoice,
    group_of,
    is_slow,
    offered_groups,
    private_key,
)
from tests.pair import SeededEntropy, esp, ike
from tests.protocol.forging import initiated

X25519, ECP_256 = KeyExchangeMethod.CURVE25519, KeyExchangeMethod.ECP_256
OFFER = ike("aes128-sha256-x25519-ecp256-ecp384-ecp521-modp2048")


def test_groups_are_offered_in_the_order_of_preference() -> None:
    assert offered_groups(OFFER)[:2] == [X25519, ECP_256]
    assert offered_groups(esp("aes128gcm16")) == []


def test_a_group_is_corrected_to_one_that_was_offered_and_is_new() -> None:
    """D2"""
    choice = GroupChoice(X25519)
    for data in (b"", b"\0", b"\0\x1f", b"\0\0", b"\4\1", b"\0\x0f", b"\0\0\x13"):
        assert not choice.corrected(data, OFFER)
        assert choice.method is X25519
    assert choice.corrected(b"\0\x13", OFFER)
    assert choice.method is ECP_256
    assert not choice.corrected(b"\0\x13", OFFER)
    assert not choice.corrected(b"\0\x1f", OFFER)


def test_corrections_end() -> None:
    """D2"""
    choice = GroupChoice(X25519)
    corrected = [choice.corrected(bytes((0, number)), OFFER) for number in (19, 20, 21, 14)]
    assert corrected.count(True) == MAX_GROUPS


def test_private_keys_are_never_used_twice() -> None:
    """D10"""
    entropy = SeededEntropy("groups")
    assert private_key(entropy, X25519).public != private_key(entropy, X25519).public


def test_the_group_of_a_message_in_clear_is_found() -> None:
    octets = initiated().flights[0].datagram.octets
    assert group_of(octets) is X25519
    assert group_of(octets[:40]) is KeyExchangeMethod.NONE
    assert group_of(b"") is KeyExchangeMethod.NONE


def test_only_the_slow_groups_are_worth_a_worker() -> None:
    assert not is_slow(X25519)
    assert is_slow(KeyExchangeMethod.MODP_4096)
    assert not is_slow(KeyExchangeMethod.NONE)
    assert not is_slow(KeyExchangeMethod(1025))
