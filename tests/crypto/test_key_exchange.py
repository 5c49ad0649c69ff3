"""What holds for every key exchange method."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ikeactors.crypto.key_exchange import OPT_IN_KE, Method, key_exchange_for
from ikeactors.errors import InvalidKeyExchange, UnsupportedAlgorithm
from ikeactors.iana import KeyExchangeMethod

PUBLIC_OCTETS = {
    2: 128, 5: 192, 14: 256, 15: 384, 16: 512, 17: 768, 18: 1024, 19: 64, 20: 96, 21: 132,
    22: 128, 23: 256, 24: 256, 28: 64, 29: 96, 30: 128, 31: 32, 32: 56,
}  # fmt: skip
METHODS = [key_exchange_for(KeyExchangeMethod(number)) for number in PUBLIC_OCTETS]
QUICK = [method for method in METHODS if not method.is_slow]


def seed(method: Method, start: int) -> bytes:
    return bytes((start + at * 31) % 256 for at in range(method.secret_octets))


@pytest.mark.parametrize("method", METHODS, ids=lambda method: method.id.name)
def test_both_ends_agree_and_a_seed_makes_one_key(method: Method) -> None:
    initiator, responder = method.generate(seed(method, 1)), method.generate(seed(method, 2))
    assert method.generate(seed(method, 1)).public == initiator.public != responder.public
    shared = initiator.exchange(responder.public)
    assert shared == responder.exchange(initiator.public)
    assert any(shared)


@pytest.mark.parametrize("method", QUICK, ids=lambda method: method.id.name)
@given(data=st.data())
@settings(max_examples=10)
def test_both_ends_agree_whatever_the_seeds(method: Method, data: st.DataObject) -> None:
    size = method.secret_octets
    ours, theirs = (
        method.generate(data.draw(st.binary(min_size=size, max_size=size))) for _ in range(2)
    )
    assert len(ours.public) == method.public_octets
    assert ours.exchange(theirs.public) == theirs.exchange(ours.public)


@pytest.mark.parametrize("method", METHODS, ids=lambda method: method.id.name)
def test_a_public_value_of_another_length_is_refused(method: Method) -> None:
    key = method.generate(seed(method, 1))
    for bad in (b"", key.public[:-1], key.public + b"\0", b"\0" + key.public):
        with pytest.raises(InvalidKeyExchange, match="length"):
            key.exchange(bad)


@pytest.mark.parametrize("method", METHODS, ids=lambda method: method.id.name)
def test_public_values_have_the_length_of_their_rfc(method: Method) -> None:
    assert method.public_octets == PUBLIC_OCTETS[method.id]
    assert len(method.generate(seed(method, 3)).public) == method.public_octets


@pytest.mark.parametrize("method", METHODS, ids=lambda method: method.id.name)
def test_a_private_key_does_not_show_itself(method: Method) -> None:
    octets = bytes(method.secret_octets - 2) + b"\x12\x34"
    printed = repr(method.generate(octets))
    assert "4661" not in printed
    assert "object at" not in printed


def test_what_is_worth_a_worker() -> None:
    slow = {int(method.id) for method in METHODS if method.is_slow}
    assert slow == {2, 15, 16, 17, 18, 20, 21, 29, 30}


@pytest.mark.parametrize("number", [0, 1, 25, 26, 27, 36, 1024])
def test_other_methods_are_unsupported(number: int) -> None:
    with pytest.raises(UnsupportedAlgorithm, match="key exchange"):
        key_exchange_for(KeyExchangeMethod(number))


def test_the_weak_groups_are_opt_in() -> None:
    """(RFC 8247 section 2.4)"""
    assert {int(method) for method in OPT_IN_KE} == {2, 5, 22, 23, 24}
