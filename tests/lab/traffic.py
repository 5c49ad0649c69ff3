"""Traffic through the lab: pings that count what comes back."""

from __future__ import annotations

import math
import re
import subprocess
import tempfile
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

from tests.lab.commands import PROGRAM_SECONDS
from tests.lab.namespaces import Gateway

_ANSWER = re.compile(r"^\[([\d.]+)\] \d+ bytes from .*icmp_seq=(\d+)", re.MULTILINE)


def ping(source: Gateway, destination: Gateway, version: int = 4, count: int = 3) -> int:
    """How many of `count` pings between the subnets are answered."""
    return Pings.start(source, destination, version, count, interval=0.05).received()


def nothing_passes(source: Gateway, destination: Gateway, version: int = 4) -> bool:
    """Whether a ping between the subnets stays unanswered; answers take a few milliseconds."""
    return Pings.start(source, destination, version, count=1, patience=0.3).received() == 0


class Pings:
    """A train of pings on its way, for what happens to it meanwhile."""

    def __init__(self, argv: list[str], count: int, seconds: float) -> None:
        self.count = count
        self._seconds = seconds
        self._answers: dict[int, float] | None = None
        # Into a file: a pipe that nobody reads would hold them up.
        self._said = tempfile.TemporaryFile("w+")  # noqa: SIM115 - closed when read
        self._process = subprocess.Popen(
            argv, stdin=subprocess.DEVNULL, stdout=self._said, stderr=subprocess.STDOUT
        )

    @classmethod
    def start(
        cls,
        source: Gateway,
        destination: Gateway,
        version: int = 4,
        count: int = 100,
        interval: float = 0.02,
        patience: float = 3.0,
        size: int = 56,
    ) -> Pings:
        """Send `count` pings of `size` octets from subnet to subnet, one every `interval`."""
        argv = [
            *("ip", "netns", "exec", source.namespace),
            *("ping", "-n", "-D", *_patient(count, interval, patience)),
            *("-c", str(count), "-i", str(interval)),
            *("-s", str(size), "-I", source.inner[version], destination.inner[version]),
        ]
        return cls(argv, count, count * interval)

    def __enter__(self) -> Pings:
        return self

    def __exit__(self, *_: object) -> None:
        if self.running:
            self._process.kill()
            self._process.wait()
        self._said.close()

    @property
    def running(self) -> bool:
        """Whether some are still to be sent."""
        return self._process.poll() is None

    def received(self) -> int:
        """Wait for the end: how many were answered."""
        return len(self._answered())

    def lost(self) -> int:
        """Wait for the end: how many were not answered."""
        return self.count - self.received()

    def expect_no_loss(self) -> None:
        """Wait for the end: all were answered; else which were not, and for how long."""
        self.expect_losses(0)

    def expect_losses(self, allowed: int) -> None:
        """Wait for the end: no more than so many were lost; else which, and for how long."""
        answers = self._answered()
        gaps = ", ".join(_gaps(answers, self.count))
        assert self.count - len(answers) <= allowed, f"{self.count - len(answers)} lost: {gaps}"

    def _answered(self) -> dict[int, float]:
        """When each was answered first, in seconds, by its number."""
        if self._answers is None:
            self._process.wait(2 * self._seconds + PROGRAM_SECONDS)
            self._said.seek(0)
            found = reversed(list(_ANSWER.finditer(self._said.read())))
            answers = {int(answer[2]): float(answer[1]) for answer in found}
            self._answers = {n: at for n, at in answers.items() if n <= self.count}
            self._said.close()
        return self._answers


def _patient(count: int, interval: float, patience: float) -> tuple[str, str]:
    """After its last packet `ping` waits for two round trips, whatever -W says: too short for a
    busy machine. With -w it goes on until it has `count` answers; what it sends beyond is not ours.
    """
    if count == 1:
        return "-W", str(patience)
    return "-w", str(math.ceil(2 * count * interval + patience))


def _gaps(answers: dict[int, float], count: int) -> Iterator[str]:
    """Where answers are missing, and how long there was none."""
    for before, after in pairwise([0, *sorted(answers), count + 1]):
        if after == before + 1:
            continue
        since, until = answers.get(before), answers.get(after)
        told = f"{before + 1} to {after - 1}"
        if since is None or until is None:
            yield told
        else:
            yield f"{told} ({until - since:.3f} s from {since:.3f})"


def capture(gateway: Gateway, file: Path) -> subprocess.Popen[bytes]:
    """Start tcpdump on the gateway's outer link, writing to `file`; end it with SIGINT."""
    return gateway.start(
        *("tcpdump", "-U", "--immediate-mode", "-n", "-i", "any", "-w", str(file), "udp"),
        output=file.with_suffix(".log"),
    )
