"""The simulated kernel and a real one, through the same courses: verdicts, events, what is held."""

from __future__ import annotations

import dataclasses
import errno
import os
import socket
import time
from collections.abc import Awaitable, Callable
from dataclasses import replace
from functools import partial
from random import Random

import trio

from ikeactors.actors.backends import Backend, Disturbed, EventsLost, KernelEvent
from ikeactors.actors.netlink import NetlinkSocket
from ikeactors.actors.probing import open_xfrm
from ikeactors.kernel.policies import priority_of
from ikeactors.kernel.requests import (
    KernelRefusal,
    PolicyAction,
    PolicyRequest,
    SaId,
    SaRequest,
    SaUsage,
)
from ikeactors.protocol.events import SaExpired
from tests.fakes.sas import policy, sa
from tests.lab.namespaces import Gateway, Network, direct
from tests.realkernel import courses, dumps
from tests.realkernel.courses import Step
from tests.realkernel.guest.bench import inside
from tests.realkernel.guest.others import Others
from tests.realkernel.guest.reporting import attempt
from tests.simulation.kernel import HostKernel, is_between_hosts

SEEDS = 8
NAMES = (
    *(f"the simulated kernel is like the real one, seed {seed}" for seed in range(SEEDS)),
    "events that overflow their socket are told to be lost",
)
# What the kernel does behind our back is done within this time, even under emulation.
_PATIENCE = 5.0
_POLL_SECONDS = 0.02
# More SAs than fit the events' buffer when all of them expire at once.
_TOO_MANY = 6000

Events = list[object]


class Both:
    """A real kernel's namespace and a simulated kernel, doing the same."""

    def __init__(self, gateway: Gateway) -> None:
        self.gateway = gateway
        self.real = inside(gateway, open_xfrm)
        self.others = Others(inside(gateway, NetlinkSocket))
        self.simulated = HostKernel(Random(0))

    async def take(self, step: Step) -> None:
        """Take a step in both, and hold all that can be seen of them against each other."""
        if isinstance(step, courses.Move) and not self._is_ours(step):
            return
        if isinstance(step, courses.Packet) and not self._is_decided(step):
            return
        real, said = await _verdict(partial(self._real, step))
        simulated, _ = await _verdict(partial(self._simulated, step))
        assert real == simulated, f"real: {real} ({said}), simulated: {simulated}"
        expected = await _waiting(self.simulated)
        told = await self._told(len(expected))
        assert told == expected, f"events, real: {told}, simulated: {expected}"
        await self._compare()

    def _is_ours(self, step: courses.Move) -> bool:
        """A daemon moves what it has installed, or what is gone, and not another SA of its name."""
        found, moved = self.simulated.find(step.old), step.sa
        return found is None or (found.suite, found.replay_window, found.direction, found.mode) == (
            moved.suite, moved.replay_window, moved.direction, moved.mode
        )  # fmt: skip

    def _is_decided(self, step: courses.Packet) -> bool:
        """Whether it is more than where things stand in the kernel's tables that decides.

        Where a template's source has no SA, the kernel takes one from another source if the two
        fall into one bucket. Of a policy between two hosts and another of the same priority the
        former goes first, but for one that stands before all others.
        """
        ports = (courses.SOURCE_PORT, step.port)
        policies = self.simulated.outbound(courses.INNER, step.destination, ports)
        if not policies:
            return True
        first = policies[0]
        equals = [one for one in policies if priority_of(one) == priority_of(first)]
        if len({is_between_hosts(one) for one in equals}) > 1:
            return False
        if first.action is not PolicyAction.PROTECT:
            return True
        found = self.simulated.chosen(first, courses.INNER, step.destination)
        return found is not None or not self.simulated.candidates(first, step.destination)

    async def aclose(self) -> None:
        """Leave nothing in the namespace."""
        self.others.flush()
        self.others.flush(policies=True)
        await self.real.aclose()
        self.others.close()

    async def _real(self, step: Step) -> object:
        match step:
            case courses.Install(sas, policies):
                await self.real.install(sas, policies)
            case courses.Remove(sa_ids, policies):
                await self.real.remove(sa_ids, policies)
            case courses.Move(old, moved, old_policies, policies):
                await self.real.move((old,), (moved,), old_policies, policies)
            case courses.Look(sa_ids):
                return [_seen(one) for one in await self.real.usage(sa_ids)]
            case courses.Expire(sa_id, hard):
                self.others.expire(sa_id, hard)
            case courses.Flush(policies):
                self.others.flush(policies)
            case courses.Reserve(sa_id):
                self.others.reserve(sa_id)
            case courses.Packet(destination, port):
                inside(self.gateway, partial(_send, str(destination), port))
            case courses.Wait():
                await trio.sleep(courses.WAIT_SECONDS)
        return None

    async def _simulated(self, step: Step) -> object:
        kernel = self.simulated
        match step:
            case courses.Install(sas, policies):
                await kernel.install(sas, policies)
            case courses.Remove(sa_ids, policies):
                await kernel.remove(sa_ids, policies)
            case courses.Move(old, moved, old_policies, policies):
                await kernel.move((old,), (moved,), old_policies, policies)
            case courses.Look(sa_ids):
                return [_seen(one) for one in await kernel.usage(sa_ids)]
            case courses.Expire(sa_id, hard):
                _expire(kernel, sa_id, hard)
            case courses.Flush(policies):
                (kernel.flush_policies if policies else kernel.flush)()
            case courses.Reserve(sa_id):
                kernel.reserve(sa_id)
            case courses.Packet(destination, port):
                kernel.protect(courses.INNER, destination, (courses.SOURCE_PORT, port))
            case courses.Wait():
                kernel.tick(time.time())
        return None

    async def _told(self, count: int) -> Events:
        """As many events as there should be, and those that come too many."""
        found: Events = []
        with trio.move_on_after(_PATIENCE):
            while len(found) < count:
                found += filter(_is_compared, [await anext(self.real.events())])
        return sorted(found + await _waiting(self.real), key=str)

    async def _compare(self) -> None:
        expected = dumps.held_by_simulated(self.simulated)
        real = dumps.held_by_real(*self.others.dump())
        with trio.move_on_after(_PATIENCE):
            while real.held != expected:
                await trio.sleep(_POLL_SECONDS)
                real = dumps.held_by_real(*self.others.dump())
        assert real.held == expected, dumps.difference(real.held, expected)
        for sa_id, added_at in real.added_at.items():
            # It chooses among SAs by whole seconds of a clock of its own.
            self.simulated.traffic[sa_id].added_at = added_at


async def _verdict(take: Callable[[], Awaitable[object]]) -> tuple[object, str]:
    """What came of it, or the errno and what was said about it."""
    try:
        return await take(), ""
    except KernelRefusal as refusal:
        return errno.errorcode[refusal.errno], str(refusal)


async def _waiting(kernel: Backend) -> Events:
    """The events that are there by now."""
    found: Events = []
    while True:
        with trio.move_on_after(_POLL_SECONDS) as scope:
            found += filter(_is_compared, [await anext(kernel.events())])
        if scope.cancelled_caught:
            return sorted(found, key=str)


def _is_compared(event: KernelEvent) -> bool:
    """That something was disturbed is a hint to look, and what a look finds is compared."""
    return not isinstance(event, Disturbed)


def _expire(kernel: HostKernel, sa_id: SaId, hard: bool) -> None:
    """What another program's XFRM_MSG_EXPIRE does: a soft one is only told."""
    found = kernel.find(sa_id)
    if kernel.is_larval(sa_id):
        raise KernelRefusal(errno.EINVAL, "the SA is larval")
    if found is None:
        raise KernelRefusal(errno.ENOENT, "the SA is not there")
    if hard:
        kernel.expire(found.sa_id)
    else:
        kernel.post(SaExpired(found.sa_id, hard=False))


def _seen(usage: SaUsage) -> tuple[SaId, int]:
    return usage.sa_id, usage.packets


def _send(destination: str, port: int) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as udp:
        udp.bind((str(courses.INNER), courses.SOURCE_PORT))
        try:
            udp.sendto(b"a packet", (destination, port))
        except OSError:
            # The packet is dropped; what the kernels did with it is what is compared.
            return


async def _play(network: Network, seed: int) -> None:
    both = Both(network.west)
    taken: list[Step] = []
    try:
        for step in courses.course(seed):
            taken.append(step)
            await both.take(step)
    except AssertionError as error:
        last = "\n".join(map(_briefly, taken[-4:]))
        raise AssertionError(f"at step {len(taken)}, the last of\n{last}\n{error}") from None
    finally:
        await both.aclose()


def _briefly(step: Step) -> str:
    """A step without what its values are by default."""
    if not isinstance(step, courses.Install | courses.Remove | courses.Move):
        return str(step)
    parts: list[str] = []
    for field in dataclasses.fields(step):
        value = getattr(step, field.name)
        for one in value if isinstance(value, tuple) else (value,):
            parts.append(f"  {field.name}: {_changed(one)}")
    return "\n".join((type(step).__name__, *parts))


def _changed(value: object) -> str:
    usual = {SaRequest: sa(), PolicyRequest: policy()}.get(type(value))
    if usual is None:
        return str(value)
    fields = [field.name for field in dataclasses.fields(value)]  # type: ignore[arg-type]
    return ", ".join(
        f"{name} {getattr(value, name)}"
        for name in fields
        if "key" not in name and getattr(value, name) != getattr(usual, name)
    )


async def _overflow(network: Network) -> None:
    """Nobody reads while thousands of SAs expire: the loss is told once, then events go on."""
    both = Both(network.west)
    try:
        many = [replace(sa(spi), encapsulation=None) for spi in range(0x1000, 0x1000 + _TOO_MANY)]
        await both.real.install(many, ())
        for one in many:
            both.others.expire(one.sa_id, hard=True)
        lost = 0
        with trio.move_on_after(_PATIENCE):
            while True:
                try:
                    await anext(both.real.events())
                except EventsLost:
                    lost += 1
        assert lost == 1, f"told {lost} times"
        await both.real.install(many[:1], ())
        both.others.expire(many[0].sa_id, hard=True)
        told = await _waiting(both.real)
        assert told == [SaExpired(many[0].sa_id, hard=True)], told
    finally:
        await both.aclose()


def run() -> None:
    """Each seed on a kernel that holds nothing; IKEACTORS_SEEDS=FIRST-LAST plays others."""
    first, last = map(int, os.environ.get("IKEACTORS_SEEDS", f"0-{SEEDS - 1}").split("-"))
    with direct() as network:
        network.west.run("ip", "route", "add", "10.2.0.0/15", "via", "10.77.0.2")
        device = network.west.run("ip", "-br", "link", "show", "type", "veth").split("@")[0]
        network.west.run("ip", "addr", "add", "10.77.0.11/24", "dev", device)
        for seed in range(first, last + 1):
            name = f"the simulated kernel is like the real one, seed {seed}"
            attempt(name, partial(trio.run, _play, network, seed))
        attempt(NAMES[-1], partial(trio.run, _overflow, network))
