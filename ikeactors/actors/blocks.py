"""Policies that drop what is to be protected, while there is no Child SA to protect it.

They are the daemon's own, behind those of Child SAs and of traps, and outlive the daemon.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace

from ikeactors.actors.installed import BLOCKING
from ikeactors.actors.kernel import KernelRequest
from ikeactors.actors.shunts import Unread
from ikeactors.kernel.policies import BEHIND_ALL
from ikeactors.kernel.requests import PolicyAction, PolicyRequest
from ikeactors.protocol.actions import InstallChildSa
from ikeactors.protocol.ikev2.child_sa import Covered, policies_between
from ikeactors.protocol.settings import ChildSettings, ConnectionSettings


def blocks(connections: Iterable[ConnectionSettings]) -> Iterator[KernelRequest]:
    """What the kernel actor is asked for; each child by itself."""
    unread = Unread()
    for connection in connections:
        for child in connection.children:
            if child.blocks:
                policies = tuple(_blocking(connection, child))
                yield KernelRequest(BLOCKING, InstallChildSa(0, (), policies), unread)


def _blocking(connection: ConnectionSettings, child: ChildSettings) -> Iterator[PolicyRequest]:
    """The policies of a Child SA, without one; they are configured with networks only."""
    local_ts = tuple(one.selector for one in child.local_ts if one.selector is not None)
    remote_ts = tuple(one.selector for one in child.remote_ts if one.selector is not None)
    covered = Covered(child.proposals[0].protocol, child.mode, local_ts, remote_ts)
    # There is no tunnel: these only say which family it would have.
    ends = local_ts[0].start, remote_ts[0].start
    for policy in policies_between(ends, connection, child, covered, reqid=0):
        if policy.action is PolicyAction.PROTECT:
            yield replace(policy, action=PolicyAction.DROP, priority=BEHIND_ALL, blocks=True)
