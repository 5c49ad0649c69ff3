"""IKE SAs that begin without a Child SA, between ikeactors and strongSwan (RFC 6023 section 4)."""

from __future__ import annotations

from functools import partial

import pytest

from tests.lab import expectations
from tests.lab.commands import wait_until
from tests.lab.namespaces import Gateway, direct
from tests.lab.pair import BOTH_ROLES, KINDS, SETTLED_SECONDS, LabPeer, paired
from tests.lab.peer import Section, established
from tests.lab.tunnels import CHILD, CONNECTION

pytestmark = pytest.mark.interop


@pytest.mark.parametrize("kinds", BOTH_ROLES, ids=" to ".join)
def test_children_come_up_by_create_child_sa_alone(kinds: tuple[str, str]) -> None:
    """Both ends take nothing else: a Child SA within IKE_AUTH would be refused."""
    made = {kind: partial(_peer, kind) for kind in kinds}
    with direct() as network, paired(network, kinds, made=made) as pair:
        expectations.expect_counted_traffic(pair)
        expectations.expect_child_rekey(pair, "initiator", 4)


@pytest.mark.parametrize("kinds", BOTH_ROLES, ids=" to ".join)
def test_an_ike_sa_without_a_child_sa_is_reauthenticated_without_one(
    kinds: tuple[str, str],
) -> None:
    with direct() as network, paired(network, kinds) as pair:
        ours = pair.west if kinds[0] == "ikeactors" else pair.east
        pair.up()
        for name in CHILD.values():
            ours.down_child(CONNECTION, name)
        before = established(ours, CONNECTION)
        assert before is not None

        ours.reauthenticate(CONNECTION)

        def is_renewed() -> bool:
            one, other = established(pair.west, CONNECTION), established(pair.east, CONNECTION)
            if one is None or other is None or one.spi_i == before.spi_i:
                return False
            return one.spi_i == other.spi_i and not (one.children or other.children)

        wait_until(is_renewed, SETTLED_SECONDS, "there is another IKE SA without a Child SA")
        pair.up()
        expectations.expect_counted_traffic(pair)


def _peer(kind: str, gateway: Gateway, settings: Section, identities: list[str]) -> LabPeer:
    connections = settings["connections"]
    assert isinstance(connections, dict)
    changed = {"connections": {CONNECTION: {**connections[CONNECTION], "childless": "force"}}}
    return KINDS[kind](gateway, changed, identities)
