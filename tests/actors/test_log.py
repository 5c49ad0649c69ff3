"""The log: what gets into it, how it looks, and that nobody waits for it."""

from __future__ import annotations

import json
import os
import threading

import pytest
import trio

from ikeactors.actors import log as log_module
from ikeactors.actors.log import Log, LogLevels, is_journal, run_log, write_to
from ikeactors.actors.log_lines import LogFormat, json_line, line_form, text_line
from ikeactors.actors.reports import Published, ReportHub
from ikeactors.protocol.actions import Level, Report
from ikeactors.protocol.settings import ConnectionSettings

AT = 1_795_000_000.25
WHEN = "2026-11-18T11:06:40.250Z"


class Paper:
    """What has been written."""

    def __init__(self) -> None:
        self.octets = b""

    def write(self, octets: bytes) -> None:
        self.octets += octets

    @property
    def lines(self) -> list[str]:
        return self.octets.decode().splitlines()


def logging(paper: Paper, levels: LogLevels | None = None) -> tuple[ReportHub, Log]:
    hub = ReportHub(lambda: AT)
    return hub, Log(hub, levels or LogLevels(), text_line, paper.write)


def published(report: Report, association: int = 12) -> Published:
    return Published(1, AT, association, report)


async def written(hub: ReportHub, log: Log, *reports: Report) -> None:
    async with trio.open_nursery() as nursery:
        nursery.start_soon(run_log, log)
        for report in reports:
            hub.publish(report, 12)
        await trio.testing.wait_all_tasks_blocked()
        nursery.cancel_scope.cancel()


def test_a_line_has_time_level_connection_number_name_text_and_details() -> None:
    report = Report(
        "ike-sa-established",
        "The IKE SA is up.",
        connection="site-a-b",
        details={"remote": "10.77.0.2:500", "suite": "two words", "nat": False, "age": 3},
    )

    assert text_line(published(report)) == (
        f"{WHEN} info    site-a-b[12] ike-sa-established: The IKE SA is up."
        ' remote=10.77.0.2:500 suite="two words" nat=no age=3'
    )


def test_a_report_of_no_connection_has_none_in_its_line() -> None:
    line = text_line(published(Report("daemon-started", "Ready.", Level.WARNING), 0))

    assert line == f"{WHEN} warning daemon-started: Ready."


@pytest.mark.parametrize("form", list(LogFormat))
def test_what_a_peer_chose_cannot_begin_a_line_or_move_the_cursor(form: LogFormat) -> None:
    evil = 'b.lab\n2026 error FORGED\x1b[2J\x9b\u202e"\ud800' + "A" * 9000
    report = Report("peer-identified", f"It is {evil}.", connection=evil, details={evil: evil})

    line = line_form(form, to_journal=False)(published(report))

    assert line.isprintable()
    assert "\n" not in line
    line.encode()
    assert len(line) < 4500


def test_a_line_for_programs_is_one_json_object() -> None:
    report = Report("child-sa-installed", "In.", connection="site-a-b", details={"spi": "c0ffee"})

    assert json.loads(json_line(published(report))) == {
        "time": WHEN,
        "level": "info",
        "connection": "site-a-b",
        "association": 12,
        "name": "child-sa-installed",
        "text": "In.",
        "details": {"spi": "c0ffee"},
    }


def test_the_journal_gets_its_own_priorities_and_no_time() -> None:
    form = line_form(LogFormat.TEXT, to_journal=True)

    assert form(published(Report("actor-crashed", "Oh.", Level.ERROR), 0)) == (
        "<3>actor-crashed: Oh."
    )


def test_the_journal_is_known_by_its_device_and_inode() -> None:
    reading, writing = os.pipe()
    try:
        status = os.fstat(writing)
        stream = {"JOURNAL_STREAM": f"{status.st_dev}:{status.st_ino}"}
        assert is_journal(writing, stream)
        assert not is_journal(writing, {})
    finally:
        os.close(reading)
        os.close(writing)


@pytest.mark.parametrize("form", list(LogFormat))
def test_octets_that_stray_into_a_report_are_not_written(form: LogFormat) -> None:
    secret = b"the secret of a.lab and b.lab"
    details = {"psk": secret, "keys": [secret], "more": bytearray(secret), secret: secret}
    report = Report("slip", "A slip of ours.", details=details)  # type: ignore[arg-type]

    line = line_form(form, to_journal=False)(published(report))

    assert secret.decode() not in line
    assert secret.hex() not in line
    assert repr(secret)[2:-1] not in line


def test_a_connection_may_have_its_own_level() -> None:
    connections = (ConnectionSettings("loud", log_level="debug"), ConnectionSettings("plain"))
    levels = LogLevels.configured("warning", connections)

    assert levels.passes(Report("x", "", Level.DEBUG, "loud"))
    assert not levels.passes(Report("x", "", Level.INFO, "plain"))
    levels.change(None, "loud")
    levels.change(Level.INFO)
    assert not levels.passes(Report("x", "", Level.DEBUG, "loud"))
    assert levels.passes(Report("x", "", Level.INFO, "plain"))
    assert levels.table() == {"": Level.INFO}


async def test_only_what_matters_enough_is_formatted() -> None:
    formed: list[str] = []

    def form(one: Published) -> str:
        formed.append(one.report.name)
        return one.report.name

    hub, paper = ReportHub(lambda: AT), Paper()
    log = Log(hub, LogLevels(Level.INFO), form, paper.write)
    await written(hub, log, Report("small", "", Level.DEBUG), Report("large", ""))

    assert formed == ["large"]
    assert paper.lines == ["large"]


async def test_the_level_can_be_changed_while_it_runs() -> None:
    paper = Paper()
    hub, log = logging(paper)

    async with trio.open_nursery() as nursery:
        nursery.start_soon(run_log, log)
        hub.publish(Report("before", "", Level.DEBUG))
        await trio.testing.wait_all_tasks_blocked()
        log.levels.change(Level.DEBUG)
        hub.publish(Report("after", "", Level.DEBUG))
        await trio.testing.wait_all_tasks_blocked()
        nursery.cancel_scope.cancel()

    assert len(paper.lines) == 1
    assert "after" in paper.lines[0]


async def test_what_was_reported_before_the_end_is_still_written() -> None:
    paper = Paper()
    hub, log = logging(paper)

    async with trio.open_nursery() as nursery:
        nursery.start_soon(run_log, log)
        await trio.testing.wait_all_tasks_blocked()
        for number in range(1000):
            hub.publish(Report(f"r{number}", ""))
        nursery.cancel_scope.cancel()

    assert len(paper.lines) == 1000
    assert log.statistics() == log_module.LogStatistics(1000, 0, 0)


async def test_a_restarted_log_goes_on() -> None:
    paper = Paper()
    hub, log = logging(paper)

    await written(hub, log, Report("first", ""))
    hub.publish(Report("between", ""))
    await written(hub, log, Report("third", ""))

    names = [line.split()[2].strip(":") for line in paper.lines]
    assert names == ["[12]", "between", "[12]"]


async def test_a_reader_that_is_stuck_stops_nobody_and_its_losses_are_told(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(log_module, "QUEUE_LIMIT", 10)
    paper, stuck = Paper(), threading.Event()

    def write(octets: bytes) -> None:
        stuck.wait()
        paper.write(octets)

    hub = ReportHub(lambda: AT)
    log = Log(hub, LogLevels(), text_line, write)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(run_log, log)
        for number in range(100):
            hub.publish(Report(f"r{number}", ""))
            await trio.testing.wait_all_tasks_blocked()
        assert log.statistics().dropped == 89
        stuck.set()
        while log.statistics().waiting:
            await trio.lowlevel.checkpoint()
        hub.publish(Report("again", ""))
        await trio.testing.wait_all_tasks_blocked()
        nursery.cancel_scope.cancel()

    assert "89 lines were lost" in paper.lines[-2]
    assert "again" in paper.lines[-1]


async def test_a_log_nobody_takes_is_counted_and_no_crash() -> None:
    def write(octets: bytes) -> None:
        raise BrokenPipeError

    hub = ReportHub(lambda: AT)
    log = Log(hub, LogLevels(), text_line, write)
    await written(hub, log, Report("lost", ""))

    assert log.statistics().dropped == 1


def test_all_is_written_to_a_descriptor_that_does_not_block() -> None:
    reading, writing = os.pipe()
    os.set_blocking(writing, False)
    octets = os.urandom(300_000)
    got = bytearray()

    def read() -> None:
        while chunk := os.read(reading, 65536):
            got.extend(chunk)

    reader = threading.Thread(target=read)
    reader.start()
    write_to(writing)(octets)
    os.close(writing)
    reader.join()
    os.close(reading)

    assert bytes(got) == octets
