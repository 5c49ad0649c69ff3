"""Pairs of two ikeactors daemons; a module's tests share one where they can."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.lab.namespaces import Network, direct, natted
from tests.lab.needs import require
from tests.lab.pair import Pair, paired


@pytest.fixture(scope="module")
def network() -> Iterator[Network]:
    """Two gateways on one link."""
    with direct() as made:
        yield made


@pytest.fixture(scope="module", params=[4, 6], ids=["ipv4", "ipv6"])
def pair(network: Network, request: pytest.FixtureRequest) -> Iterator[Pair]:
    """Two daemons with the lab's tunnel between them, over either IP version."""
    with paired(network, ("ikeactors", "ikeactors"), version=request.param) as made:
        yield made


@pytest.fixture(scope="module")
def natted_pair() -> Iterator[Pair]:
    """The same with the initiator behind a NAT."""
    require("nat")
    with natted() as network, paired(network, ("ikeactors", "ikeactors")) as made:
        yield made
