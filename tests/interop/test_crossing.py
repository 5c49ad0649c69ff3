"""Both ends of ikeactors and strongSwan ask at the same time, and their requests truly cross."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.lab import crossing
from tests.lab.crossing import Crossing
from tests.lab.striking import FALLING, RISING

PAIRS = [
    pytest.param((kinds, nonces), id=f"{'-'.join(kinds)}-{nonces}")
    for kinds in (("ordered", "strongswan"), ("strongswan", "ordered"))
    for nonces in (RISING, FALLING)
]

pytestmark = [pytest.mark.interop, pytest.mark.parametrize("crossed", PAIRS, indirect=True)]


@pytest.fixture(scope="module")
def crossed(request: pytest.FixtureRequest) -> Iterator[Crossing]:
    """A pair on a slow link; with rising nonces ours is the redundant one, with falling theirs."""
    kinds, nonces = request.param
    with crossing.crossing(kinds, nonces) as made:
        yield made


@pytest.mark.parametrize("asks", crossing.BOTH_REKEY, ids="-".join)
def test_rekeys_that_cross_leave_one_of_each(crossed: Crossing, asks: tuple[str, str]) -> None:
    """(RFC 7296 sections 2.8.1 and 2.8.2)"""
    crossing.expect_both_rekey(crossed, asks)


@pytest.mark.parametrize("asks", crossing.ONE_CREATES, ids="-".join)
def test_a_creation_that_crosses_leaves_both_ends_of_one_mind(
    crossed: Crossing, asks: tuple[str, str]
) -> None:
    """(RFC 7296 section 2.25)"""
    crossing.expect_one_creates(crossed, asks)


@pytest.mark.parametrize("asks", crossing.ONE_DELETES, ids="-".join)
def test_a_deletion_that_crosses_leaves_both_ends_of_one_mind(
    crossed: Crossing, asks: tuple[str, str]
) -> None:
    """(RFC 7296 section 2.25.1)"""
    crossing.expect_one_deletes(crossed, asks)


@pytest.mark.parametrize("asks", crossing.IKE_SA_GOES, ids="-".join)
def test_an_ike_sa_whose_deletion_crosses_goes(crossed: Crossing, asks: tuple[str, str]) -> None:
    """(RFC 7296 section 2.25.2)"""
    crossing.expect_the_ike_sa_goes(crossed, asks)
