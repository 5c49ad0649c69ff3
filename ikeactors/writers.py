"""What writes down: the log, and keys, recordings and checkpoints where somebody asked for them."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import trio

from ikeactors import __version__
from ikeactors.actors.entropy import SystemEntropy
from ikeactors.actors.following import Followers, followers_of
from ikeactors.actors.keeper import Keeper, run_keeper
from ikeactors.actors.keylog import KeyLog, run_key_log
from ikeactors.actors.log import STANDARD_ERROR, Log, LogLevels, is_journal, run_log, write_to
from ikeactors.actors.log_lines import LogFormat, line_form
from ikeactors.actors.recorder import Recorder, run_recorder
from ikeactors.actors.recording_file import RecordingPolicy
from ikeactors.actors.reports import ReportHub
from ikeactors.actors.sole_use import SoleUse, claim
from ikeactors.actors.store import SqliteStore
from ikeactors.actors.supervisor import ChildSpecification
from ikeactors.config import Configuration
from ikeactors.protocol.actions import Level, Report
from ikeactors.protocol.settings import Settings

_RECORDINGS = "recordings"
_STATE = "state.db"
_BOOT_ID = Path("/proc/sys/kernel/random/boot_id")
# For a disk that is slow. What is lost is the end of recordings.
_PATIENCE = 2.0


@dataclass(frozen=True, slots=True)
class Writers:
    """Each outlives its actor."""

    log: Log
    key_log: KeyLog | None
    recorder: Recorder | None
    keeper: Keeper | None
    followers: Followers | None
    sole_use: SoleUse | None = None

    def children(self) -> Iterator[ChildSpecification]:
        """Their actors."""
        yield ChildSpecification("log", partial(run_log, self.log))
        if self.key_log is not None:
            yield ChildSpecification("key-log", partial(run_key_log, self.key_log))
        if self.recorder is not None:
            yield ChildSpecification("recorder", partial(run_recorder, self.recorder))
        if self.keeper is not None:
            yield ChildSpecification("store", partial(run_keeper, self.keeper))
        if self.followers is not None:
            yield ChildSpecification("followers", self.followers.run)

    async def aclose(self) -> None:
        """Write what still waits for the disk, within bounds."""
        with trio.move_on_after(_PATIENCE, shield=True):
            while self.recorder is not None and self.recorder.statistics().waiting:
                await self.recorder.write_waiting()
        if self.keeper is not None:
            await self.keeper.aclose()
        if self.sole_use is not None:
            self.sole_use.close()

    def statistics(self) -> dict[str, object]:
        """What the admin socket shows of them."""
        there = {
            "log": self.log,
            "key-log": self.key_log,
            "recorder": self.recorder,
            "store": self.keeper,
            "followers": self.followers,
        }
        return {name: one.statistics() for name, one in there.items() if one is not None}


def open_writers(
    configuration: Configuration, settings: Settings, key_log: Path | None, hub: ReportHub
) -> Writers:
    """Make them; the log first, so that it hears of the others. Raises `DirectoryInUse`."""
    daemon = configuration.daemon
    sole_use = claim(Path(daemon.runtime_dir)) if daemon.store != "none" else None
    return Writers(
        _log(configuration, hub),
        None if key_log is None else _key_log(key_log, hub),
        _recorder(configuration, settings, hub),
        _keeper(configuration, hub),
        followers_of(configuration.connections, hub.publish),
        sole_use,
    )


def _log(configuration: Configuration, hub: ReportHub) -> Log:
    settings = configuration.daemon
    levels = LogLevels.configured(settings.log_level, configuration.connections)
    to_journal = is_journal(STANDARD_ERROR, os.environ)
    form = line_form(LogFormat(settings.log_format), to_journal=to_journal)
    return Log(hub, levels, form, write_to(STANDARD_ERROR))


def _key_log(path: Path, hub: ReportHub) -> KeyLog:
    key_log = KeyLog(path)
    text = (
        f"ALL KEYS ARE WRITTEN to {key_log.ike_path} and {key_log.esp_path}: whoever reads these "
        "files reads the traffic (--key-log)"
    )
    hub.publish(Report("key-log-open", text, Level.ERROR))
    return key_log


def _recorder(configuration: Configuration, settings: Settings, hub: ReportHub) -> Recorder | None:
    recorded = [one.name for one in configuration.connections if one.record]
    if not recorded:
        return None
    daemon = configuration.daemon
    folder = Path(daemon.runtime_dir) / _RECORDINGS
    policy = RecordingPolicy(
        folder, __version__, configuration.record_key, daemon.record_size, daemon.record_files
    )
    text = f"recorded in {folder}, keys included, sealed: {', '.join(recorded)} (record)"
    hub.publish(Report("recorder-open", text, Level.WARNING))
    return Recorder(policy, settings, SystemEntropy().octets, hub.publish)


def _keeper(configuration: Configuration, hub: ReportHub) -> Keeper | None:
    daemon = configuration.daemon
    if daemon.store == "none":
        return None
    path = Path(daemon.runtime_dir) / _STATE
    boot = _BOOT_ID.read_text(encoding="ascii").strip()
    store = SqliteStore(path, boot, configuration.store_key)
    return Keeper(store, hub.publish, _since_boot)


def _since_boot() -> float:
    """Goes on while the host sleeps, and over our own restart."""
    return time.clock_gettime(time.CLOCK_BOOTTIME)
