"""Minutes of everything at once: rekeyings from both ends all the time, a bad link, crashes, pings.

At the end one IKE SA must be left, one Child SA for each child, the same on both ends, and no
fault in any log of ours. Where ESP is spared and nothing crashes no ping may be lost; where it is
not, no more than the relay has dropped.
"""

from __future__ import annotations

import re
import signal
import time
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from itertools import cycle

from tests.lab.commands import pause, wait_until
from tests.lab.forwarding import Faults
from tests.lab.ikeactors import STRIKING, IkeactorsPeer
from tests.lab.logs import LOGS
from tests.lab.namespaces import Gateway, Network
from tests.lab.pair import LabPeer, Pair, paired
from tests.lab.peer import Sa, Section, Value
from tests.lab.relay import BAD_LINK, relayed
from tests.lab.strongswan import StrongswanPeer
from tests.lab.traffic import Pings
from tests.lab.tunnels import CHILD, CONNECTION

SPARED = Faults()

_PING_EVERY = 0.02
# A crash at the end, its back-off, and a request whose repetition is put off.
_SETTLED_SECONDS = 60.0
# For a link that loses a tenth of everything, either way.
_PATIENCE: Section = {
    "retransmit_timeout": "500ms",
    "retransmit_base": 1.3,
    "retransmit_tries": 12,
}
_THEIR_TRIES = 20


@dataclass(frozen=True, slots=True)
class Course:
    """What two peers go through; `crash_every` so many seconds one of our actors, if not 0.

    Those of the kinds in `rekeyed_by` rekey, every `rekey_every`, sooner by up to `spread`.
    """

    kinds: tuple[str, str]
    seconds: float
    rekeyed_by: tuple[str, ...] = ("ikeactors", "strongswan")
    rekey_every: str = "1s"
    spread: str = "500ms"
    ike: Faults = BAD_LINK
    esp: Faults = SPARED
    crash_every: float = 0.0
    seed: str = "1"


@dataclass(frozen=True, slots=True)
class Figures:
    """What came of it: pings sent and lost, by their way; what the relay and our logs count."""

    sent: Mapping[str, int]
    lost: Mapping[str, int]
    relay: Mapping[str, int]
    reports: Mapping[str, int]

    def expect_no_other_loss(self) -> None:
        """No ping is lost but by the relay: where it spares ESP, none."""
        lost = sum(self.lost.values())
        assert lost <= self.relay["esp-dropped"], (self.lost, self.relay)

    def expect_little_loss(self) -> None:
        """Where a crash makes an association negotiate anew, or the peer stumbles, most pass."""
        assert sum(self.lost.values()) < sum(self.sent.values()) / 4, self.lost

    def lines(self) -> Iterator[str]:
        """For people."""
        for way, count in self.sent.items():
            yield f"pings {way}: {count} sent, {self.lost[way]} lost"
        for kind in ("ike", "esp"):
            words = ("taken", "dropped", "duplicated")
            counts = ", ".join(f"{self.relay[f'{kind}-{word}']} {word}" for word in words)
            yield f"datagrams of {kind.upper()}: {counts}"
        yield ", ".join(f"{count} {name}" for name, count in sorted(self.reports.items()))


def soak(course: Course) -> Figures:
    """Go through it all; what was found, or AssertionError."""
    with (
        relayed(course.seed) as (network, relay),
        _standing(course, network) as pair,
        _logs_told(),
    ):
        relay.strike(course.ike, course.esp)
        trains = dict(_trains(network, course.seconds))
        _strike(course, pair)
        lost = {way: train.lost() for way, train in trains.items()}
        counts = relay.counts()
        relay.strike()
        wait_until(lambda: _is_whole(pair), _SETTLED_SECONDS, "one of each is left, on both ends")
        logs = [_told(one) for one in _ours(pair)]
        sent = {way: train.count for way, train in trains.items()}
        return Figures(sent, lost, counts, sum(logs, Counter()))


@contextmanager
def _logs_told() -> Iterator[None]:
    """With what went wrong, the logs: they are gone when it is told."""
    try:
        yield
    except AssertionError as fault:
        for title, text in LOGS.since_mark():
            fault.add_note(f"{title}\n{text}")
        raise


@contextmanager
def _standing(course: Course, network: Network) -> Iterator[Pair]:
    made = {"ikeactors": partial(_ikeactors, course), "strongswan": partial(_strongswan, course)}
    with paired(network, course.kinds, made=made) as pair:
        for name in CHILD.values():
            pair.west.up(CONNECTION, name)
        yield pair


def _ikeactors(course: Course, gateway: Gateway, settings: Section, ids: list[str]) -> LabPeer:
    return IkeactorsPeer(
        gateway,
        _rekeyed(course, "ikeactors", settings, _PATIENCE),
        ids,
        options={"log_level": "info"},
        arguments=("--seed", f"{course.seed}/{gateway.label}"),
        program=STRIKING,
    )


def _strongswan(course: Course, gateway: Gateway, settings: Section, ids: list[str]) -> LabPeer:
    rekeyed = _rekeyed(course, "strongswan", settings, {})
    return StrongswanPeer(gateway, rekeyed, ids, retransmit_tries=_THEIR_TRIES)


def _rekeyed(course: Course, kind: str, settings: Section, options: Section) -> Section:
    """The configuration with everything rekeyed so often, or never."""
    often: Section = {"rekey_time": course.rekey_every, "rand_time": course.spread}
    lifetimes = often if kind in course.rekeyed_by else {"rekey_time": 0}
    connection = _section(_section(settings["connections"])[CONNECTION])
    children = {
        name: {**_section(child), **lifetimes, "life_time": "1h"}
        for name, child in _section(connection["children"]).items()
    }
    changed = {**connection, **options, **lifetimes, "over_time": "1h", "children": children}
    return {"connections": {CONNECTION: changed}}


def _section(value: Value) -> Section:
    assert isinstance(value, Mapping)
    return value


def _trains(network: Network, seconds: float) -> Iterator[tuple[str, Pings]]:
    for source, destination in ((network.west, network.east), (network.east, network.west)):
        for version in CHILD:
            way = f"{source.label} to {destination.label}, IPv{version}"
            count = int(seconds / _PING_EVERY)
            yield way, Pings.start(source, destination, version, count, _PING_EVERY)


def _strike(course: Course, pair: Pair) -> None:
    """Crash one of our actors from time to time, an association or another, until time is over."""
    end = time.monotonic() + course.seconds
    targets = [(one, number) for number in _STRIKES for one in _ours(pair)]
    for peer, number in cycle(targets):
        left = end - time.monotonic()
        if not course.crash_every or left < course.crash_every:
            pause(max(left, 0.0))
            return
        pause(course.crash_every)
        peer.signal(number)


def _ours(pair: Pair) -> list[IkeactorsPeer]:
    return [one for one in (pair.west, pair.east) if isinstance(one, IkeactorsPeer)]


def _is_whole(pair: Pair) -> bool:
    """One look at each end: rekeyings go on, and between two looks all may be other."""
    west, east = pair.west.sas(), pair.east.sas()
    if len(west) != 1 or len(east) != 1:
        return False
    (one,), (other,) = west, east
    if (one.spi_i, one.spi_r) != (other.spi_i, other.spi_r):
        return False
    ours = {(child.name, child.spi_in, child.spi_out) for child in one.installed}
    theirs = {(child.name, child.spi_out, child.spi_in) for child in other.installed}
    return ours == theirs and _names(one) == _names(other) == sorted(CHILD.values())


def _names(sa: Sa) -> list[str]:
    return sorted(child.name for child in sa.installed)


def _told(peer: IkeactorsPeer) -> Counter[str]:
    """What the log says how often; a fault in it that nobody has asked for is one of the test."""
    lines = peer.log.splitlines()
    faults = [line for line in lines if _FAULT.search(line) and "Injected" not in line]
    assert not faults, "\n".join(faults)
    return Counter(found[1] for line in lines if (found := _NAME.search(line)))


_STRIKES = (signal.SIGUSR1, signal.SIGUSR2)
_FAULT = re.compile(r"^\S+ error |Traceback")
_NAME = re.compile(r"^\S+ \w+ +(?:\S*\[\d+\] )?([a-z-]+):")
