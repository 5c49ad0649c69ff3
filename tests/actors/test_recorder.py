"""The actor that writes recordings."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path

import trio

from ikeactors.actors.core import CoreAssociations
from ikeactors.actors.recorder import QUEUE_LIMIT, Recorder, run_recorder
from ikeactors.actors.recording_file import RecordingPolicy
from ikeactors.protocol.actions import Report
from ikeactors.protocol.events import DeletionRequested
from ikeactors.protocol.ikev2.association import Association
from ikeactors.protocol.recording.file import Recording, read
from ikeactors.protocol.recording.replay import replay
from ikeactors.protocol.settings import Settings
from ikeactors.protocol.surroundings import Surroundings
from tests.pair import EAST, WEST, Pair, SeededEntropy, connection

KEY = b"0123456789abcdef"


class Studio:
    """A recorder and what it reports."""

    def __init__(self, folder: Path, settings: Settings, **bounds: int) -> None:
        self.folder = folder
        self.reports: list[Report] = []
        policy = RecordingPolicy(folder, "1.0", KEY, **bounds)
        octets = SeededEntropy("salts").octets
        self.recorder = Recorder(policy, settings, octets, self.reports.append)

    async def written(self) -> list[Recording]:
        """What is there when nothing waits any more."""
        with trio.fail_after(5):
            while self.recorder.statistics().waiting:
                await self.recorder.write_waiting()
        return [read(path.read_bytes(), KEY) for path in sorted(self.folder.glob("*.recording"))]


def recorded_pair(folder: Path, **bounds: int) -> tuple[Pair, Studio, Studio]:
    """Both ends recorded to disk."""
    pair = Pair(connection(record=True))
    west = Studio(folder / "west", pair.west_settings, **bounds)
    east = Studio(folder / "east", pair.east_settings, **bounds)
    makers = [
        CoreAssociations(settings, Surroundings(pair.entropies[name]), studio.recorder)
        for name, settings, studio in (
            ("west", pair.west_settings, west),
            ("east", pair.east_settings, east),
        )
    ]
    called = pair.west_settings.connections[0]
    pair.west.association = makers[0].initiating(called, WEST, EAST)
    pair.east.association = makers[1].responding(EAST, WEST)
    return pair, west, east


async def test_both_roles_are_recorded_from_their_first_step_to_their_last(tmp_path: Path) -> None:
    pair, *studios = recorded_pair(tmp_path)
    pair.establish()
    pair.give(pair.west, DeletionRequested())
    pair.settle()
    for studio in studios:
        (recording,) = await studio.written()
        assert "closed" in recording.end
        assert len(recording.steps) > 4
        assert not any(one.difference for one in replay(recording.beginning, recording.steps))
        assert studio.reports == []


async def test_a_peer_that_has_proven_nothing_leaves_nothing_on_the_disk(tmp_path: Path) -> None:
    pair, _, east = recorded_pair(tmp_path)
    pair.initiate()
    pair.deliver(pair.flights[0])
    assert await east.written() == []
    for _ in range(100):
        pair.give(pair.east, pair.flights[0].datagram)
    assert not east.folder.exists()


async def test_only_connections_that_ask_for_it_are_recorded(tmp_path: Path) -> None:
    pair = Pair()
    studio = Studio(tmp_path, pair.west_settings)
    maker = CoreAssociations(
        pair.west_settings, Surroundings(pair.entropies["west"]), studio.recorder
    )
    called = pair.west_settings.connections[0]
    assert isinstance(maker.initiating(called, WEST, EAST), Association)
    assert isinstance(maker.responding(WEST, EAST), Association)


async def test_a_responder_is_forgotten_once_its_connection_is_another(tmp_path: Path) -> None:
    pair, _, east = recorded_pair(tmp_path)
    quiet = tuple(replace(one, record=False) for one in pair.east_settings.connections)
    east.recorder.settings = replace(pair.east_settings, connections=quiet)
    pair.establish()
    assert await east.written() == []


async def test_one_that_ends_before_its_time_is_reported(tmp_path: Path) -> None:
    pair, west, _ = recorded_pair(tmp_path, size=3000)
    pair.establish()
    (recording,) = await west.written()
    assert "record_size" in recording.end
    (report,) = west.reports
    assert report.name == "recording-broken-off"
    assert str(tmp_path) in report.text


async def test_a_queue_that_is_full_ends_recordings(tmp_path: Path) -> None:
    pair, west, _ = recorded_pair(tmp_path)
    pair.initiate()
    for _ in range(QUEUE_LIMIT + 10):
        pair.give(pair.west, DeletionRequested("none"))
    assert west.recorder.statistics().waiting == QUEUE_LIMIT + 1
    (recording,) = await west.written()
    assert recording.end == "the disk is too slow"
    assert [report.name for report in west.reports] == ["recording-broken-off"]


async def test_steps_of_a_worker_wake_the_writer(tmp_path: Path) -> None:
    pair, west, _ = recorded_pair(tmp_path)
    async with writing(west.recorder):
        await trio.to_thread.run_sync(pair.initiate)
        with trio.fail_after(5):
            while not west.recorder.statistics().written:
                await trio.sleep(0.001)
    assert len(await west.written()) == 1


@asynccontextmanager
async def writing(recorder: Recorder) -> AsyncIterator[None]:
    async with trio.open_nursery() as nursery:
        nursery.start_soon(run_recorder, recorder)
        yield
        nursery.cancel_scope.cancel()
