"""What seems to differ in a data plane is looked up once more, and mended.

This is done in the kernel actor's turn: nothing is under way then, so what differs still, differs.
An SA that is gone cannot be put back with its counters: it is over, and who has it negotiates
another.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import TypeVar

from ikeactors.actors.backends import Backend
from ikeactors.actors.installed import Installed
from ikeactors.kernel.inventory import Difference
from ikeactors.kernel.requests import KernelRefusal, PolicyRequest
from ikeactors.protocol.events import SaExpired

T = TypeVar("T")

# Ours: asked of the data plane before others have their turn.
_AT_ONCE = 64


@dataclass(frozen=True, slots=True)
class Verify:
    """Look up what is suspected and, unless only that is wanted, mend what differs indeed."""

    suspects: Difference
    reply: Callable[[Difference], None]
    mends: bool = True


@dataclass(frozen=True, slots=True)
class Mender:
    """What mending needs: `expire` tells an SA's owner, `refused` is told of refusals."""

    backend: Backend
    installed: Installed
    expire: Callable[[SaExpired], None]
    refused: Callable[[KernelRefusal], None]

    async def carry_out(self, command: Verify) -> None:
        """Verify, mend, answer."""
        found = await self.verified(command.suspects)
        if command.mends:
            await self.mend(found)
        command.reply(found)

    async def verified(self, suspects: Difference) -> Difference:
        """What of it differs indeed, now that nothing is under way."""
        installed = self.installed
        missing = [one for one in suspects.missing_sas if installed.holding(one) is not None]
        policies = installed.in_force(suspects.missing_policies)
        there = {
            usage.sa_id for some in _parts(missing) for usage in await self.backend.usage(some)
        }
        lacking = [one for some in _parts(policies) for one in await self.backend.lacking(some)]
        return Difference(
            tuple(one for one in missing if one not in there),
            tuple(one for one in suspects.orphan_sas if installed.holding(one) is None),
            tuple(lacking),
            suspects.replaced_policies,
            suspects.orphan_policies,
        )

    async def mend(self, found: Difference) -> None:
        """Put policies back, remove orphans, tell whose SAs are gone."""
        for policies in _parts(found.missing_policies):
            await self._restore(policies)
        for sa_id in found.missing_sas:
            self.expire(SaExpired(sa_id, hard=True))
        for orphans in _parts(found.orphan_sas):
            await self.backend.remove(orphans, ())
        for strays in _parts(found.orphan_policies):
            await self.backend.clear(strays)

    async def _restore(self, policies: Sequence[PolicyRequest]) -> None:
        """At once; where that is refused one by one, so that one refusal costs no other."""
        try:
            await self.backend.restore(policies)
        except KernelRefusal:
            for one in policies:
                try:
                    await self.backend.restore((one,))
                except KernelRefusal as refusal:
                    self.refused(refusal)


def _parts(whole: Sequence[T]) -> Iterator[Sequence[T]]:
    for at in range(0, len(whole), _AT_ONCE):
        yield whole[at : at + _AT_ONCE]
