"""ikeactors in a namespace: the daemon as its user starts it, told over its admin socket."""

from __future__ import annotations

import json
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from ikeactors.admin.client import Client, DaemonUnreachable
from tests.lab.commands import PROGRAM_SECONDS, CommandFailed, run_freely, start, stop, wait_until
from tests.lab.logs import LOGS
from tests.lab.namespaces import Gateway
from tests.lab.peer import SECRET, Child, Sa, Section, Value

_PROGRAM = (sys.executable, "-m", "ikeactors.cli")
_DAEMON = (*_PROGRAM, "daemon")
# The same daemon, with what nobody but a test may do to it.
STRIKING = (sys.executable, "-m", "tests.lab.striking")
# Emulated, on a busy machine, its imports alone take half of this.
_START_SECONDS = 60.0
_LOG_SECONDS = 2.0


class IkeactorsPeer:
    """One daemon; made running, stopped with `stop` or by leaving the `with` block.

    Its kernel back end is the userspace data plane, which every kernel carries.
    """

    def __init__(
        self,
        gateway: Gateway,
        configuration: Section,
        identities: list[str],
        secret: str = SECRET,
        options: Section | None = None,
        arguments: tuple[str, ...] = (),
        program: tuple[str, ...] = _DAEMON,
        credentials: Path | None = None,
    ) -> None:
        self.gateway = gateway
        self._program = program
        self._arguments = arguments
        self.folder = Path(tempfile.mkdtemp(prefix="ikl-"))
        self.socket = self.folder / "admin.sock"
        self.log_file = self.folder / "daemon.log"
        self._title = f"ikeactors, {gateway.label}"
        self._file = self.folder / "ikeactors.toml"
        beside: Section = {} if credentials is None else {"credentials": str(credentials)}
        self._write(configuration, identities, secret, {**beside, **(options or {})})
        self._process = self._start()
        LOGS.add(self._title, self.log_file)

    def __enter__(self) -> IkeactorsPeer:
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def up(self, connection: str, child: str) -> None:
        """Bring up the child and, for it, the connection."""
        self.command("up", f"{connection}/{child}", "--timeout", "20s")

    def down(self, connection: str) -> None:
        """Delete the connection's IKE SA."""
        self._ask("down", connection)

    def down_child(self, connection: str, child: str) -> None:
        """Delete the child's Child SA."""
        self._ask("down", f"{connection}/{child}")

    def rekey_ike(self, connection: str) -> None:
        """Rekey the connection's IKE SA."""
        self._ask("rekey", connection, ike=True)

    def reauthenticate(self, connection: str) -> None:
        """Make a new IKE SA in the place of the connection's."""
        self.command("rekey", connection, "--reauth")

    def rekey_child(self, connection: str, child: str) -> None:
        """Rekey the child's Child SA."""
        self._ask("rekey", f"{connection}/{child}")

    def sas(self) -> list[Sa]:
        """The IKE SAs there are."""
        with Client(self.socket) as client:
            _, streamed = client.listing("list-sas")
        return [_sa(facts) for facts in streamed.get("sas", [])]

    def _ask(self, command: str, name: str, **arguments: object) -> None:
        """Asked for here: a program's start takes longer than many exchanges."""
        with Client(self.socket) as client:
            client.ask(command, {"name": name, "timeout": PROGRAM_SECONDS, **arguments})

    def command(self, *argv: str) -> str:
        """What `ikeactors ARGV` prints; it must succeed."""
        done = self.attempt(*argv)
        if done.returncode != 0:
            raise CommandFailed(
                f"ikeactors {' '.join(argv)} ended with {done.returncode}\n"
                f"{done.stdout}{done.stderr}"
            )
        return done.stdout

    def attempt(self, *argv: str) -> subprocess.CompletedProcess[str]:
        """Run `ikeactors ARGV` to its end, whatever its status."""
        return run_freely(*_PROGRAM, "--socket", str(self.socket), *argv)

    def start_command(self, *argv: str, output: Path) -> subprocess.Popen[bytes]:
        """Start `ikeactors ARGV`, which stays and writes to `output`."""
        return start(*_PROGRAM, "--socket", str(self.socket), *argv, output=output)

    def json(self, *argv: str) -> Any:
        """The document that `ikeactors ARGV --json` prints."""
        return json.loads(self.command(*argv, "--json"))

    @property
    def log(self) -> str:
        """All that the daemon has logged."""
        return self.log_file.read_text(errors="replace")

    def expect_logged(self, *words: str) -> None:
        """All these words are in the log by now, or soon: it is written behind the daemon."""

        def are_there() -> bool:
            return all(word in self.log for word in words)

        wait_until(are_there, _LOG_SECONDS, f"logged: {words}")

    @property
    def pid(self) -> int:
        """The daemon's process ID."""
        return self._process.pid

    def signal(self, number: signal.Signals) -> None:
        """Send the daemon a signal."""
        self._process.send_signal(number)

    def end(self) -> int:
        """End the daemon as its service manager does. Its exit status."""
        return stop(self._process)

    def stop(self) -> int:
        """End the daemon, which deletes its SAs, and remove its folder. Its exit status."""
        status = self.end()
        LOGS.remove(self._title)
        shutil.rmtree(self.folder, ignore_errors=True)
        return status

    def kill(self) -> None:
        """End the daemon without a word to anybody."""
        self._process.send_signal(signal.SIGKILL)
        self._process.wait()

    def start_again(self) -> None:
        """Start it where it was, with what it has kept."""
        assert self._process.poll() is not None, "it runs"
        self._process = self._start()

    def _start(self) -> subprocess.Popen[bytes]:
        argv = (*self._program, "--config", str(self._file), *self._arguments)
        process = self.gateway.start(*argv, output=self.log_file)
        try:
            wait_until(lambda: self._is_up(process), _START_SECONDS, "the daemon's socket")
        except BaseException:
            stop(process)
            shutil.rmtree(self.folder, ignore_errors=True)
            raise
        return process

    def _is_up(self, process: subprocess.Popen[bytes]) -> bool:
        ended = process.poll()
        assert ended is None, f"ikeactors daemon ended with {ended}:\n{self.log}"
        try:
            Client(self.socket).close()
        except DaemonUnreachable:
            return False
        return True

    def _write(
        self, configuration: Section, identities: list[str], secret: str, options: Section
    ) -> None:
        daemon: Section = {
            "kernel": "userspace",
            "admin_socket": str(self.socket),
            "runtime_dir": str(self.folder / "run"),
            "stop_action": "delete",
            "log_level": "debug",
            **options,
        }
        more = configuration.get("secrets", {})
        assert isinstance(more, Mapping)
        secrets: Section = {**more, "lab": {"ids": identities, "secret": secret}}
        document = {"daemon": daemon, **configuration, "secrets": secrets}
        self._file.touch(mode=0o600)
        self._file.write_text("\n".join(_lines(document, "")) + "\n")


def _lines(section: Section, path: str) -> Iterator[str]:
    """A section as TOML: its values, then its sections."""
    for key, value in section.items():
        if not isinstance(value, Mapping):
            yield f"{key} = {_value(value)}"
    for key, value in section.items():
        if isinstance(value, Mapping):
            name = f"{path}{key}"
            yield f"[{name}]"
            yield from _lines(value, f"{name}.")


def _value(value: Value) -> str:
    """A value as TOML, whose strings, numbers, booleans and lists of strings are JSON's."""
    return json.dumps(value)


def _sa(facts: Mapping[str, Any]) -> Sa:
    return Sa(
        connection=facts["connection"],
        state=facts["state"],
        spi_i=facts["spi_i"],
        spi_r=facts["spi_r"],
        children=tuple(_child(child) for child in facts["children"]),
    )


def _child(facts: Mapping[str, Any]) -> Child:
    return Child(
        name=facts["name"],
        state=facts["state"],
        spi_in=facts["spi_in"],
        spi_out=facts["spi_out"],
        octets_in=facts["octets_in"] or 0,
        octets_out=facts["octets_out"] or 0,
    )
