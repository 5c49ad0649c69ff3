"""Both daemons with their default proposals: they find each other without a word about suites."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.lab import expectations
from tests.lab.namespaces import direct
from tests.lab.pair import BOTH_ROLES, SIDES, Pair, paired
from tests.lab.tunnels import DEFAULT

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
