"""IKE SAs that begin without a Child SA, between ikeactors and strongSwan (RFC 6023 section 4)."""

from __future__ import annotations

from functools import partial

import pytest

from tests.lab import expectations
from tests.lab.namespaces import Gateway, direct
from tests.lab.pair import BOTH_ROLES, KINDS, LabPeer, paired
from tests.lab.peer import Section
from tests.lab.tunnels import CONNECTION

pytestmark = pytest.mark.interop


@pytest.mark.parametrize("kinds", BOTH_ROLES, ids=" to ".join)
def test_children_come_up_by_create_child_sa_alone(kinds: tuple[str, str]) -> None:
    """Both ends take nothing else: a Child SA within IKE_AUTH would be refused."""
    made = {kind: partial(_peer, kind) for kind in kinds}
    with direct() as network, paired(network, kinds, made=made) as pair:
        expectations.expect_counted_traffic(pair)
        expectations.expect_child_rekey(pair, "initiator", 4)


def _peer(kind: str, gateway: Gateway, settings: Section, identities: list[str]) -> LabPeer:
    connections = settings["connections"]
    assert isinstance(connections, dict)
    changed = {"connections": {CONNECTION: {**connections[CONNECTION], "childless": "force"}}}
    return KINDS[kind](gateway, changed, identities)
