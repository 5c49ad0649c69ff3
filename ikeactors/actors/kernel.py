"""The kernel actor: the only one who talks to the data plane.

It takes commands one after the other and carries the data plane's events to the associations. A
command it was killed over is noted in `KernelState` and done again by its successor.
"""

from __future__ import annotations

import errno
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import partial

import trio

from ikeactors.actors.backends import Acquired, Backend, Disturbed, EventsLost, KernelEvent
from ikeactors.actors.early_events import EarlyEvents
from ikeactors.actors.installed import OURSELVES, Inbox, Installed
from ikeactors.actors.mending import Mender, Verify
from ikeactors.kernel.policies import key_of
from ikeactors.kernel.requests import KernelRefusal, PolicyRequest, SaId, SaUsage
from ikeactors.protocol.actions import (
    AdoptChildSa,
    Detail,
    InstallChildSa,
    Level,
    MoveChildSa,
    RemoveChildSa,
    Report,
)
from ikeactors.protocol.events import (
    ChildSaInstalled,
    KernelRefused,
    SaExpired,
    SaMappingChanged,
)
from ikeactors.quick import quick

KernelAction = InstallChildSa | AdoptChildSa | RemoveChildSa | MoveChildSa
Publish = Callable[[Report], None]
Acquire = Callable[[Acquired], None]

# Ours: commands that wait; an association has at most a few under way, and who sends waits.
MAX_WAITING_COMMANDS = 256
# Ours: carried out before others get their turn, where the data plane does not wait.
_COMMANDS_IN_A_TURN = 16


@quick
class KernelRequest:
    """An association's action; the answer, where there is one, goes to its inbox."""

    owner: int
    action: KernelAction
    mailbox: Inbox


@dataclass(frozen=True, slots=True)
class ForgetOwner:
    """Remove all that an owner still has installed."""

    owner: int


@dataclass(frozen=True, slots=True)
class UsageRequest:
    """Ask what went through SAs; `reply` is called with those that are there."""

    sa_ids: tuple[SaId, ...]
    reply: Callable[[Sequence[SaUsage]], None]


Command = KernelRequest | ForgetOwner | UsageRequest | Verify


class KernelState:
    """What outlives the kernel actor: what is installed, and the command under way."""

    def __init__(self) -> None:
        self.installed = Installed()
        self.under_way: Command | None = None
        self.refusals = 0
        self.expirations = 0
        self.mapping_changes = 0
        self.acquisitions = 0
        self.losses_of_events = 0
        self.doubt = ""
        self.doubted = trio.lowlevel.ParkingLot()

    def suspect(self, why: str) -> None:
        """The data plane may hold something else than it should: somebody has to look."""
        self.doubt = why
        self.doubted.unpark_all()


def open_commands() -> tuple[trio.MemorySendChannel[Command], trio.MemoryReceiveChannel[Command]]:
    """The channel of the kernel actor's commands."""
    return trio.open_memory_channel[Command](MAX_WAITING_COMMANDS)


async def usage_of(
    commands: trio.MemorySendChannel[Command], sa_ids: Sequence[SaId]
) -> Sequence[SaUsage]:
    """Ask the kernel actor what went through SAs, and wait for its answer."""
    send, receive = trio.open_memory_channel[Sequence[SaUsage]](1)
    with send, receive:
        await commands.send(UsageRequest(tuple(sa_ids), partial(_reply, send)))
        return await receive.receive()


def _reply(send: trio.MemorySendChannel[Sequence[SaUsage]], usages: Sequence[SaUsage]) -> None:
    # Who asked may be gone.
    with suppress(trio.ClosedResourceError, trio.BrokenResourceError):
        send.send_nowait(usages)


def _ignore(acquired: Acquired) -> None:
    """Where there are no policies without SAs nobody is asked for one."""


async def run_kernel(
    commands: trio.MemoryReceiveChannel[Command],
    backend: Backend,
    state: KernelState,
    publish: Publish,
    acquire: Acquire = _ignore,
) -> None:
    """Carry out commands and hand on events until the commands' channel is closed."""
    actor = KernelActor(backend, state, publish, acquire)
    await actor.finish_what_is_under_way()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(actor.carry_events)
        async for command in commands:
            await actor.carry_out(command)
            await actor.carry_out_waiting(commands)
        nursery.cancel_scope.cancel()


async def remove_all(backend: Backend, state: KernelState, *spared: int) -> None:
    """Remove what is installed, for a daemon that stops; the kernel actor has ended before.

    What owners have that are spared stays, and is in force.
    """
    installed = state.installed
    for owner in installed.owners():
        if owner in spared:
            continue
        sas, policies = installed.owned_by(owner)
        release = installed.releasing(owner, policies)
        await backend.remove(sas, release.gone)
        installed.release(owner, sas, policies)
        with suppress(KernelRefusal):
            await backend.install((), release.restored)


class KernelActor:
    """One life of the kernel actor."""

    def __init__(
        self, backend: Backend, state: KernelState, publish: Publish, acquire: Acquire
    ) -> None:
        self._acquire = acquire
        self._backend = backend
        self._state = state
        self._installed = state.installed
        self._publish = publish
        self._one_at_a_time = trio.Lock()
        self._early = EarlyEvents(self._carry)

    async def finish_what_is_under_way(self) -> None:
        """Do again what a predecessor was killed over, but for SAs that are there.

        Those may have sent by now: made again they would count from the beginning.
        """
        match self._state.under_way:
            case None:
                return
            case KernelRequest(owner, InstallChildSa() as action, inbox):
                there = await self._made_of(action)
                await self._install(owner, action, inbox, there)
                self._state.under_way = None
            case command:
                await self.carry_out(command)

    async def carry_out(self, command: Command) -> None:
        """Do what one command says, and answer it."""
        self._state.under_way = command
        try:
            # `acquire` would cost a turn even where nobody else is at it.
            self._one_at_a_time.acquire_nowait()
        except trio.WouldBlock:
            await self._one_at_a_time.acquire()
        try:
            await self._do(command)
        finally:
            self._one_at_a_time.release()
        self._state.under_way = None

    async def carry_out_waiting(self, commands: trio.MemoryReceiveChannel[Command]) -> None:
        """Carry out what waits by now: to receive each would cost a turn of the loop."""
        for _ in range(_COMMANDS_IN_A_TURN):
            try:
                command = commands.receive_nowait()
            except (trio.WouldBlock, trio.EndOfChannel):
                return
            await self.carry_out(command)

    async def _do(self, command: Command) -> None:
        match command:
            case KernelRequest(owner, action, inbox):
                await self._act(owner, action, inbox)
            case ForgetOwner(owner):
                await self._remove(owner, *self._installed.owned_by(owner))
            case UsageRequest(sa_ids, reply):
                reply(await self._backend.usage(sa_ids))
            case Verify():
                refused = partial(self._report_refusal, verb="put back")
                mender = Mender(self._backend, self._installed, self._carry, refused)
                await mender.carry_out(command)

    async def carry_events(self) -> None:
        """Hand the data plane's events to the associations whose SAs they are about."""
        self._state.suspect("the kernel actor has begun, perhaps after one that died of an event")
        events = self._backend.events()
        while True:
            try:
                event = await anext(events)
            except EventsLost:
                self._state.losses_of_events += 1
                self._state.suspect("events were lost")
            else:
                self._carry(event)

    async def _act(self, owner: int, action: KernelAction, inbox: Inbox) -> None:
        match action:
            case InstallChildSa():
                await self._install(owner, action, inbox)
            case AdoptChildSa():
                await self._adopt(owner, action, inbox)
            case MoveChildSa():
                await self._move(owner, action, inbox)
            case RemoveChildSa(sas, policies):
                await self._remove(owner, sas, policies)

    async def _install(
        self, owner: int, action: InstallChildSa, inbox: Inbox, there: Sequence[SaId] = ()
    ) -> None:
        self._early.expect(action.sas)
        missing = [one for one in action.sas if one.sa_id not in there] if there else action.sas
        try:
            await self._backend.install(missing, self._topmost(owner, action.policies))
        except KernelRefusal as refusal:
            await self._backend.remove(there, ())
            await self._put_back(action)
            self._refused(refusal, action.ticket, inbox)
            return
        self._installed.add(owner, inbox, action.sas, action.policies)
        inbox.post_assured(ChildSaInstalled(action.ticket))
        self._early.carry()

    def _topmost(self, owner: int, policies: Sequence[PolicyRequest]) -> Sequence[PolicyRequest]:
        """Those that come in force: what the daemon itself wants stands below Child SAs."""
        if owner > OURSELVES:
            return policies
        return tuple(one for one in policies if not self._installed.is_covered(one))

    async def _adopt(self, owner: int, action: AdoptChildSa, inbox: Inbox) -> None:
        """Take over what a predecessor has installed; where a part is missing the rest goes.

        What was to be rekeyed meanwhile was told to nobody.
        """
        requests = (*action.sas, *action.due)
        sas = [request.sa_id for request in requests]
        there = {usage.sa_id: usage for usage in await self._backend.usage(sas)}
        missing = [one.sa_id for one in action.sas if one.sa_id not in there]
        if missing:
            await self._backend.remove([sa_id for sa_id in sas if sa_id in there], ())
            text = f"there is no SA with the SPI {missing[0].spi:08x}"
            inbox.post_assured(KernelRefused(action.ticket, errno.ESRCH, text))
            return
        due = [one for one in action.due if one.sa_id not in there]
        try:
            await self._backend.install(due, action.policies)
        except KernelRefusal as refusal:
            await self._put_back(action)
            self._refused(refusal, action.ticket, inbox)
            return
        former = {held.owner for one in sas if (held := self._installed.holding(one)) is not None}
        self._installed.add(owner, inbox, requests, action.policies)
        for other in former - {owner}:
            # A predecessor of this process that has crashed: what stands above its claims stays.
            self._installed.release(other, sas, action.policies)
        inbox.post_assured(ChildSaInstalled(action.ticket))
        for request in requests:
            if request.sa_id in there and request.lifetime.is_worn_by(there[request.sa_id]):
                self._carry(SaExpired(request.sa_id, hard=False))

    async def _move(self, owner: int, action: MoveChildSa, inbox: Inbox) -> None:
        """Move SAs, but for those that were refused meanwhile. A refusal of this has no ticket:
        what is gone then is reported as such."""
        pairs = zip(action.old, action.sas, strict=True)
        held = [pair for pair in pairs if self._installed.is_held_by(owner, pair[0])]
        if not held:
            return
        old, sas = zip(*held, strict=True)
        refusal: KernelRefusal | None = None
        self._early.expect(sas)
        try:
            await self._backend.move(old, sas, action.old_policies, action.policies)
        except KernelRefusal as fault:
            refusal = fault
        self._installed.release(owner, old, action.old_policies)
        self._installed.add(owner, inbox, sas, action.policies)
        self._early.carry()
        if refusal is not None:
            # Whoever owns them knows them by their new names alone, and will have them removed so.
            self._report_refusal(refusal, "moved")
            names = [request.sa_id for request in sas]
            await self._backend.remove([one for one in old if one not in names], ())
            await self._report_missing(names)

    async def _remove(
        self, owner: int, sas: Sequence[SaId], policies: Sequence[PolicyRequest]
    ) -> None:
        """Remove what is the owner's: it may ask before it hears that an SA was refused it."""
        ours = [sa_id for sa_id in sas if self._installed.is_held_by(owner, sa_id)]
        if sas and not ours:
            # Nothing of it was ever installed, and no policy claimed: equal ones are another's.
            policies = ()
        release = self._installed.releasing(owner, policies)
        await self._backend.remove(ours, release.gone)
        await self._reinstall(release.restored)
        self._installed.release(owner, sas, policies)

    async def _made_of(self, action: InstallChildSa) -> list[SaId]:
        """What there is of an installation that was interrupted."""
        sas = [request.sa_id for request in action.sas]
        new = [sa_id for sa_id in sas if self._installed.holding(sa_id) is None]
        return [usage.sa_id for usage in await self._backend.usage(new)]

    async def _put_back(self, action: InstallChildSa | AdoptChildSa) -> None:
        """Leave of the policies what was there before."""
        claimed = self._installed.in_force(action.policies)
        kept = {key_of(policy) for policy in claimed}
        gone = [policy for policy in action.policies if key_of(policy) not in kept]
        await self._backend.remove((), gone)
        await self._reinstall(claimed)

    async def _reinstall(self, policies: Sequence[PolicyRequest]) -> None:
        if not policies:
            return
        try:
            await self._backend.install((), policies)
        except KernelRefusal as refusal:
            self._report_refusal(refusal, "put back")

    async def _report_missing(self, sa_ids: Sequence[SaId]) -> None:
        """Tell the owners of SAs that are not there any more that these are over."""
        there = {usage.sa_id for usage in await self._backend.usage(sa_ids)}
        for sa_id in [one for one in sa_ids if one not in there]:
            self._carry(SaExpired(sa_id, hard=True))

    def _carry(self, event: KernelEvent) -> None:
        if isinstance(event, Acquired):
            self._state.acquisitions += 1
            self._acquire(event)
            return
        if isinstance(event, Disturbed):
            self._note_disturbance(event)
            return
        holding = self._installed.holding(event.sa_id)
        if holding is None:
            self._early.keep(event)
            return
        match own := replace(event, sa_id=holding.sa_id):
            case SaExpired():
                self._state.expirations += 1
                holding.inbox.post_assured(own)
            case SaMappingChanged():
                # The network decides how many of these there are.
                self._state.mapping_changes += 1
                holding.inbox.post(own)

    def _note_disturbance(self, event: Disturbed) -> None:
        """Others may do with SAs of their own what they like."""
        if event.sa_id is None or self._installed.holding(event.sa_id) is not None:
            self._state.suspect("another program has removed something")

    def _refused(self, refusal: KernelRefusal, ticket: int, inbox: Inbox) -> None:
        self._report_refusal(refusal, "installed")
        inbox.post_assured(KernelRefused(ticket, refusal.errno, str(refusal)))

    def _report_refusal(self, refusal: KernelRefusal, verb: str) -> None:
        self._state.refusals += 1
        text = f"The data plane refused: nothing was {verb}: {refusal}"
        details: dict[str, Detail] = {"errno": refusal.errno, "backend": self._backend.name}
        self._publish(Report("kernel-refused", text, Level.WARNING, details=details))
