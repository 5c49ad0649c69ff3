"""A daemon as its admin socket shows it: real reports, answers and socket, made-up associations."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from ipaddress import IPv4Address
from pathlib import Path

import trio

from ikeactors.actors.control import run_control
from ikeactors.actors.framing import FrameBuffer, frame
from ikeactors.actors.reconciling import Comparison
from ikeactors.actors.reports import Answers, ReportHub
from ikeactors.actors.unix_socket import ControlListener, open_listener
from ikeactors.admin.authority import Authority
from ikeactors.admin.ports import Surroundings
from ikeactors.admin.server import Dispatcher
from ikeactors.admin.vocabulary import Request, read_message, write_request
from ikeactors.errors import Fault
from ikeactors.iana import ProtocolId
from ikeactors.kernel.inventory import Difference, Inventory
from ikeactors.kernel.requests import KernelRefusal, SaId, SaUsage
from ikeactors.protocol.actions import AnswerRequest, Level, Report
from ikeactors.protocol.events import DeletionRequested, Event, RekeyRequested
from ikeactors.protocol.settings import ChildSettings, ConnectionSettings, Secret, Settings
from ikeactors.protocol.snapshot import AssociationSnapshot, ChildSnapshot

SECRET = b"the secret of a.lab and b.lab"
WEST, EAST = IPv4Address("10.77.0.1"), IPv4Address("10.77.0.2")
STARTED_AT = 1000.0
NOW = 1090.0

SETTINGS = Settings(
    (
        ConnectionSettings("site-a-b", children=(ChildSettings("net"), ChildSettings("voice"))),
        ConnectionSettings("site-a-c", children=(ChildSettings("net"), ChildSettings("lan"))),
    ),
    (Secret("lab", (), SECRET),),
)


@dataclass(frozen=True, slots=True)
class CountedThings:
    """What an actor's statistics look like."""

    received: int
    dropped: dict[str, int]


class FakePeers:
    """Associations that do at once what they are asked for, or what `script` says instead."""

    def __init__(self, hub: ReportHub, answers: Answers) -> None:
        self._hub = hub
        self._answers = answers
        self.there: dict[int, AssociationSnapshot] = {}
        self.sent: list[tuple[int, Event]] = []
        self.initiated: list[tuple[str, tuple[str, ...]]] = []
        self.script: list[Report] = []
        self.failure = ""
        self.is_silent = False
        self.unfit = False
        self.fading: list[int] = []

    def initiate(
        self, connection_name: str, children: tuple[str, ...] = (), request_id: int | None = None
    ) -> int:
        if self.unfit:
            raise ValueError("it names no single remote address to call")
        self.initiated.append((connection_name, children))
        number = len(self.there) + 1
        if not self.failure and not self.is_silent:
            self.there[number] = association(connection_name)
        self._end(number, request_id)
        return number

    def send(self, number: int, event: Event) -> None:
        if number not in self.there:
            raise LookupError(f"there is no association {number}")
        self.sent.append((number, event))
        assert isinstance(event, DeletionRequested | RekeyRequested)
        self._end(number, event.request_id)

    def numbers_of(self, connection: str) -> list[int]:
        there = [number for number, one in self.there.items() if one.connection == connection]
        return there + self.fading

    def snapshots(self, now: float) -> list[tuple[int, AssociationSnapshot]]:
        return list(self.there.items())

    def _end(self, number: int, request_id: int | None) -> None:
        for report in self.script:
            self._hub.publish(report, number)
        if request_id is not None and not self.is_silent:
            text = self.failure or "all is done"
            self._answers.resolve(AnswerRequest(request_id, not self.failure, text))


class FakeLevels:
    """Levels that are only remembered."""

    def __init__(self) -> None:
        self.all: dict[str, Level] = {"": Level.INFO}

    def change(self, level: Level | None, connection: str = "") -> None:
        if level is None:
            self.all.pop(connection, None)
        else:
            self.all[connection] = level

    def table(self) -> Mapping[str, Level]:
        return self.all


class FakeStanding:
    """Policies that are only remembered, by their connections' and children's names."""

    def __init__(self) -> None:
        self.there: set[tuple[str, str | None]] = set()

    async def install(self, connection: ConnectionSettings, name: str | None) -> tuple[str, ...]:
        self.there.add((connection.name, name))
        return (name or connection.name,)

    async def uninstall(self, connection: ConnectionSettings, name: str | None) -> tuple[str, ...]:
        is_there = (connection.name, name) in self.there
        self.there.discard((connection.name, name))
        return (name or connection.name,) if is_there else ()


COMPARISON = Comparison(2, 3, 0, Inventory(policies=3), Difference())


@dataclass
class FakeDaemon:
    """All of it, and handles to what is made up."""

    directory: Path
    settings: Settings = SETTINGS
    authority: Authority = field(default_factory=lambda: Authority(os.geteuid()))
    failures: dict[str, str] = field(default_factory=dict)
    has_usage: bool = True
    stopped: bool = False
    flushed: bool = False
    unreadable: str = ""
    silent_kernel: str = ""
    comparison: Comparison = COMPARISON

    def __post_init__(self) -> None:
        self.hub = ReportHub(lambda: 1_795_000_000.25)
        self.answers = Answers()
        self.peers = FakePeers(self.hub, self.answers)
        self.levels = FakeLevels()
        self.standing = FakeStanding()
        self.listener: ControlListener = open_listener(self.directory / "run" / "admin.sock")

    @property
    def path(self) -> Path:
        return self.listener.path

    def surroundings(self) -> Surroundings:
        return Surroundings(
            peers=self.peers,
            hub=self.hub,
            answers=self.answers,
            levels=self.levels,
            authority=self.authority,
            settings=lambda: self.settings,
            usage=self._usage,
            standing=self.standing,
            compare=self._compare,
            statistics=lambda: {"sockets": CountedThings(7, {"too short": 2})},
            failures=lambda: self.failures,
            stop=self._stop,
            reload=self._reload,
            kernel="userspace",
            kernel_reason="the kernel has no ESP",
            pid=4711,
            started_at=STARTED_AT,
            monotonic=lambda: NOW,
        )

    async def run(self) -> None:
        """Serve until cancelled."""
        await run_control(self.listener, Dispatcher(self.surroundings()), self.hub)

    async def _usage(self, sa_ids: Sequence[SaId]) -> Sequence[SaUsage]:
        if not self.has_usage:
            await trio.sleep_forever()
        return [SaUsage(one, 84, 1, 1_795_000_000.0) for one in sa_ids]

    async def _compare(self) -> Comparison:
        if self.silent_kernel:
            raise KernelRefusal(0, self.silent_kernel)
        return self.comparison

    async def _reload(self) -> str:
        if self.unreadable:
            raise Fault(self.unreadable)
        return "credentials are reloaded from /etc/ikeactors"

    def _stop(self, flushes: bool) -> None:
        self.stopped, self.flushed = True, flushes


class Talk:
    """A client of a test: requests, and every message that comes back."""

    def __init__(self, stream: trio.SocketStream) -> None:
        self.stream = stream
        self._buffer = FrameBuffer()

    async def say(
        self, command: str, request_id: int = 1, version: int = 1, **arguments: object
    ) -> None:
        """Send a request."""
        await self.say_octets(
            frame(write_request(Request(request_id, command, arguments, version)))
        )

    async def say_octets(self, octets: bytes) -> None:
        """Send whatever."""
        await self.stream.send_all(octets)

    async def hear(self) -> dict[str, object] | None:
        """The next message; None when the daemon has closed."""
        while (body := self._buffer.take()) is None:
            try:
                octets = await self.stream.receive_some()
            except trio.BrokenResourceError:
                return None
            if not octets:
                return None
            self._buffer.feed(octets)
        return read_message(body)

    async def ask(self, command: str, **arguments: object) -> dict[str, object]:
        """A request's last message."""
        return (await self.ask_all(command, **arguments))[-1]

    async def ask_all(self, command: str, **arguments: object) -> list[dict[str, object]]:
        """Every message a request brings."""
        await self.say(command, **arguments)
        heard = []
        while True:
            message = await self.hear()
            assert message is not None, f"closed after {heard}"
            heard.append(message)
            if "ok" in message:
                return heard


@asynccontextmanager
async def talking(path: Path) -> AsyncIterator[Talk]:
    """A conversation with whoever listens at `path`."""
    async with await trio.open_unix_socket(path) as stream:
        yield Talk(stream)


def association(connection: str, children: int = 1) -> AssociationSnapshot:
    """An association that is up."""
    return AssociationSnapshot(
        connection=connection,
        version=2,
        state="established",
        local=str(WEST),
        remote=str(EAST),
        local_id="a.lab",
        remote_id="b.lab",
        spi_i="00112233aabbccdd",
        spi_r="ddccbbaa33221100",
        original_initiator=True,
        suite="AES_GCM_16_128/PRF_HMAC_SHA2_256/CURVE_25519",
        nat_local=False,
        nat_remote=False,
        age=60.0,
        rekey_in=13860.0,
        reauthenticate_in=None,
        children=tuple(child(number + 1) for number in range(children)),
    )


def child(number: int) -> ChildSnapshot:
    """A Child SA that is installed."""
    spi_in, spi_out = 0xC0FFEE00 + number, 0xC0FFEF00 + number
    return ChildSnapshot(
        name="net",
        state="installed",
        number=number,
        mode="tunnel",
        protocol="esp",
        spi_in=spi_in,
        spi_out=spi_out,
        suite="AES_GCM_16_128",
        local_ts=("10.1.0.0/24",),
        remote_ts=("10.2.0.0/24",),
        reqid=number,
        encapsulated=False,
        age=60.0,
        rekey_in=3120.0,
        sa_ids=(
            SaId(spi_in, ProtocolId.ESP, EAST, WEST),
            SaId(spi_out, ProtocolId.ESP, WEST, EAST),
        ),
    )


def code_of(message: dict[str, object]) -> str:
    error = message["error"]
    assert isinstance(error, dict)
    assert message["ok"] is False
    return str(error["code"])


def text_of(message: dict[str, object]) -> str:
    error = message["error"]
    assert isinstance(error, dict)
    return str(error["text"])
