"""Policies of the daemon itself: what passes or is dropped without anybody to negotiate with."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from ikeactors.actors.installed import OURSELVES
from ikeactors.actors.kernel import KernelRequest
from ikeactors.protocol.actions import InstallChildSa
from ikeactors.protocol.events import Event
from ikeactors.protocol.settings import ConnectionSettings


class Unread:
    """Where answers go that nobody needs: the kernel actor reports a refusal by itself."""

    def post(self, event: Event) -> bool:
        return True

    def post_assured(self, event: Event) -> None:
        pass


def shunts(connections: Iterable[ConnectionSettings]) -> Iterator[KernelRequest]:
    """What the kernel actor is asked for; each by itself, so that one refusal costs no other."""
    unread = Unread()
    for connection in connections:
        for shunt in connection.shunts:
            yield KernelRequest(OURSELVES, InstallChildSa(0, (), shunt.policies), unread)
