"""Finite-field Diffie-Hellman: both libraries agree, and bad public values are refused."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ikeactors.crypto import modp
from ikeactors.crypto.modp import (
    Modp,
    Power,
    choose_backend,
    modp_for,
    power_by_cryptography,
    power_by_gmpy2,
)
from ikeactors.crypto.modp_groups import Group, group_for, group_methods
from ikeactors.errors import InvalidKeyExchange, UnsupportedAlgorithm
from ikeactors.iana import KeyExchangeMethod
from tests.crypto.published import named_vectors

BACKENDS = (power_by_cryptography, power_by_gmpy2)
SMALL = (KeyExchangeMethod.MODP_1024_160, KeyExchangeMethod.MODP_2048_224)


def group_of(method: KeyExchangeMethod) -> Group:
    group = group_for(method)
    assert group is not None
    return group


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize(("name", "vector"), named_vectors("modp.toml"))
def test_the_groups_with_subgroups_give_the_published_exchanges(
    name: str, vector: dict[str, bytes], backend: Power
) -> None:
    """(RFC 5114 appendix A)"""
    method = modp_for(group_of(KeyExchangeMethod[name]), backend)

    def seed(secret: bytes) -> bytes:
        return (int.from_bytes(secret, "big") - 1).to_bytes(method.secret_octets, "big")

    initiator = method.generate(seed(vector["secret_i"]))
    responder = method.generate(seed(vector["secret_r"]))
    assert initiator.public == vector["public_i"]
    assert responder.public == vector["public_r"]
    assert initiator.exchange(responder.public) == vector["shared"]
    assert responder.exchange(initiator.public) == vector["shared"]


@pytest.mark.parametrize("method", sorted(group_methods()), ids=lambda method: method.name)
def test_both_libraries_reckon_alike(method: KeyExchangeMethod) -> None:
    group = group_of(method)
    ours = [Modp(group, backend) for backend in BACKENDS]
    seed = bytes(range(1, ours[0].secret_octets + 1))
    first, second = (one.generate(seed) for one in ours)
    assert first.public == second.public
    peer = ours[1].generate(bytes(reversed(seed)))
    assert first.exchange(peer.public) == second.exchange(peer.public)


@given(exponent=st.integers(2, 2**256), base_exponent=st.integers(2, 2**64))
@settings(max_examples=25)
def test_both_libraries_are_a_power_modulo_the_prime(exponent: int, base_exponent: int) -> None:
    group = group_of(KeyExchangeMethod.MODP_2048)
    base = pow(group.generator, base_exponent, group.prime)
    expected = pow(base, exponent, group.prime)
    assert [backend(group, base, exponent) for backend in BACKENDS] == [expected, expected]


@pytest.mark.parametrize("method", sorted(group_methods()), ids=lambda method: method.name)
def test_public_values_out_of_range_are_refused(method: KeyExchangeMethod) -> None:
    """(RFC 6989 section 2.1)"""
    group = group_of(method)
    key = Modp(group, power_by_gmpy2).generate(bytes(Modp(group, power_by_gmpy2).secret_octets))
    for value in (0, 1, group.prime - 1, group.prime, group.prime + 1):
        with pytest.raises(InvalidKeyExchange, match="range"):
            key.exchange(value.to_bytes(group.octets, "big"))
    with pytest.raises(InvalidKeyExchange, match="range"):
        key.exchange(b"\xff" * group.octets)


@pytest.mark.parametrize("method", SMALL, ids=lambda method: method.name)
def test_public_values_outside_the_subgroup_are_refused(method: KeyExchangeMethod) -> None:
    """(RFC 6989 section 2.2)"""
    group = group_of(method)
    ours = modp_for(group)
    key = ours.generate(bytes(range(ours.secret_octets)))
    with pytest.raises(InvalidKeyExchange, match="subgroup"):
        key.exchange((2).to_bytes(group.octets, "big"))


def test_a_short_shared_secret_is_padded_on_the_left() -> None:
    """(RFC 7296 section 2.14)"""

    def small(group: Group, base: int, exponent: int) -> int:
        return 5

    ours = modp_for(group_of(KeyExchangeMethod.MODP_2048), small)
    key = ours.generate(bytes(ours.secret_octets))
    assert key.public == key.exchange(bytes(255) + b"\x02") == bytes(255) + b"\x05"


def test_without_a_library_the_groups_are_unsupported() -> None:
    with pytest.raises(UnsupportedAlgorithm, match="install the extra modp"):
        modp_for(group_of(KeyExchangeMethod.MODP_2048), None)


def test_gmpy2_stands_in_where_cryptography_has_dropped_the_groups() -> None:
    assert choose_backend(has_cryptography=True, has_gmpy2=True) is power_by_cryptography
    assert choose_backend(has_cryptography=False, has_gmpy2=True) is power_by_gmpy2
    assert choose_backend(has_cryptography=False, has_gmpy2=False) is None
    assert modp.BACKEND is power_by_cryptography


def test_large_groups_are_slow() -> None:
    slow = {int(method) for method in group_methods() if modp_for(group_of(method)).is_slow}
    assert slow == {2, 15, 16, 17, 18}
