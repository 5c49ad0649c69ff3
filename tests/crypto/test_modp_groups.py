"""The groups' numbers against their RFCs."""

from __future__ import annotations

import pytest

from ikeactors.crypto.modp_groups import group_for, group_methods
from ikeactors.iana import KeyExchangeMethod
from tests.crypto.published import named_vectors

SAFE = (2, 5, 14, 15, 16, 17, 18)
SMALL = (22, 23, 24)

# What RFC 7919 asks of private exponents for primes of these sizes.
LEAST_EXPONENT_BITS = {14: 225, 15: 275, 16: 325, 17: 375, 18: 400}


@pytest.mark.parametrize(("name", "vector"), named_vectors("modp-primes.toml"))
def test_the_formula_gives_the_published_primes(name: str, vector: dict[str, bytes]) -> None:
    """(RFC 3526 section 2)"""
    group = group_for(KeyExchangeMethod[name])
    assert group is not None
    assert group.prime.to_bytes(group.octets, "big") == vector["prime"]


@pytest.mark.parametrize("number", [2, 5, 14])
def test_safe_primes_are_prime_and_so_are_their_halves(number: int) -> None:
    """(RFC 2409 section 6.2)"""
    group = group_for(KeyExchangeMethod(number))
    assert group is not None
    for value in (group.prime, group.prime >> 1):
        assert pow(2, value - 1, value) == 1
    assert group.subgroup_order is None
    assert pow(group.generator, group.prime >> 1, group.prime) == 1


@pytest.mark.parametrize("number", SMALL)
def test_small_subgroups_have_the_order_they_say(number: int) -> None:
    """(RFC 5114 section 2)"""
    group = group_for(KeyExchangeMethod(number))
    assert group is not None
    assert group.subgroup_order is not None
    assert pow(group.generator, group.subgroup_order, group.prime) == 1
    assert (group.prime - 1) % group.subgroup_order == 0
    for value in (group.prime, group.subgroup_order):
        assert pow(2, value - 1, value) == 1


@pytest.mark.parametrize(("number", "bits"), LEAST_EXPONENT_BITS.items())
def test_private_exponents_are_long_enough(number: int, bits: int) -> None:
    group = group_for(KeyExchangeMethod(number))
    assert group is not None
    assert group.exponent_bits >= bits


def test_there_are_these_groups_and_no_other() -> None:
    assert {int(method) for method in group_methods()} == {*SAFE, *SMALL}
    assert group_for(KeyExchangeMethod.MODP_768) is None
    assert group_for(KeyExchangeMethod.ECP_256) is None
