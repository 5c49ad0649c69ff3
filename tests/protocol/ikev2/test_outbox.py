"""What an association says, and what it does not say where nobody listens."""

from __future__ import annotations

from ikeactors.iana import ExchangeType
from ikeactors.protocol.actions import Level, RegisterSpi, Report, Trace
from ikeactors.protocol.ikev2.outbox import Outbox
from tests.pair import WEST


def heard_from(least: Level) -> Outbox:
    return Outbox("net", lambda level, connection: connection == "net" and level >= least)


def test_what_is_heard_is_said_in_its_order() -> None:
    outbox = heard_from(Level.DEBUG)
    outbox.report("first", "text", number=1)
    outbox.trace(ExchangeType.INFORMATIONAL, 3, False, (), WEST, sent=True)
    outbox.emit(RegisterSpi(bytes(8)))
    report, trace, action = outbox.take()
    assert report == Report("first", "text", Level.INFO, "net", {"number": 1})
    assert isinstance(trace, Trace)
    assert action == RegisterSpi(bytes(8))
    assert outbox.take() == []


def test_what_nobody_hears_is_not_said() -> None:
    outbox = heard_from(Level.WARNING)
    outbox.report("quiet", "text")
    outbox.trace(ExchangeType.INFORMATIONAL, 3, False, (), WEST, sent=True)
    outbox.report("loud", "text", Level.WARNING)
    assert [action.name for action in outbox.take() if isinstance(action, Report)] == ["loud"]


def test_who_listens_is_asked_about_the_connection_that_is_known_by_then() -> None:
    outbox = Outbox("", lambda level, connection: connection == "net")
    assert not outbox.hears(Level.INFO)
    outbox.connection = "net"
    assert outbox.hears(Level.INFO)
