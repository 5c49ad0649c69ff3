"""The whole daemon in one process, with its sockets on the loopback interface."""

from __future__ import annotations

import gc
import os
import signal
import stat
from collections.abc import Iterator
from dataclasses import replace
from ipaddress import ip_address
from pathlib import Path

import pytest
import trio

from ikeactors.actors.backends import Backend
from ikeactors.actors.probing import Choice
from ikeactors.actors.unix_socket import ControlSocketUnusable
from ikeactors.config import Configuration, DaemonSettings
from ikeactors.daemon import run_daemon
from ikeactors.kernel.requests import PolicyAction
from ikeactors.parts import Options
from ikeactors.ports import Ports
from ikeactors.protocol.recording.file import read
from ikeactors.protocol.recording.replay import replay
from ikeactors.protocol.settings import ConnectionSettings, Shunt
from tests.fakes.kernel import SimulatedKernel
from tests.fakes.peers import connection
from tests.fakes.sas import policy
from tests.pair import ike

LOOPBACK = ip_address("127.0.0.1")


@pytest.fixture(autouse=True)
def collector() -> Iterator[None]:
    """The daemon tunes the garbage collector of its process: here that is the tests'."""
    before = gc.get_threshold()
    yield
    gc.set_threshold(*before)
    gc.unfreeze()


@pytest.fixture
def configuration(tmp_path: Path) -> Configuration:
    daemon = DaemonSettings(
        listen=(LOOPBACK,),
        port=0,
        port_nat_t=0,
        admin_socket=str(tmp_path / "run" / "admin.sock"),
        stop_timeout=0.2,
        log_level="error",
        runtime_dir=str(tmp_path / "state"),
        stop_action="delete",
    )
    return Configuration(daemon, (connection(remote="127.0.0.1", start=True),))


class Run:
    """A daemon that is told something as soon as it is ready."""

    def __init__(self, configuration: Configuration, key_log: Path | None = None) -> None:
        self.configuration = configuration
        self.options = Options(key_log, ports=Ports(probe=self.choose))
        self.kernel = SimulatedKernel()
        self.was_ready = False

    async def __call__(self, tell: signal.Signals) -> None:
        def ready() -> None:
            self.was_ready = True
            os.kill(os.getpid(), tell)

        with trio.fail_after(10):
            await run_daemon(self.configuration, self.options, ready)

    async def choose(self, *_: object) -> Choice:
        backend: Backend = self.kernel
        return Choice(backend, "a test")


@pytest.mark.parametrize("told", [signal.SIGTERM, signal.SIGINT])
async def test_a_signal_takes_the_daemon_down_and_leaves_nothing(
    configuration: Configuration, told: signal.Signals
) -> None:
    run = Run(configuration)
    await run(told)
    assert run.was_ready
    assert not Path(configuration.daemon.admin_socket).exists()


async def test_what_passes_and_what_is_dropped_is_in_force_while_the_daemon_runs(
    configuration: Configuration,
) -> None:
    dropping = replace(policy(), action=PolicyAction.DROP)
    local = ConnectionSettings("local", shunts=(Shunt("drop", (dropping,)),))
    run = Run(replace(configuration, connections=(local,)))
    async with trio.open_nursery() as nursery:
        started = trio.Event()
        nursery.start_soon(run_daemon, run.configuration, run.options, started.set)
        with trio.fail_after(5):
            await started.wait()
            while not run.kernel.policies:
                await trio.lowlevel.checkpoint()
        assert list(run.kernel.policies.values()) == [dropping]
        os.kill(os.getpid(), signal.SIGTERM)
    assert not run.kernel.policies


async def test_a_second_daemon_on_the_same_admin_socket_is_refused(
    configuration: Configuration, tmp_path: Path
) -> None:
    elsewhere = replace(configuration.daemon, runtime_dir=str(tmp_path / "elsewhere"))
    second = Run(replace(configuration, daemon=elsewhere))

    async with trio.open_nursery() as nursery:
        started = trio.Event()
        nursery.start_soon(run_daemon, configuration, Run(configuration).options, started.set)
        with trio.fail_after(5):
            await started.wait()
        with pytest.raises(ControlSocketUnusable, match="another daemon is listening"):
            await second(signal.SIGTERM)
        nursery.cancel_scope.cancel()
    assert not second.was_ready


async def test_a_key_log_is_opened_for_the_owner_alone_and_warned_about(
    configuration: Configuration, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    run = Run(replace(configuration, connections=()), key_log=tmp_path)
    await run(signal.SIGTERM)
    assert "ALL KEYS ARE WRITTEN" in capfd.readouterr().err
    assert all(stat.S_IMODE(one.stat().st_mode) & 0o77 == 0 for one in tmp_path.glob("*.sock"))


async def test_a_recording_of_the_daemon_is_played_again(
    configuration: Configuration, tmp_path: Path
) -> None:
    key = b"0123456789abcdef"
    daemon = replace(configuration.daemon, runtime_dir=str(tmp_path))
    proposals = ike("aes128gcm16-prfsha256-x25519")
    called = tuple(
        replace(one, record=True, proposals=proposals) for one in configuration.connections
    )
    run = Run(replace(configuration, daemon=daemon, connections=called, record_key=key))
    folder = tmp_path / "recordings"
    async with trio.open_nursery() as nursery:
        nursery.start_soon(run_daemon, run.configuration, run.options, lambda: None)
        with trio.fail_after(10):
            while not folder.exists():
                await trio.sleep(0.001)
        os.kill(os.getpid(), signal.SIGTERM)
    (path,) = folder.iterdir()
    recording = read(path.read_bytes(), key)
    replayed = list(replay(recording.beginning, recording.steps))
    assert replayed
    assert not any(one.difference for one in replayed)
