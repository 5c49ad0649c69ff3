"""What a seed means: who is there, what is configured, what goes wrong, what operators do."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import partial
from ipaddress import IPv4Address
from random import Random

from ikeactors.protocol.settings import (
    AddressPattern,
    AuthSettings,
    ChildSettings,
    ConnectionSettings,
    DownAction,
    IdentityPattern,
    Retransmission,
    StartAction,
    Unique,
)
from ikeactors.wire.identities import Identity
from tests.pair import esp, ike, selectors

# A swarm: each fault is on or off in a run, so that rare ones are not drowned by the frequent.
_FAULT_CHANCE = 0.3

# Probability for each datagram, or of a kind of event the mean time between two in seconds.
_FAULT_RANGES: dict[str, tuple[float, float]] = {
    "loss": (0.02, 0.3),
    "duplicate": (0.05, 0.5),
    "reorder": (0.05, 0.5),
    "delay": (0.01, 0.1),
    "corrupt": (0.01, 0.1),
    "truncate": (0.01, 0.1),
    "replay": (0.02, 0.2),
    "mtu": (200.0, 600.0),
    "burst": (20.0, 60.0),
    "partition": (60.0, 150.0),
    "one-way": (60.0, 150.0),
    "rebind": (30.0, 100.0),
    "flush": (60.0, 200.0),
    "refuse": (0.02, 0.3),
    "lose-events": (30.0, 90.0),
    "expire": (40.0, 120.0),
    "slow-kernel": (0.05, 2.0),
    "slow-worker": (0.05, 5.0),
    "crash": (20.0, 90.0),
}
# As above, drawn apart from them so that older seeds stay what they are.
_RARER_RANGES: dict[str, tuple[float, float]] = {
    "forge": (0.02, 0.2),
    "unsendable": (0.02, 0.3),
    "pause": (60.0, 150.0),
    "suspend": (100.0, 300.0),
}
_RARER_CHANCE = 0.12
# Since the third version of plans, the fourth and the fifth.
_KILL_CHANCE, _KILL_RANGE = 0.15, (20.0, 90.0)
_MOBIKE_CHANCE = 0.35
_MEDDLE_CHANCE, _MEDDLE_RANGE = 0.2, (20.0, 90.0)
# Faults of a host; the others are of the paths between them.
HOST_FAULTS = frozenset(
    {
        *("flush", "refuse", "lose-events", "expire", "slow-kernel", "crash"),
        *("unsendable", "pause", "suspend", "kill", "slow-worker", "meddle"),
    }
)
# Those after which an end cannot send by what it has agreed to.
LATE_KERNEL = frozenset({"refuse", "slow-kernel"})

IKE_SUITES = (
    ("aes128gcm16-prfsha256-x25519",),
    ("chacha20poly1305-prfsha256-x25519",),
    ("aes128-sha256-x25519",),
    ("aes128gcm16-prfsha256-ecp256",),
    ("aes128gcm16-prfsha256-ecp256", "aes128gcm16-prfsha256-x25519"),
    ("aes128gcm16-prfsha256-ecp384",),
)
_IKE_WEIGHTS = (8, 2, 2, 2, 2, 1)
_ESP_SUITES = (("aes128gcm16",), ("aes128gcm16-x25519",), ("aes128-sha256",))
_UNIQUE = (Unique.NO, Unique.REPLACE, Unique.KEEP, Unique.NEVER)
_OPERATIONS = ("up", "down", "down-child", "rekey", "rekey-ike", "status")


@dataclass(frozen=True, slots=True)
class Operation:
    """Something an operator asks of one host about one link, at an instant of the faulty phase."""

    at: float
    kind: str
    host: int
    link: int
    child: int


@dataclass(frozen=True, slots=True)
class Link:
    """A connection between two hosts, as each of them configures it."""

    hosts: tuple[int, int]
    ends: tuple[ConnectionSettings, ConnectionSettings]
    is_faulty: bool
    nat: bool

    @property
    def children(self) -> tuple[str, ...]:
        """Their names."""
        return tuple(one.name for one in self.ends[0].children)

    @property
    def starters(self) -> tuple[int, ...]:
        """The hosts that keep the link up."""
        return tuple(
            host
            for host, end in zip(self.hosts, self.ends, strict=True)
            if any(one.start_action is StartAction.START for one in end.children)
        )


@dataclass(frozen=True, slots=True)
class Plan:
    """A run, all but the chances of each datagram, which the seed decides too."""

    seed: int
    hosts: int
    links: tuple[Link, ...]
    faults: Mapping[str, float]
    duration: float
    operations: tuple[Operation, ...]
    latency: float = 0.02
    probe_interval: float = 1.0
    quiet: float = 60.0
    settling: float = math.inf
    reauthenticates: bool = False

    @property
    def bound(self) -> float:
        """Within how many seconds after the healing all children carry traffic again."""
        return max(map(_bound, (end for link in self.links for end in link.ends)))

    def without(self, fault: str) -> Plan:
        """The same without one fault."""
        return replace(self, faults={k: v for k, v in self.faults.items() if k != fault})


def address_of(host: int) -> IPv4Address:
    """A host's own address."""
    return IPv4Address("192.0.2.0") + host + 1


def nat_address_of(host: int) -> IPv4Address:
    """The address of the NAT that a host may be behind."""
    return IPv4Address("198.51.100.0") + host + 1


def name_of(host: int) -> str:
    """A host's identity."""
    return f"host{host}.example"


# What seeds have come to mean: 1 without reauthentication, 2 without kills, 3 without MOBIKE,
# 4 without others who meddle with kernels.
VERSION = 5


def plan_of(seed: int, version: int = VERSION) -> Plan:
    """The plan of a seed. What is added to plans is a version, so that old seeds stay as they are.

    It draws from a chance of its own.
    """
    plan = _first_plan(seed)
    for addition in _ADDITIONS[: version - 1]:
        plan = addition(plan)
    return plan


def _first_plan(seed: int) -> Plan:
    chance = Random(f"{seed}/plan")
    hosts = chance.choices((2, 3, 4, 5), (14, 4, 1, 1))[0]
    links = tuple(_link(chance, host) for host in range(1, hosts))
    faults = {
        name: round(chance.uniform(*limits), 3)
        for name, limits in _FAULT_RANGES.items()
        if chance.random() < _FAULT_CHANCE
    }
    duration = chance.uniform(60.0, 240.0)
    return Plan(
        seed,
        hosts,
        links,
        faults | _rarer_faults(seed),
        duration,
        _operations(chance, links, duration),
        latency=chance.choice((0.001, 0.02, 0.2)),
    )


def _rarer_faults(seed: int) -> dict[str, float]:
    chance = Random(f"{seed}/rarer")
    return {
        name: round(chance.uniform(*limits), 3)
        for name, limits in _RARER_RANGES.items()
        if chance.random() < _RARER_CHANCE
    }


def _with_reauthentications(plan: Plan) -> Plan:
    """Some of those who would rekey the IKE SA begin it anew instead."""
    chance = Random(f"{plan.seed}/reauth")
    operations = tuple(
        replace(one, kind="reauth") if one.kind == "rekey-ike" and chance.random() < 0.5 else one
        for one in plan.operations
    )
    return replace(plan, operations=operations, reauthenticates=True)


def _with_fault(plan: Plan, name: str, rate: float, limits: tuple[float, float]) -> Plan:
    """One fault more, in some runs."""
    chance = Random(f"{plan.seed}/{name}")
    if chance.random() >= rate:
        return plan
    return replace(plan, faults={**plan.faults, name: round(chance.uniform(*limits), 3)})


def _with_mobike(plan: Plan) -> Plan:
    """Some links follow a NAT that maps them anew as MOBIKE has it; of these more NATs do so."""
    chance = Random(f"{plan.seed}/mobike")
    links = tuple(
        _mobile(link) if chance.random() < _MOBIKE_CHANCE else link for link in plan.links
    )
    faults = dict(plan.faults)
    if any(link.nat and link.ends[0].mobike for link in links) and chance.random() < 0.5:
        faults.setdefault("rebind", round(chance.uniform(*_FAULT_RANGES["rebind"]), 3))
    return replace(plan, links=links, faults=faults)


def _mobile(link: Link) -> Link:
    one, other = link.ends
    return replace(link, ends=(replace(one, mobike=True), replace(other, mobike=True)))


_ADDITIONS = (
    _with_reauthentications,
    partial(_with_fault, name="kill", rate=_KILL_CHANCE, limits=_KILL_RANGE),
    _with_mobike,
    partial(_with_fault, name="meddle", rate=_MEDDLE_CHANCE, limits=_MEDDLE_RANGE),
)


def plain_link(spoke: int, group: str = "x25519") -> Link:
    """A link without any chance: the spoke keeps one child up; nothing is rekeyed by itself."""
    child = ChildSettings(
        "net0",
        local_ts=selectors(f"10.0.{spoke * 8}.0/24"),
        remote_ts=selectors(f"10.{spoke}.0.0/24"),
        esp_proposals=esp("aes128gcm16"),
        rekey_time=0.0,
        life_time=0.0,
    )
    settings = ConnectionSettings(
        f"link{spoke}",
        mobike=False,
        proposals=ike(f"aes128gcm16-prfsha256-{group}"),
        rekey_time=0.0,
        dpd_delay=5.0,
        unique=Unique.REPLACE,
        retransmission=Retransmission(0.5, 1.4, 4, 0.0, 10),
        children=(child,),
    )
    far = replace(
        settings,
        children=(replace(child, local_ts=child.remote_ts, remote_ts=child.local_ts),),
    )
    ends = (
        _end(settings, (0, spoke), starts=False, nat=False),
        _end(far, (spoke, 0), starts=True, nat=False),
    )
    return Link((0, spoke), ends, is_faulty=True, nat=False)


def _operations(chance: Random, links: tuple[Link, ...], duration: float) -> tuple[Operation, ...]:
    operations = []
    for _ in range(chance.choice((0, 2, 4, 8))):
        number = chance.randrange(len(links))
        link = links[number]
        kind = chance.choices(_OPERATIONS, (2, 1, 1, 4, 4, 1))[0]
        host = link.hosts[1] if link.nat and kind == "up" else chance.choice(link.hosts)
        at = chance.uniform(0.0, duration)
        operations.append(Operation(at, kind, host, number, chance.randrange(len(link.children))))
        if chance.random() < 0.3:
            # Both ends at once: exchanges cross.
            other = link.hosts[0] if host == link.hosts[1] else link.hosts[1]
            operations.append(replace(operations[-1], host=other))
    return tuple(sorted(operations, key=lambda one: one.at))


def _link(chance: Random, spoke: int) -> Link:
    """The link between the hub, host 0, and another."""
    nat = chance.random() < 0.3
    words = chance.choices(IKE_SUITES, _IKE_WEIGHTS)[0]
    settings = ConnectionSettings(
        f"link{spoke}",
        mobike=False,
        proposals=ike(*words),
        rekey_time=chance.choice((0.0, chance.uniform(30.0, 150.0))),
        over_time=60.0,
        rand_time=chance.uniform(0.0, 10.0),
        dpd_delay=chance.uniform(4.0, 20.0),
        encap=chance.random() < 0.15,
        unique=chance.choices(_UNIQUE, (4, 2, 1, 1))[0],
        retransmission=Retransmission(
            chance.choice((0.5, 1.0, 2.0)),
            chance.choice((1.4, 1.8)),
            chance.choice((4, 5)),
            0.0,
            10,
        ),
        children=tuple(_child(chance, spoke, number) for number in range(_child_count(chance))),
    )
    starters = (1,) if nat else chance.choices(((1,), (0,), (0, 1)), (5, 3, 1))[0]
    hub = _end(settings, (0, spoke), starts=0 in starters, nat=nat)
    far = _end(_far_settings(chance, settings, words), (spoke, 0), starts=1 in starters, nat=False)
    return Link((0, spoke), (hub, far), chance.random() < 0.8, nat)


def _child_count(chance: Random) -> int:
    return chance.choices((1, 2, 3), (6, 3, 1))[0]


def _far_settings(
    chance: Random, settings: ConnectionSettings, words: tuple[str, ...]
) -> ConnectionSettings:
    """As the other end configures it: its proposals in another order, its own rekey times."""
    children = tuple(
        replace(
            child,
            local_ts=child.remote_ts,
            remote_ts=child.local_ts,
            rekey_time=child.rekey_time * chance.choice((1.0, 1.0, 1.5)),
            life_time=child.life_time * 1.5,
        )
        for child in settings.children
    )
    return replace(
        settings,
        proposals=ike(*reversed(words)),
        children=children,
        rekey_time=settings.rekey_time * chance.choice((1.0, 1.0, 1.5)),
    )


def _child(chance: Random, spoke: int, number: int) -> ChildSettings:
    rekey_time = chance.choice((0.0, *(chance.uniform(15.0, 90.0) for _ in range(4))))
    packets = chance.choice((0, 0, 0, chance.randrange(10, 60)))
    return ChildSettings(
        f"net{number}",
        local_ts=selectors(f"10.0.{spoke * 8 + number}.0/24"),
        remote_ts=selectors(f"10.{spoke}.{number}.0/24"),
        esp_proposals=esp(*chance.choice(_ESP_SUITES)),
        rekey_time=rekey_time,
        # Time for a whole retransmission of the rekeying, and for one more.
        life_time=rekey_time + 90.0 if rekey_time else 0.0,
        rand_time=min(rekey_time / 2, chance.choice((0.0, 10.0))),
        rekey_packets=packets,
        life_packets=packets * 10,
    )


def _end(
    settings: ConnectionSettings, hosts: tuple[int, int], *, starts: bool, nat: bool
) -> ConnectionSettings:
    here, there = hosts
    remote = nat_address_of(there) if nat else address_of(there)
    start = StartAction.START if starts else StartAction.NONE
    again = DownAction.START if starts else DownAction.CLEAR
    children = tuple(
        replace(child, start_action=start, dpd_action=again, close_action=again)
        for child in settings.children
    )
    return replace(
        settings,
        remote_addrs=(AddressPattern(remote, remote),),
        local=AuthSettings("psk", IdentityPattern(Identity.from_text(name_of(here)))),
        remote=AuthSettings("psk", IdentityPattern(Identity.from_text(name_of(there)))),
        children=children,
    )


def _bound(end: ConnectionSettings) -> float:
    """The peer's silence is noticed, the longest back-off passes, and all is negotiated anew.

    A silence takes the whole schedule of retransmissions; the one that has just begun when the
    network heals is followed by another where an answer was lost with its sender.
    """
    schedule = end.retransmission
    silence = sum(schedule.timeout * schedule.base**n for n in range(schedule.tries + 1))
    return 3 * silence + 2 * end.dpd_delay + 60.0 + 30.0
