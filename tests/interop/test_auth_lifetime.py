"""AUTH_LIFETIME (RFC 4478) between ikeactors and strongSwan: the initiator keeps what is told.

strongSwan reauthenticates its own over_time before that, so this has to be the shorter one: else it
does so at once, again and again.
"""

from __future__ import annotations

from functools import partial

import pytest

from tests.lab import expectations
from tests.lab.namespaces import Gateway, direct
from tests.lab.pair import BOTH_ROLES, KINDS, LabPeer, paired
from tests.lab.peer import Section, Value
from tests.lab.tunnels import CONNECTION

pytestmark = pytest.mark.interop

_OF_INITIATOR: dict[str, Value] = {"over_time": "5s", "rand_time": "0s"}
_OF_RESPONDER: dict[str, Value] = {"reauth_time": "20s", "over_time": "10s", "rand_time": "0s"}


@pytest.mark.parametrize("kinds", BOTH_ROLES, ids=" to ".join)
def test_the_responder_has_the_initiator_reauthenticate(kinds: tuple[str, str]) -> None:
    made = {kind: partial(_peer, kind) for kind in kinds}
    with direct() as network, paired(network, kinds, made=made) as pair:
        expectations.expect_reauthentication_by_itself(pair, within=25.0, losses=2)


def _peer(kind: str, gateway: Gateway, settings: Section, identities: list[str]) -> LabPeer:
    connections = settings["connections"]
    assert isinstance(connections, dict)
    times = _OF_INITIATOR if gateway.label == "west" else _OF_RESPONDER
    changed = {"connections": {CONNECTION: {**connections[CONNECTION], **times}}}
    return KINDS[kind](gateway, changed, identities)
