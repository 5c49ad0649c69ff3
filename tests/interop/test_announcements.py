"""What ikeactors announces and strongSwan does not know: a window size and a token do no harm.

(RFC 7296 section 2.3, RFC 6290 section 4.2)
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest

from tests.lab import expectations
from tests.lab.ikeactors import IkeactorsPeer
from tests.lab.namespaces import Gateway, direct
from tests.lab.pair import BOTH_ROLES, KINDS, SIDES, Kinds, Pair, paired
from tests.lab.peer import Section
from tests.lab.tunnels import CONNECTION, GCM

pytestmark = pytest.mark.interop


def announcing(
    state: Path, gateway: Gateway, configuration: Section, identities: list[str]
) -> IkeactorsPeer:
    """An ikeactors that announces all it can."""
    settings = configuration["connections"][CONNECTION]
    said = {**settings, "window_size": 8, "quick_crash_detection": True}
    changed: Section = {"connections": {CONNECTION: said}}
    options: Section = {"state_directory": str(state)}
    return IkeactorsPeer(gateway, changed, identities, options=options)


@pytest.fixture(scope="module", params=BOTH_ROLES, ids=lambda kinds: f"{kinds[0]}-initiates")
def pair(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Pair]:
    state = tmp_path_factory.mktemp("state")
    talkative: Kinds = {**KINDS, "ikeactors": partial(announcing, state)}
    with direct() as network, paired(network, request.param, GCM, made=talkative) as made:
        yield made
        assert (state / "token.secret").exists()


def test_the_tunnel_carries_traffic(pair: Pair) -> None:
    expectations.expect_counted_traffic(pair)


@pytest.mark.parametrize("side", SIDES)
def test_the_ike_sa_is_rekeyed_and_announced_anew(pair: Pair, side: str) -> None:
    expectations.expect_ike_rekey(pair, side)


@pytest.mark.parametrize("side", SIDES)
def test_children_are_rekeyed_under_traffic(pair: Pair, side: str) -> None:
    expectations.expect_child_rekey(pair, side, 4)
