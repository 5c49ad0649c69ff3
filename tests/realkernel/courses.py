"""Random courses: what a daemon, other programs, packets and time do to a kernel, by a seed.

The names to choose from are few, so that requests meet what is there: duplicates, what is missing,
marks that overlap, policies that replace others.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from ipaddress import IPv4Address, ip_address
from random import Random

from ikeactors.crypto.suite import ChildSuite
from ikeactors.iana import Encr, Integ, KeyExchangeMethod, ProtocolId
from ikeactors.kernel.requests import (
    Address,
    Direction,
    Encapsulation,
    Lifetime,
    Mark,
    Mode,
    PolicyAction,
    PolicyRequest,
    SaId,
    SaRequest,
)
from tests.fakes.sas import CBC, GCM, policy, sa, selector

STEPS = 60
# SAs with a limit of time live this long, and a wait outlasts them by far.
_SOFT_SECONDS, _HARD_SECONDS = 1, 2
WAIT_SECONDS = 5.0

INNER = IPv4Address("10.1.0.1")
SOURCE_PORT = 9


@dataclass(frozen=True, slots=True)
class Install:
    """The daemon installs."""

    sas: tuple[SaRequest, ...]
    policies: tuple[PolicyRequest, ...]


@dataclass(frozen=True, slots=True)
class Remove:
    """The daemon removes."""

    sas: tuple[SaId, ...]
    policies: tuple[PolicyRequest, ...]


@dataclass(frozen=True, slots=True)
class Move:
    """The daemon moves an SA."""

    old: SaId
    sa: SaRequest
    old_policies: tuple[PolicyRequest, ...]
    policies: tuple[PolicyRequest, ...]


@dataclass(frozen=True, slots=True)
class Look:
    """The daemon asks what went through SAs."""

    sas: tuple[SaId, ...]


@dataclass(frozen=True, slots=True)
class Expire:
    """Another program ends an SA's life."""

    sa: SaId
    hard: bool


@dataclass(frozen=True, slots=True)
class Flush:
    """Another program removes all SAs, or all policies."""

    policies: bool


@dataclass(frozen=True, slots=True)
class Reserve:
    """Another program makes a larval SA."""

    sa: SaId


@dataclass(frozen=True, slots=True)
class Packet:
    """A packet of UDP leaves."""

    destination: IPv4Address
    port: int


@dataclass(frozen=True, slots=True)
class Wait:
    """Time passes."""


Step = Install | Remove | Move | Look | Expire | Flush | Reserve | Packet | Wait

_HERE = (ip_address("10.77.0.1"), ip_address("10.77.0.11"))
_THERE = (ip_address("10.77.0.2"), ip_address("10.77.0.3"))
_ENDS_V6 = (ip_address("fd77::1"), ip_address("fd77::2"))
_SPIS = (0x1000, 0x1001, 0x1002)
_MARKS = (None, None, None, None, Mark(5, 0xFF), Mark(5))
_WINDOWS = (0, 32, 64, 1024, 4096, 4097)
_AH = ChildSuite(
    ProtocolId.AH, Encr.NULL, None, Integ.HMAC_SHA2_256_128, KeyExchangeMethod.NONE, esn=False
)
_SUITES = (GCM, GCM, replace(GCM, esn=True), CBC, _AH)
_PORTS = (None, Encapsulation(4500, 4500), Encapsulation(4500, 4999))
_LIFETIMES = (
    Lifetime(),
    Lifetime(3600, 7200, 1 << 40, 1 << 41),
    Lifetime(soft_packets=1, hard_packets=3),
    Lifetime(soft_packets=2),
)
_SOURCES = ("10.1.0.0/24", "10.1.0.1/32", "10.1.0.0/16", "10.9.0.0/24")
_DESTINATIONS = ("10.2.0.0/24", "10.2.0.1/32", "10.2.0.2/32", "10.2.0.0/15")
_UPPER_LAYERS = ((0, (0, 65535)), (0, (0, 65535)), (17, (0, 65535)), (17, (9, 9)), (17, (1, 9)))
_WEIGHTS = {
    "install": 34,
    "remove": 12,
    "move": 14,
    "look": 4,
    "expire": 6,
    "flush": 2,
    "reserve": 4,
    "packets": 24,
    "wait": 1,
}


def course(seed: int) -> Iterator[Step]:
    """The steps of a seed."""
    chance = Random(seed)
    names, weights = list(_WEIGHTS), list(_WEIGHTS.values())
    for _ in range(STEPS):
        (name,) = chance.choices(names, weights)
        yield from _STEPS[name](chance)


def _install(chance: Random) -> Iterator[Step]:
    yield Install(_sas(chance), _policies(chance))


def _remove(chance: Random) -> Iterator[Step]:
    yield Remove(tuple(one.sa_id for one in _sas(chance)), _policies(chance))


def _move(chance: Random) -> Iterator[Step]:
    """To another source, other ports, or both; sometimes onto one that is there."""
    request = _sa(chance)
    moved = replace(request, encapsulation=_encapsulation(chance, request))
    if chance.random() < 0.6 and request.source.version == 4:
        here = chance.choice(_HERE)
        inbound = request.direction is Direction.IN
        moved = replace(moved, destination=here) if inbound else replace(moved, source=here)
    yield Install((request,), ())
    yield Packet(IPv4Address("10.2.0.1"), 9)
    yield Move(request.sa_id, moved, _policies(chance), _policies(chance))


def _look(chance: Random) -> Iterator[Step]:
    yield Look(tuple(one.sa_id for one in _sas(chance)))


def _expire(chance: Random) -> Iterator[Step]:
    request = _sa(chance)
    if chance.random() < 0.7:
        yield Install((request,), ())
    yield Expire(request.sa_id, chance.random() < 0.5)


def _flush(chance: Random) -> Iterator[Step]:
    yield Flush(chance.random() < 0.5)


def _reserve(chance: Random) -> Iterator[Step]:
    yield Reserve(replace(_sa(chance).sa_id, mark=None))


def _packets(chance: Random) -> Iterator[Step]:
    for _ in range(chance.randrange(1, 4)):
        destination = chance.choice(("10.2.0.1", "10.2.0.2", "10.2.0.9", "10.3.0.1"))
        yield Packet(IPv4Address(destination), chance.choice((9, 10)))


def _wait(chance: Random) -> Iterator[Step]:
    request = _sa(chance)
    yield Install((replace(request, lifetime=Lifetime(_SOFT_SECONDS, _HARD_SECONDS)),), ())
    yield Wait()


def _sas(chance: Random) -> tuple[SaRequest, ...]:
    return tuple(_sa(chance) for _ in range(chance.choice((0, 1, 1, 2, 2, 3))))


def _sa(chance: Random) -> SaRequest:
    direction = chance.choice((Direction.OUT, Direction.OUT, Direction.IN))
    here, there = _ENDS_V6 if chance.random() < 0.1 else _ends(chance)
    made = sa(chance.choice(_SPIS), direction, chance.choice(_SUITES), chance.choice((7, 8)))
    inbound = direction is Direction.IN
    made = replace(
        made,
        source=there if inbound else here,
        destination=here if inbound else there,
        replay_window=chance.choice(_WINDOWS),
        mark=chance.choice(_MARKS),
        if_id=chance.choice((0, 0, 0, 9)),
        output_mark=chance.choice((None, None, Mark(0x1CE))),
        lifetime=chance.choice(_LIFETIMES),
    )
    made = replace(made, encapsulation=_encapsulation(chance, made))
    if chance.random() < 0.15 and made.source.version == 4:
        return _in_transport_mode(made)
    return made


def _ends(chance: Random) -> tuple[Address, Address]:
    here = _HERE[0] if chance.random() < 0.8 else _HERE[1]
    return here, (_THERE[0] if chance.random() < 0.8 else _THERE[1])


def _encapsulation(chance: Random, request: SaRequest) -> Encapsulation | None:
    if request.protocol == ProtocolId.AH and chance.random() < 0.9:
        return None
    return chance.choice(_PORTS)


def _in_transport_mode(request: SaRequest) -> SaRequest:
    ends = (selector(f"{request.source}/32", 6), selector(f"{request.destination}/32", 6, (80, 80)))
    return replace(request, mode=Mode.TRANSPORT, selectors=ends)


def _policies(chance: Random) -> tuple[PolicyRequest, ...]:
    return tuple(_policy(chance) for _ in range(chance.choice((0, 0, 1, 1, 2, 3))))


def _policy(chance: Random) -> PolicyRequest:
    direction = chance.choice((Direction.OUT, Direction.OUT, Direction.IN, Direction.FWD))
    upper_layer = chance.choice(_UPPER_LAYERS)
    made = policy(direction=direction, reqid=chance.choice((7, 7, 8)))
    here, there = _ends(chance)
    ends = (selector(chance.choice(_SOURCES)), selector(chance.choice(_DESTINATIONS), *upper_layer))
    if chance.random() < 0.1:
        ends = (selector("fd01::/64"), selector("fd02::/64"))
    inbound = direction is not Direction.OUT
    return replace(
        made,
        source=ends[1] if inbound else ends[0],
        destination=ends[0] if inbound else ends[1],
        tunnel_source=there if inbound else here,
        tunnel_destination=here if inbound else there,
        action=chance.choice([PolicyAction.PROTECT] * 4 + [PolicyAction.PASS, PolicyAction.DROP]),
        mode=chance.choice([Mode.TUNNEL] * 6 + [Mode.TRANSPORT]),
        mark=chance.choice(_MARKS),
        if_id=chance.choice((0, 0, 0, 0, 9)),
        priority=chance.choice((0, 0, 0, 77)),
    )


_STEPS = {
    "install": _install,
    "remove": _remove,
    "move": _move,
    "look": _look,
    "expire": _expire,
    "flush": _flush,
    "reserve": _reserve,
    "packets": _packets,
    "wait": _wait,
}
