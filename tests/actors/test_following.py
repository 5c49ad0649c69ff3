"""Scripts and sets that follow children: in order, apart from each other, within limits."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import trio
import trio.testing

from ikeactors.actors.following import (
    MAX_RUNNING,
    MAX_WAITING_OF_A_CHILD,
    Followers,
    followers_of,
)
from ikeactors.actors.updown import ScriptFailed
from ikeactors.protocol.actions import Report, UnfollowChildSa
from ikeactors.protocol.settings import ChildSettings, ConnectionSettings
from tests.actors.test_nft_sets import Nft
from tests.actors.test_updown import ACTION

DOWN = UnfollowChildSa("net")


class Bench:
    """Followers whose scripts and nft are fakes."""

    def __init__(self) -> None:
        self.reports: list[Report] = []
        self.ran: list[tuple[str, str]] = []
        self.hanging: set[str] = set()
        self.nft = Nft()
        self.followers = Followers(self.reports.append, self._run, self.nft.write)

    async def _run(self, path: str, environment: Mapping[str, str]) -> None:
        self.ran.append((environment["PLUTO_CONNECTION"], environment["PLUTO_VERB"]))
        if environment["PLUTO_CONNECTION"] in self.hanging:
            await trio.sleep(30)
            raise ScriptFailed("it was killed")


def named(name: str):  # type: ignore[no-untyped-def]
    return replace(ACTION, settings=ChildSettings(name, updown="/x"))


async def test_up_and_down_are_told_in_their_order(nursery, autojump_clock):
    bench = Bench()
    nursery.start_soon(bench.followers.run)
    bench.followers.up(1, ACTION)
    bench.followers.down(1, DOWN)
    bench.followers.down(1, DOWN)
    await bench.followers.told()
    assert bench.ran == [("net", "up-client"), ("net", "down-client")]
    assert bench.followers.statistics().up == 0


async def test_the_end_of_an_association_takes_down_what_it_has_left_up(nursery, autojump_clock):
    bench = Bench()
    nursery.start_soon(bench.followers.run)
    bench.followers.up(1, ACTION)
    bench.followers.up(2, ACTION)
    bench.followers.ended(1)
    bench.followers.ended(1)
    await bench.followers.told()
    assert sorted(bench.ran) == [("net", "down-client"), *[("net", "up-client")] * 2]
    assert bench.followers.statistics().up == 1


async def test_a_script_that_hangs_delays_its_own_child_alone(nursery, autojump_clock):
    bench = Bench()
    bench.hanging = {"net"}
    nursery.start_soon(bench.followers.run)
    bench.followers.up(1, ACTION)
    bench.followers.down(1, DOWN)
    for number in range(MAX_RUNNING - 1):
        bench.followers.up(2, named(f"n{number}"))
    await trio.testing.wait_all_tasks_blocked()
    assert len(bench.ran) == MAX_RUNNING
    await bench.followers.told()
    assert bench.ran[-1] == ("net", "down-client")
    assert [one.name for one in bench.reports] == ["updown-failed", "updown-failed"]
    assert bench.reports[0].text == "/x up-client of net: it was killed"


async def test_what_waits_for_a_child_is_bounded(nursery, autojump_clock):
    bench = Bench()
    for _ in range(MAX_WAITING_OF_A_CHILD):
        bench.followers.up(1, ACTION)
        bench.followers.down(1, DOWN)
    assert bench.followers.statistics().scripts_waiting == MAX_WAITING_OF_A_CHILD
    assert bench.followers.statistics().scripts_dropped == MAX_WAITING_OF_A_CHILD
    nursery.start_soon(bench.followers.run)
    await bench.followers.told()
    assert bench.followers.statistics().scripts_waiting == 0


async def test_after_a_restart_sets_are_written_and_no_script_runs(nursery, autojump_clock):
    bench = Bench()
    nursery.start_soon(bench.followers.run)
    settings = ChildSettings("net", updown="/x", nft_set="inet/filter/remote")
    bench.followers.up(1, replace(ACTION, settings=settings, again=True))
    await bench.followers.told()
    assert bench.ran == []
    assert bench.nft.told == [
        "flush set inet filter remote",
        "add element inet filter remote { 10.2.0.0/24 }",
    ]
    bench.followers.down(1, DOWN)
    await bench.followers.told()
    assert bench.ran == [("net", "down-client")]


async def test_a_set_that_nft_refuses_is_reported_and_tried_again(nursery, autojump_clock):
    bench = Bench()
    bench.nft.refuses = True
    nursery.start_soon(bench.followers.run)
    settings = ChildSettings("net", nft_set="inet/filter/remote")
    bench.followers.up(1, replace(ACTION, settings=settings))
    await trio.testing.wait_all_tasks_blocked()
    assert [one.text for one in bench.reports] == ["inet/filter/remote: no such set"]
    bench.nft.refuses = False
    await trio.sleep(11)
    assert bench.nft.told[-1] == "add element inet filter remote { 10.2.0.0/24 }"
    assert bench.followers.statistics().sets_failed == 1


async def test_a_successor_goes_on_with_what_waits(nursery, autojump_clock):
    bench = Bench()
    bench.hanging = {"net"}
    with trio.move_on_after(1):
        bench.followers.up(1, ACTION)
        await bench.followers.run()
    bench.hanging = set()
    nursery.start_soon(bench.followers.run)
    await bench.followers.told()
    assert bench.ran == [("net", "up-client"), ("net", "up-client")]


def test_without_anybody_to_tell_there_is_nobody():
    connection = ConnectionSettings("gw", children=(ChildSettings("net"),))
    assert followers_of((connection,), print) is None
    followed = ConnectionSettings("gw", children=(ChildSettings("net", updown="/x"),))
    assert followers_of((followed,), print) is not None
