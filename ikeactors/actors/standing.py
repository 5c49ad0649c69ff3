"""Policies that stand without a Child SA, as operators install and uninstall them.

Those of the configuration are there from the daemon's start: traps, and what passes or is dropped.
What an operator changes holds until the daemon ends.
"""

from __future__ import annotations

import trio

from ikeactors.actors.installed import OURSELVES
from ikeactors.actors.kernel import Command, KernelRequest
from ikeactors.actors.shunts import Unread
from ikeactors.actors.traps import Traps
from ikeactors.protocol.actions import InstallChildSa, RemoveChildSa
from ikeactors.protocol.settings import ConnectionSettings


class StandingPolicies:
    """Which are there by now of all that may be."""

    def __init__(self, traps: Traps, kernel: trio.MemorySendChannel[Command]) -> None:
        self._traps = traps
        self._kernel = kernel
        # All shunts are installed with the daemon's start.
        self._uninstalled: set[tuple[str, str]] = set()

    async def install(self, connection: ConnectionSettings, name: str | None) -> tuple[str, ...]:
        """The next packet brings up a child, or all of a connection; which were not trapped."""
        children = [one.name for one in connection.children if name in (None, one.name)]
        done = [child for child in children if not self._traps.has(connection.name, child)]
        self._traps.add(connection.name, done)
        for shunt in connection.shunts:
            place = (connection.name, shunt.name)
            if name in (None, shunt.name) and place in self._uninstalled:
                self._uninstalled.discard(place)
                done.append(shunt.name)
                await self._send(InstallChildSa(0, (), shunt.policies))
        return tuple(done)

    async def uninstall(self, connection: ConnectionSettings, name: str | None) -> tuple[str, ...]:
        """No packet brings them up any more; which were trapped. Child SAs stay."""
        children = [one.name for one in connection.children if name in (None, one.name)]
        done = [child for child in children if self._traps.has(connection.name, child)]
        self._traps.remove(connection.name, done)
        for shunt in connection.shunts:
            place = (connection.name, shunt.name)
            if name in (None, shunt.name) and place not in self._uninstalled:
                self._uninstalled.add(place)
                done.append(shunt.name)
                await self._send(RemoveChildSa((), shunt.policies))
        return tuple(done)

    async def _send(self, action: InstallChildSa | RemoveChildSa) -> None:
        await self._kernel.send(KernelRequest(OURSELVES, action, Unread()))
