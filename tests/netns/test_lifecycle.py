"""The life of a tunnel between two ikeactors daemons, over either IP version and through a NAT."""

from __future__ import annotations

import pytest

from tests.lab import expectations
from tests.lab.pair import SIDES, Pair
from tests.lab.tunnels import CHILD

pytestmark = pytest.mark.netns


def test_pings_of_both_families_pass_both_ways(pair: Pair) -> None:
    expectations.expect_counted_traffic(pair)


@pytest.mark.parametrize("side", SIDES)
@pytest.mark.parametrize("inner", CHILD)
def test_a_child_sa_is_rekeyed_under_traffic(pair: Pair, side: str, inner: int) -> None:
    expectations.expect_child_rekey(pair, side, inner)


@pytest.mark.parametrize("side", SIDES)
def test_the_ike_sa_is_rekeyed_and_keeps_its_children(pair: Pair, side: str) -> None:
    expectations.expect_ike_rekey(pair, side)


@pytest.mark.parametrize("side", SIDES)
def test_the_ike_sa_is_reauthenticated_under_traffic(pair: Pair, side: str) -> None:
    expectations.expect_reauthentication(pair, side)


def test_simultaneous_reauthentications_leave_one(pair: Pair) -> None:
    expectations.expect_simultaneous_reauthentications(pair)


@pytest.mark.parametrize("side", SIDES)
def test_a_child_sa_is_deleted_and_comes_back(pair: Pair, side: str) -> None:
    expectations.expect_child_deletion(pair, side)


@pytest.mark.parametrize("side", SIDES)
def test_the_ike_sa_is_deleted_and_comes_back(pair: Pair, side: str) -> None:
    expectations.expect_ike_deletion(pair, side)


def test_simultaneous_rekeys_of_a_child_leave_one(pair: Pair) -> None:
    expectations.expect_simultaneous_child_rekeys(pair)


def test_simultaneous_rekeys_of_the_ike_sa_leave_one(pair: Pair) -> None:
    expectations.expect_simultaneous_ike_rekeys(pair)


def test_a_tunnel_passes_a_nat(natted_pair: Pair) -> None:
    expectations.expect_counted_traffic(natted_pair)


@pytest.mark.parametrize("side", SIDES)
def test_rekeys_pass_a_nat_from_both_sides(natted_pair: Pair, side: str) -> None:
    expectations.expect_child_rekey(natted_pair, side, inner=4)
    expectations.expect_ike_rekey(natted_pair, side)
