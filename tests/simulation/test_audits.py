"""The invariants notice what breaks them."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace
from ipaddress import IPv4Address

import pytest

from ikeactors.iana import ExchangeType, PayloadType
from ikeactors.protocol.actions import Report
from ikeactors.protocol.events import Endpoint
from ikeactors.protocol.ikev2.association import Association
from ikeactors.protocol.ikev2.phases import Fresh
from ikeactors.protocol.timers import Timer
from ikeactors.wire.header import write_header
from tests.simulation import world
from tests.simulation.network import Datagram
from tests.simulation.plan import Operation, Plan, plain_link
from tests.simulation.run import run, run_with
from tests.simulation.secrets_audit import SecretsAudit
from tests.simulation.verdict import Record
from tests.simulation.wire_audit import WireAudit
from tests.simulation.world import World

WEST, EAST = IPv4Address("192.0.2.1"), IPv4Address("192.0.2.2")
PLAN = Plan(1, 2, (plain_link(1),), {}, 10.0, (), quiet=5.0, settling=5.0)


def message(message_id: int, body: bytes = b"1234567890", *, is_response: bool = False) -> Datagram:
    header = write_header(
        b"initiatr",
        b"respondr",
        PayloadType.SK,
        ExchangeType.INFORMATIONAL,
        message_id,
        32 + len(body),
        is_response=is_response,
        from_original_initiator=True,
    )
    return Datagram(Endpoint(WEST, 500), Endpoint(EAST, 500), header + bytes(4) + body)


@pytest.mark.parametrize(
    "sent, invariant",
    [
        ([message(0), message(0)], None),
        ([message(0), message(0, b"0987654321")], "S6"),
        ([message(0), message(1)], "S6"),
        ([message(0, is_response=True)], "S7"),
    ],
)
async def test_the_wire_audit(sent: list[Datagram], invariant: str | None) -> None:
    record = Record()
    audit = WireAudit(record)
    for datagram in sent:
        audit.sent(WEST, datagram)
    assert (record.broken.invariant if record.broken else None) == invariant


async def test_an_iv_that_is_used_twice() -> None:
    record = Record()
    audit = WireAudit(record)
    audit.sent(WEST, message(0))
    audit.arrived(WEST, message(0, is_response=True))
    audit.sent(WEST, message(1))
    assert record.broken is not None
    assert record.broken.invariant == "S5"


def test_a_quiet_plan_breaks_nothing() -> None:
    assert run(PLAN).broken is None


def test_a_kernel_that_loses_an_inbound_sa_breaks_the_sender() -> None:
    def spoil(one: World) -> None:
        kernel = one.hosts[0].kernel
        for sa_id, sa in list(kernel.sas.items()):
            if sa.destination == one.hosts[0].address:
                kernel.expire(sa_id)

    broken = run_with(PLAN, spoil).broken
    assert broken is not None
    assert broken.invariant == "S4"


def test_a_secret_in_a_report() -> None:
    def spoil(one: World) -> None:
        one.hosts[0].hub.publish(Report("told", f"the secret is {world.PSK.decode()}"))

    broken = run_with(PLAN, spoil).broken
    assert broken is not None
    assert broken.invariant == "S11"


UP, DOWN = "child-sa-up", "child-sa-down"
RESTORED, CRASHED = "ike-sa-restored", "actor-crashed"


@pytest.mark.parametrize(
    "said, invariant",
    [
        ((UP, DOWN, UP, DOWN), None),
        ((UP, UP), "S10"),
        ((DOWN,), "S10"),
        ((UP, CRASHED, DOWN), "S10"),
        ((UP, CRASHED, UP, DOWN), None),
        ((UP, CRASHED, RESTORED, DOWN, UP), None),
        ((CRASHED, RESTORED, UP, DOWN), None),
        ((UP, CRASHED, RESTORED, DOWN, DOWN), "S10"),
        ((UP, CRASHED, RESTORED, UP, DOWN, DOWN), "S10"),
        ((UP, CRASHED, RESTORED, CRASHED, DOWN), "S10"),
    ],
)
def test_who_goes_on_from_a_checkpoint_says_first_what_was_up_before(
    said: tuple[str, ...], invariant: str | None
) -> None:
    def spoil(one: World) -> None:
        details = {"child": "net9", "spi_in": "00000009", "traceback": "Injected"}
        for name in said:
            report = Report(name, "", connection="link1", details=details)
            one.hosts[0].hub.publish(report, 9)

    broken = run_with(PLAN, spoil).broken
    assert (broken.invariant if broken else None) == invariant


@pytest.mark.parametrize("form", [bytes.hex, repr])
def test_a_key_of_an_sa_in_a_report(form: Callable[[bytes], str]) -> None:
    def spoil(one: World) -> None:
        key = next(iter(one.hosts[0].kernel.sas.values())).encr_key
        details = {"key": form(key)}
        one.hosts[0].hub.publish(Report("told", "nothing", details=details))

    broken = run_with(PLAN, spoil).broken
    assert broken is not None
    assert broken.invariant == "S11"


async def test_a_key_that_is_told_before_it_is_in_use() -> None:
    record, key = Record(), bytes(range(32))
    audit = SecretsAudit(record, ())
    audit.told("a report", f"what will be: {key.hex()}")
    assert record.broken is None
    audit.keyed((key,))
    assert record.broken is not None


def test_a_timer_of_a_child_sa_that_is_not_there() -> None:
    def spoil(one: World) -> None:
        (peer,) = one.hosts[0].registry.census
        assert isinstance(peer.association, Association)
        peer.association.timers.start(Timer.CHILD_EXPIRE, math.inf, 77)

    broken = run_with(PLAN, spoil).broken
    assert broken is not None
    assert broken.invariant == "S8"


async def test_large_answers_to_who_has_proven_nothing() -> None:
    record = Record()
    audit = WireAudit(record)
    small, large = first(b""), first(bytes(100), is_response=True)
    audit.arrived(WEST, small)
    audit.sent(WEST, large)
    assert record.broken is not None
    assert record.broken.invariant == "S7"


def first(body: bytes, *, is_response: bool = False) -> Datagram:
    header = write_header(
        b"initiatr",
        b"respondr",
        PayloadType.NONE,
        ExchangeType.IKE_SA_INIT,
        0,
        28 + len(body),
        is_response=is_response,
        from_original_initiator=not is_response,
    )
    return Datagram(Endpoint(WEST, 500), Endpoint(EAST, 500), header + body)


def test_an_sa_for_a_peer_that_has_proven_nothing() -> None:
    def spoil(one: World) -> None:
        host = one.hosts[0]
        (peer,) = host.registry.census
        assert isinstance(peer.association, Association)
        peer.association.phase = Fresh()
        host.kernel.watch("install", list(host.kernel.sas.values())[:1])

    broken = run_with(PLAN, spoil).broken
    assert broken is not None
    assert broken.invariant == "S12"


def test_what_an_operator_takes_down_and_nobody_brings_up_is_missed() -> None:
    def spoil(one: World) -> None:
        one.operators.bring_up = lambda: None  # type: ignore[method-assign]

    plan = replace(PLAN, operations=(Operation(1.0, "down", 1, 0, 0),))
    broken = run_with(plan, spoil).broken
    assert broken is not None
    assert broken.invariant == "E3"
