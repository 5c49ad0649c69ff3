"""Certificates that expire are told of in time, and not every minute."""

from __future__ import annotations

from ikeactors.actors.reports import ReportHub
from ikeactors.expiring import Expiration, ExpiryNotice, shown
from ikeactors.protocol.actions import Report

DAY = 86400.0
OWN = Expiration("own", "CN=west", 20 * DAY)
ROOT = Expiration("authority", "CN=root", 10 * DAY)


class Hub(ReportHub):
    """Remembers what is told."""

    def __init__(self) -> None:
        super().__init__(lambda: 0.0)
        self.told: list[str] = []

    def publish(self, report: Report, association: int = 0) -> None:
        self.told.append(report.text)


def test_the_next_to_expire_comes_first() -> None:
    found = list(shown([OWN, ROOT], 9.5 * DAY))
    assert [(one.holder, one.days_left) for one in found] == [("CN=root", 0), ("CN=west", 10)]
    assert found[0].expires == "1970-01-11 00:00 UTC"


def test_each_is_told_of_once_a_day_as_soon_as_it_is_time() -> None:
    hub = Hub()
    notice = ExpiryNotice(hub, 5 * DAY)
    for half_hour in range(6 * 48):
        notice.look([OWN, ROOT], half_hour * 1800.0)
    assert hub.told == ["the trusted authority CN=root expires in 4 days, on 1970-01-11 00:00 UTC"]


def test_what_has_expired_is_told_until_it_is_renewed() -> None:
    hub = Hub()
    notice = ExpiryNotice(hub, 5 * DAY)
    notice.look([OWN], 21 * DAY)
    notice.look([OWN], 21.5 * DAY)
    notice.look([OWN], 22 * DAY)
    assert hub.told == ["our certificate CN=west has expired on 1970-01-21 00:00 UTC"] * 2
    notice.look([Expiration("own", "CN=west", 400 * DAY)], 23 * DAY)
    assert len(hub.told) == 2
