"""The ikeactors command against a running daemon: what it prints and how it ends."""

from __future__ import annotations

import json
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.lab.commands import stop, wait_until
from tests.lab.ikeactors import IkeactorsPeer
from tests.lab.namespaces import Network, direct
from tests.lab.pair import Pair, paired
from tests.lab.peer import SECRET, established
from tests.lab.traffic import ping
from tests.lab.tunnels import CHILD, CONNECTION, IDENTITIES, connection

pytestmark = pytest.mark.netns


@pytest.fixture(scope="module")
def two(network: Network) -> Iterator[Pair]:
    with paired(network, ("ikeactors", "ikeactors")) as made:
        yield made


@pytest.fixture
def west(two: Pair) -> IkeactorsPeer:
    """The daemon in the west with its tunnel up."""
    two.up()
    assert isinstance(two.west, IkeactorsPeer)
    return two.west


def test_status_names_the_ends_the_suite_and_the_traffic(west: IkeactorsPeer, two: Pair) -> None:
    ping(two.network.west, two.network.east)

    printed = west.command("status")

    for word in (CONNECTION, "IKEv2", "ESTABLISHED", "10.77.0.1", "west.lab", "AES_GCM_16_128"):
        assert word in printed
    for word in (CHILD[4], "ESP", "INSTALLED", "10.1.0.0/24", "10.2.0.0/24", "packets"):
        assert word in printed


def test_status_names_what_is_down(west: IkeactorsPeer) -> None:
    west.down(CONNECTION)
    wait_until(lambda: not west.sas(), 5.0, "the IKE SA is gone")

    assert "DOWN" in west.command("status")


def test_every_command_has_json(west: IkeactorsPeer) -> None:
    for argv in (("status",), ("list", "conns"), ("list", "sas"), ("version",)):
        assert west.json(*argv)


def test_no_command_prints_a_secret(west: IkeactorsPeer) -> None:
    printed = [
        west.command(*argv)
        for argv in (("status", "--json"), ("list", "conns", "--json"), ("list", "sas", "--json"))
    ]

    assert SECRET not in "".join(printed) + west.log
    assert SECRET.encode().hex() not in "".join(printed) + west.log


def test_up_shows_the_exchange(west: IkeactorsPeer) -> None:
    west.down(CONNECTION)
    wait_until(lambda: not west.sas(), 5.0, "the IKE SA is gone")

    printed = west.attempt("up", CONNECTION)

    assert printed.returncode == 0
    shown = printed.stdout + printed.stderr
    assert "--> HDR, SAi1, KEi, Ni" in shown
    assert "<-- HDR, SAr1, KEr, Nr" in shown


def test_up_of_what_is_up_succeeds_and_adds_nothing(west: IkeactorsPeer) -> None:
    before = west.sas()

    west.up(CONNECTION, CHILD[4])

    assert [sa.spi_i for sa in west.sas()] == [sa.spi_i for sa in before]
    sa = established(west, CONNECTION)
    assert sa is not None
    assert len(sa.installed) == len(CHILD)


def test_an_unknown_name_is_refused_with_the_nearest(west: IkeactorsPeer) -> None:
    done = west.attempt("up", "gww")

    assert done.returncode == 1
    assert CONNECTION in done.stderr


def test_wrong_usage_ends_with_2(west: IkeactorsPeer) -> None:
    assert west.attempt("rekey").returncode == 2


def test_events_are_told_as_they_happen(west: IkeactorsPeer, tmp_path: Path) -> None:
    output = tmp_path / "events"
    events = west.start_command("events", "--json", output=output)
    try:
        # The first event says that the subscription stands; rekeys are repeated until it does.
        def is_told() -> bool:
            west.rekey_child(CONNECTION, CHILD[4])
            return output.stat().st_size > 0

        wait_until(is_told, 10.0, "an event")
    finally:
        status = stop(events, signal.SIGINT)

    lines = [json.loads(line) for line in output.read_text().splitlines()]
    assert all(isinstance(line, dict) for line in lines)
    assert "Traceback" not in output.read_text()
    assert status in (0, 130, -signal.SIGINT)


def test_the_log_level_changes_at_run_time(west: IkeactorsPeer) -> None:
    west.command("log-level", "error")
    size = len(west.log)
    west.rekey_child(CONNECTION, CHILD[4])
    assert len(west.log) == size

    west.command("log-level", "debug")
    west.rekey_child(CONNECTION, CHILD[4])
    wait_until(lambda: len(west.log) > size, 5.0, "something is logged")


def test_an_absent_daemon_is_named(tmp_path: Path, west: IkeactorsPeer) -> None:
    absent = tmp_path / "absent.sock"

    done = west.attempt("--socket", str(absent), "status")

    assert done.returncode == 3
    assert str(absent) in done.stderr


def test_sigterm_deletes_the_sas_and_ends_with_0() -> None:
    with direct() as network:
        east = IkeactorsPeer(network.east, connection(network, network.east), IDENTITIES)
        west = IkeactorsPeer(network.west, connection(network, network.west), IDENTITIES)
        with east, west:
            west.up(CONNECTION, CHILD[4])
            assert established(east, CONNECTION)

            assert west.stop() == 0

            wait_until(lambda: not east.sas(), 5.0, "the peer is told")
            assert "220" not in network.west.run("ip", "rule")
            assert "10.2.0.0" not in network.west.run("ip", "route", "show", "table", "all")
