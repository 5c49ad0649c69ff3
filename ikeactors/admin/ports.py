"""What the admin protocol needs of the daemon, as small as it can be: tests bring fakes."""

from __future__ import annotations

import itertools
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from ikeactors.actors.reconciling import Comparison
from ikeactors.actors.reports import Answers, ReportHub
from ikeactors.admin.authority import Authority
from ikeactors.kernel.requests import SaId, SaUsage
from ikeactors.protocol.actions import Level
from ikeactors.protocol.events import Event
from ikeactors.protocol.settings import ConnectionSettings, Settings
from ikeactors.protocol.snapshot import AssociationSnapshot


class Peers(Protocol):
    """The associations."""

    def initiate(
        self, connection_name: str, children: tuple[str, ...] = (), request_id: int | None = None
    ) -> int:
        """Bring up children; LookupError: no such connection, ValueError: no single address."""
        ...

    def send(self, number: int, event: Event) -> None:
        """Give an association an event."""
        ...

    def numbers_of(self, connection: str) -> list[int]:
        """The associations of a connection."""
        ...

    def snapshots(self, now: float) -> list[tuple[int, AssociationSnapshot]]:
        """All associations as they are."""
        ...


class Levels(Protocol):
    """How much is logged."""

    def change(self, level: Level | None, connection: str = "") -> None:
        """Of one connection, or of all that have no level of their own; None: like all."""
        ...

    def table(self) -> Mapping[str, Level]:
        """By connection, "" for all the others."""
        ...


class Standing(Protocol):
    """Policies without a Child SA."""

    async def install(self, connection: ConnectionSettings, name: str | None) -> tuple[str, ...]:
        """Those of a connection, or of one child; which were not there."""
        ...

    async def uninstall(self, connection: ConnectionSettings, name: str | None) -> tuple[str, ...]:
        """Likewise; which were there."""
        ...


Usage = Callable[[Sequence[SaId]], Awaitable[Sequence[SaUsage]]]


@dataclass(frozen=True, slots=True)
class Surroundings:
    """The daemon, as far as operators may reach into it."""

    peers: Peers
    hub: ReportHub
    answers: Answers
    levels: Levels
    authority: Authority
    settings: Callable[[], Settings]
    usage: Usage
    standing: Standing
    compare: Callable[[], Awaitable[Comparison]]
    statistics: Callable[[], Mapping[str, object]]
    failures: Callable[[], Mapping[str, str]]
    # Whether what is established is taken down too, whatever the configuration says.
    stop: Callable[[bool], None]
    reload: Callable[[], Awaitable[str]]
    kernel: str
    kernel_reason: str
    pid: int
    # By the clock below, which no operator can set.
    started_at: float
    monotonic: Callable[[], float]
    # Of all clients together: answers of associations are told apart by them.
    request_ids: Iterator[int] = field(default_factory=lambda: itertools.count(1))
