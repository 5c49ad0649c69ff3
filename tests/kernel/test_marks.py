"""Marks that say whose an SA or a policy is."""

from __future__ import annotations

from dataclasses import replace

from ikeactors.kernel.marks import Marks
from tests.fakes.sas import EAST, sa

OURS, THEIRS = Marks.of_daemon("/run/one.sock"), Marks.of_daemon("/run/other.sock")


def test_the_mark_of_an_sa_is_that_of_its_name_and_its_daemon() -> None:
    sa_id = sa().sa_id
    named = {
        OURS.of_sa(sa_id),
        THEIRS.of_sa(sa_id),
        OURS.of_sa(replace(sa_id, spi=0x1001)),
        OURS.of_sa(replace(sa_id, destination=EAST + 1)),
    }
    assert len(named) == 4
    assert OURS.of_sa(sa_id) == Marks.of_daemon("/run/one.sock").of_sa(sa_id)


def test_a_mark_is_never_what_an_entry_without_one_has() -> None:
    assert all(Marks(one).of_sa(sa(spi).sa_id) for one in range(8) for spi in range(256, 512))
    # Without a limit all bits are set.
    assert all(Marks.of_daemon(str(one)).policy < 2**64 - 1 for one in range(1000))


def test_a_policys_mark_is_a_limit_that_nobody_reaches() -> None:
    assert OURS.policy > 2**63
    assert OURS.policy != THEIRS.policy


def test_the_marks_of_a_daemons_sas_are_spread() -> None:
    """A kernel hashes SAs by them: one mark for all would make each search a long one."""
    marks = {OURS.of_sa(sa(spi).sa_id) & 0xFFF for spi in range(256, 256 + 4096)}
    assert len(marks) > 2000
