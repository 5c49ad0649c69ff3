"""The fifteen collisions of the IPv6 Ready conformance cases, EN.I.1.2.6.1 to 15.

The peer's own part in each is played by the other end, so both roles are seen.
"""

from __future__ import annotations

from collections.abc import Callable

import pytest

from ikeactors.protocol.events import InitiationRequested
from tests.protocol.ikev2.collisions.stage import Stage

Script = Callable[[Stage, str, str], None]


def down(stage: Stage) -> None:
    """No Child SA stands, as at the beginning of a childless case."""
    stage.delete("west")
    stage.settle()
    stage.pair.pass_time(6)


def up(stage: Stage, name: str) -> None:
    stage.pair.give(stage.end(name), InitiationRequested(("net",), None))


def simultaneous_child_close(stage: Stage, end: str, other: str) -> None:
    stage.delete(end)
    stage.delete(other)


def simultaneous_ike_close(stage: Stage, end: str, other: str) -> None:
    stage.delete_ike(end)
    stage.delete_ike(other)


def simultaneous_child_rekey(stage: Stage, end: str, other: str) -> None:
    stage.rekey(end, other)


def simultaneous_child_rekey_with_retransmission(stage: Stage, end: str, other: str) -> None:
    stage.rekey(end, other)
    stage.hold(other)
    stage.settle()
    stage.pair.pass_time(3)


def simultaneous_ike_rekey(stage: Stage, end: str, other: str) -> None:
    stage.rekey_ike(end, other)


def simultaneous_ike_rekey_with_retransmission(stage: Stage, end: str, other: str) -> None:
    stage.rekey_ike(end, other)
    stage.hold(other)
    stage.settle()
    stage.pair.pass_time(3)


def closing_and_rekeying_a_child(stage: Stage, end: str, other: str) -> None:
    stage.delete(end)
    stage.rekey(other)


def closing_a_new_child(stage: Stage, end: str, other: str) -> None:
    """The Delete of the new one overtakes the answer that makes it."""
    down(stage)
    up(stage, end)
    stage.arrive(other)
    answer = stage.hold(end)
    stage.delete(other)
    stage.settle()
    stage.release(answer)


def rekeying_a_new_child(stage: Stage, end: str, other: str) -> None:
    down(stage)
    up(stage, end)
    stage.arrive(other)
    answer = stage.hold(end)
    stage.rekey(other)
    stage.arrive(end)
    assert "N(TEMPORARY_FAILURE)" in stage.pair.trace[-1]
    stage.release(answer)


def rekeying_the_ike_sa_with_half_open_children(stage: Stage, end: str, other: str) -> None:
    down(stage)
    up(stage, end)
    stage.rekey_ike(other)
    stage.arrive(end)
    assert "N(TEMPORARY_FAILURE)" in stage.pair.trace[-1]


def rekeying_a_child_while_rekeying_the_ike_sa(stage: Stage, end: str, other: str) -> None:
    stage.rekey_ike(end)
    stage.rekey(other)
    stage.arrive(end)
    assert "N(TEMPORARY_FAILURE)" in stage.pair.trace[-1]


def rekeying_the_ike_sa_with_half_closed_children(stage: Stage, end: str, other: str) -> None:
    stage.delete(end)
    stage.rekey_ike(other)
    stage.arrive(end)
    assert "N(TEMPORARY_FAILURE)" in stage.pair.trace[-1]


def closing_a_child_while_rekeying_the_ike_sa(stage: Stage, end: str, other: str) -> None:
    stage.rekey_ike(end)
    stage.delete(other)
    stage.arrive(end)
    assert stage.pair.trace[-1].endswith("{D}")


def closing_the_ike_sa_while_rekeying_it(stage: Stage, end: str, other: str) -> None:
    stage.rekey_ike(end)
    stage.delete_ike(other)
    stage.arrive(end)
    assert stage.pair.trace[-1].endswith("{}")


def rekeying_the_ike_sa_while_closing_it(stage: Stage, end: str, other: str) -> None:
    stage.delete_ike(end)
    stage.rekey_ike(other)
    stage.arrive(end)
    assert "N(TEMPORARY_FAILURE)" in stage.pair.trace[-1]


# Each case, and how many Child SAs are left; None where the IKE SA is gone.
CASES: list[tuple[Script, int | None]] = [
    (simultaneous_child_close, 0),
    (simultaneous_ike_close, None),
    (simultaneous_child_rekey, 1),
    (simultaneous_child_rekey_with_retransmission, 1),
    (simultaneous_ike_rekey, 1),
    (simultaneous_ike_rekey_with_retransmission, 1),
    (closing_and_rekeying_a_child, 0),
    (closing_a_new_child, 0),
    (rekeying_a_new_child, 1),
    (rekeying_the_ike_sa_with_half_open_children, 1),
    (rekeying_a_child_while_rekeying_the_ike_sa, 1),
    (rekeying_the_ike_sa_with_half_closed_children, 0),
    (closing_a_child_while_rekeying_the_ike_sa, 0),
    (closing_the_ike_sa_while_rekeying_it, None),
    (rekeying_the_ike_sa_while_closing_it, None),
]


@pytest.mark.parametrize(("end", "other"), [("west", "east"), ("east", "west")])
@pytest.mark.parametrize("lowest", ["west i", "west r", "east i", "east r"])
@pytest.mark.parametrize(("script", "left"), CASES, ids=[one.__name__ for one, _ in CASES])
def test_a_conformance_case_comes_to_rest(
    script: Script, left: int | None, lowest: str, end: str, other: str
) -> None:
    stage = Stage(lowest, gapless=False)
    script(stage, end, other)
    stage.settle()
    stage.pair.pass_time(300)
    if left is None:
        stage.assert_closed()
        return
    names = [one.name for one in stage.end(end).association.children]
    assert names == ["net"] * left
    (shown,) = {stage.shows(one) for one in ("west", "east")}
    stage.assert_rest(*(one.split()[0] for one in shown.split(", ") if one))
    assert stage.ike_maker() in ("west", "east")
