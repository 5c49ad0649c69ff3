"""What writes down is there where it was asked for."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from ikeactors.actors.reports import ReportHub
from ikeactors.config import Configuration, DaemonSettings
from ikeactors.writers import open_writers
from tests.fakes.peers import connection

QUIET = Configuration(DaemonSettings(log_level="error", store="none"), (connection(),))


def names(configuration: Configuration, key_log: Path | None = None) -> list[str]:
    hub = ReportHub(lambda: 0.0)
    writers = open_writers(configuration, configuration.settings(), key_log, hub)
    children = [child.name for child in writers.children()]
    assert list(writers.statistics()) == children
    return children


async def test_the_log_is_always_there_and_the_others_on_demand(tmp_path: Path) -> None:
    assert names(QUIET) == ["log"]
    assert names(QUIET, tmp_path) == ["log", "key-log"]
    recorded = replace(QUIET, connections=(replace(connection(), record=True),), record_key=b"key")
    assert names(recorded) == ["log", "recorder"]


async def test_what_is_recorded_is_said_in_the_log(tmp_path: Path) -> None:
    hub = ReportHub(lambda: 0.0)
    heard = hub.subscribe()
    daemon = replace(QUIET.daemon, runtime_dir=str(tmp_path))
    recorded = Configuration(daemon, (replace(connection("gw"), record=True),), record_key=b"key")
    open_writers(recorded, recorded.settings(), None, hub)
    published = await anext(aiter(heard))
    assert published.report.text == (
        f"recorded in {tmp_path}/recordings, keys included, sealed: gw (record)"
    )
    assert not (tmp_path / "recordings").exists()
