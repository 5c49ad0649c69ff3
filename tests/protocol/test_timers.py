"""The table of deadlines."""

from __future__ import annotations

import math

from ikeactors.protocol.timers import Timer, TimerTable


def test_a_table_without_timers_is_never_due() -> None:
    timers = TimerTable()
    assert timers.deadline == math.inf
    assert timers.expire(1e9) == []


def test_the_deadline_is_that_of_the_earliest_timer() -> None:
    timers = TimerTable()
    timers.start(Timer.IKE_REKEY, 30.0)
    timers.start(Timer.CHILD_REKEY, 20.0, 7)
    assert timers.deadline == 20.0
    timers.stop(Timer.CHILD_REKEY, 7)
    assert timers.deadline == 30.0


def test_timers_expire_in_the_order_of_their_deadlines_and_once() -> None:
    timers = TimerTable()
    timers.start(Timer.CHILD_REKEY, 3.0, 2)
    timers.start(Timer.LIVENESS, 2.0)
    timers.start(Timer.CHILD_REKEY, 3.0, 1)
    timers.start(Timer.KEEPALIVE, 4.0)
    assert timers.expire(3.0) == [
        (Timer.LIVENESS, 0),
        (Timer.CHILD_REKEY, 1),
        (Timer.CHILD_REKEY, 2),
    ]
    assert timers.expire(3.0) == []
    assert timers.deadline == 4.0


def test_a_timer_that_is_started_again_moves() -> None:
    timers = TimerTable()
    timers.start(Timer.LIVENESS, 2.0)
    timers.start(Timer.LIVENESS, 9.0)
    assert timers.expire(5.0) == []
    assert timers.due_at(Timer.LIVENESS) == 9.0
    assert timers.due_at(Timer.KEEPALIVE) == math.inf


def test_stopping_what_does_not_run_is_no_mistake() -> None:
    timers = TimerTable()
    timers.stop(Timer.LIVENESS)
    timers.start(Timer.LIVENESS, 2.0)
    timers.stop_all()
    assert timers.deadline == math.inf
