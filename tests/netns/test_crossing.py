"""Both ends ask at the same time, and their requests truly cross."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.lab import crossing
from tests.lab.crossing import Crossing
from tests.lab.striking import RISING

pytestmark = pytest.mark.netns


@pytest.fixture(scope="module")
def crossed() -> Iterator[Crossing]:
    """A pair on a slow link; where both rekey, what the west has made is redundant."""
    with crossing.crossing(("ordered", "ikeactors"), RISING) as made:
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
