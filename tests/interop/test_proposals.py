"""Proposals that are not the same at both ends, and yet agree."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.lab import expectations
from tests.lab.namespaces import direct
from tests.lab.pair import BOTH_ROLES, SIDES, Pair, paired
from tests.lab.tunnels import DEFAULT, GCM, OTHER_GROUP_FIRST

pytestmark = pytest.mark.interop


@pytest.fixture(params=BOTH_ROLES, ids=" to ".join)
def default_pair(request: pytest.FixtureRequest) -> Iterator[Pair]:
    with direct() as network, paired(network, request.param, DEFAULT) as made:
        yield made


def test_the_defaults_of_both_agree(default_pair: Pair) -> None:
    expectations.expect_counted_traffic(default_pair)
    for side in SIDES:
        expectations.expect_child_rekey(default_pair, side, inner=4)
        expectations.expect_ike_rekey(default_pair, side)


@pytest.mark.parametrize("kinds", BOTH_ROLES, ids=" to ".join)
def test_a_ke_payload_of_the_wrong_group_is_corrected(kinds: tuple[str, str]) -> None:
    with direct() as network, paired(network, kinds, OTHER_GROUP_FIRST, responders=GCM) as pair:
        expectations.expect_counted_traffic(pair)
        for side in SIDES:
            expectations.expect_child_rekey(pair, side, inner=4)
            expectations.expect_ike_rekey(pair, side)
