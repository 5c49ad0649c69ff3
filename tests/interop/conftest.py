"""Pairs of ikeactors and strongSwan; a module's tests share one pair where they can."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.lab.namespaces import direct, natted
from tests.lab.needs import require
from tests.lab.pair import Pair, paired


@pytest.fixture(scope="module")
def pair(request: pytest.FixtureRequest) -> Iterator[Pair]:
    """A pair on a direct link; the parameter is (both kinds, suite, outer IP version)."""
    kinds, suite, version = request.param
    with direct() as network, paired(network, kinds, suite, version) as made:
        yield made


@pytest.fixture(scope="module")
def natted_pair(request: pytest.FixtureRequest) -> Iterator[Pair]:
    """A pair of the kinds in the parameter, the initiator behind a NAT."""
    require("nat")
    with natted() as network, paired(network, request.param) as made:
        yield made
