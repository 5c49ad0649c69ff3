"""What holds when all has settled, and when all is over: S2, E1, E2, E4 and S13."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import trio

from ikeactors.kernel.requests import Direction, SaId
from ikeactors.protocol.events import Address
from tests.simulation.host import Host
from tests.simulation.plan import Link, Plan, address_of, nat_address_of
from tests.simulation.verdict import Record

# Rekeyings go on while we look: there are moments in which nothing is under way.
_PATIENCE = 90.0
_INTERVAL = 0.5


async def check_settled(plan: Plan, hosts: Sequence[Host], record: Record) -> None:
    """Both ends of every link come to agree, and every host with its kernel."""
    deadline = trio.current_time() + _PATIENCE
    while True:
        fault = next(_faults(plan, hosts), None)
        if fault is None:
            return
        if trio.current_time() >= deadline:
            record.breaks(*fault)
            return
        await trio.sleep(_INTERVAL)


def check_empty(hosts: Sequence[Host], record: Record) -> None:
    """E4: a daemon that has ended leaves nothing behind."""
    for host in hosts:
        sas, policies = host.kernel.left()
        if sas or policies:
            text = f"{len(sas)} SAs and {len(policies)} policies"
            record.breaks("E4", f"host{host.number} leaves {text}")


def _faults(plan: Plan, hosts: Sequence[Host]) -> Iterator[tuple[str, str]]:
    for host in hosts:
        yield from _own_faults(host)
    for link in plan.links:
        yield from _faults_between(link, hosts)


def _own_faults(host: Host) -> Iterator[tuple[str, str]]:
    """S2: what is in the kernel, in the registry and with the associations is the same."""
    snapshots = [shown for _, shown in host.peers.snapshots(trio.current_time())]
    known = {sa_id for one in snapshots for child in one.children for sa_id in child.sa_ids}
    installed = set(host.kernel_state.installed.sa_ids())
    there, policies = host.kernel.left()
    if installed != there:
        yield "S2", f"host{host.number}: registry and kernel differ: {_spis(installed ^ there)}"
    if known != there:
        yield "S2", f"host{host.number}: associations and kernel differ: {_spis(known ^ there)}"
    wanted = host.kernel_state.installed.policy_keys
    if policies != wanted:
        yield "S2", f"host{host.number}: {len(policies ^ wanted)} policies differ from the registry"
    if host.kernel.trespasses:
        yield "S14", f"host{host.number} has removed {host.kernel.trespasses} foreign entries"
    if host.answers.open:
        yield "S13", f"host{host.number} has not answered {host.answers.open}"


def _faults_between(link: Link, hosts: Sequence[Host]) -> Iterator[tuple[str, str]]:
    one, other = (hosts[number] for number in link.hosts)
    name = link.ends[0].name
    ways = ((one, other), (other, one))
    for sender, receiver in ways:
        lost = _sas(sender, receiver, Direction.OUT) - _sas(receiver, sender, Direction.IN)
        if lost:
            spis = ", ".join(f"{spi:08x}" for spi, _ in sorted(lost))
            yield "E1", f"{name}: host{receiver.number} has nothing of {spis}"
    for host in (one, other):
        standing = host.peers.numbers_of(name)
        if len(standing) != 1:
            yield "E2", f"{name}: host{host.number} has {len(standing)} associations"
    for sender, receiver in ways:
        count = len(_sas(sender, receiver, Direction.OUT))
        if count != len(link.children):
            yield "E2", f"{name}: {count} Child SAs where {len(link.children)} are configured"


def _sas(host: Host, other: Host, direction: Direction) -> set[tuple[int, bytes]]:
    """Those between two hosts, by SPI and key. A retired one is there for receiving alone."""
    places: tuple[Address, Address] = (address_of(other.number), nat_address_of(other.number))
    return {
        (sa.spi, sa.encr_key)
        for sa in host.kernel.sas.values()
        if sa.direction is direction and (sa.source in places or sa.destination in places)
    }


def _spis(sa_ids: set[SaId]) -> str:
    return ", ".join(sorted(f"{sa_id.spi:08x}" for sa_id in sa_ids))
