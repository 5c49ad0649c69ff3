"""When our certificates and those of the authorities we trust expire: as numbers, and in time."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime

from ikeactors.actors.reports import ReportHub
from ikeactors.protocol.actions import Level, Report

# Ours: what has to be renewed is told of once a day.
TELL_EVERY = 86400.0
_DAY = 86400.0


@dataclass(frozen=True, slots=True)
class Expiration:
    """What a certificate is to us ("own" or "authority"), its holder, and when it expires."""

    kind: str
    holder: str
    not_after: float

    def days_left(self, now: float) -> int:
        """Whole days; less than none where it has expired."""
        return int((self.not_after - now) // _DAY)


@dataclass(frozen=True, slots=True)
class CertificateStatistics:
    """One certificate, as the admin socket shows it."""

    kind: str
    holder: str
    expires: str
    days_left: int


def shown(expirations: Iterable[Expiration], now: float) -> Iterator[CertificateStatistics]:
    """All of them, the next one first."""
    for one in sorted(expirations, key=lambda one: one.not_after):
        date = f"{datetime.fromtimestamp(one.not_after, UTC):%Y-%m-%d %H:%M} UTC"
        yield CertificateStatistics(one.kind, one.holder, date, one.days_left(now))


@dataclass(slots=True)
class ExpiryNotice:
    """Tells of those that expire within `warning` seconds, once a day each."""

    hub: ReportHub
    warning: float
    _told: dict[tuple[str, float], float] = field(default_factory=dict)

    def look(self, expirations: Iterable[Expiration], now: float) -> None:
        """Tell of who is due."""
        told: dict[tuple[str, float], float] = {}
        for one in expirations:
            if one.not_after - now >= self.warning:
                continue
            key = one.holder, one.not_after
            told_at = self._told.get(key)
            if told_at is None or now >= told_at + TELL_EVERY:
                self.hub.publish(_report(one, now))
                told_at = now
            told[key] = told_at
        self._told = told


def _report(one: Expiration, now: float) -> Report:
    whose = "our certificate" if one.kind == "own" else "the trusted authority"
    date = f"{datetime.fromtimestamp(one.not_after, UTC):%Y-%m-%d %H:%M} UTC"
    days = one.days_left(now)
    when = f"expires in {days} days, on {date}" if days >= 0 else f"has expired on {date}"
    return Report("certificate-expires", f"{whose} {one.holder} {when}", Level.WARNING)
