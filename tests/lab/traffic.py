"""Traffic through the lab: pings that count what comes back."""

from __future__ import annotations

import re
import subprocess
from dataclasses import dataclass
from pathlib import Path

from tests.lab.commands import PROGRAM_SECONDS
from tests.lab.namespaces import Gateway

_COUNTS = re.compile(r"(\d+) packets transmitted, (\d+) received")


def ping(source: Gateway, destination: Gateway, version: int = 4, count: int = 3) -> int:
    """How many of `count` pings between the subnets are answered."""
    return Pings.start(source, destination, version, count, interval=0.05).received()


def nothing_passes(source: Gateway, destination: Gateway, version: int = 4) -> bool:
    """Whether a ping between the subnets stays unanswered; answers take a few milliseconds."""
    return Pings.start(source, destination, version, count=1, patience=0.3).received() == 0


@dataclass(frozen=True, slots=True)
class Pings:
    """A train of pings on its way, for what happens to it meanwhile."""

    process: subprocess.Popen[str]
    count: int
    seconds: float

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
            *("ping", "-n", "-q", "-W", str(patience), "-c", str(count), "-i", str(interval)),
            *("-s", str(size), "-I", source.inner[version], destination.inner[version]),
        ]
        process = subprocess.Popen(
            argv,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        return cls(process, count, count * interval)

    def __enter__(self) -> Pings:
        return self

    def __exit__(self, *_: object) -> None:
        if self.running:
            self.process.kill()
            self.process.communicate()

    @property
    def running(self) -> bool:
        """Whether some are still to be sent."""
        return self.process.poll() is None

    def received(self) -> int:
        """Wait for the end: how many were answered."""
        output, _ = self.process.communicate(timeout=self.seconds + PROGRAM_SECONDS)
        counts = _COUNTS.search(output)
        return int(counts[2]) if counts else 0

    def lost(self) -> int:
        """Wait for the end: how many were not answered."""
        return self.count - self.received()


def capture(gateway: Gateway, file: Path) -> subprocess.Popen[bytes]:
    """Start tcpdump on the gateway's outer link, writing to `file`; end it with SIGINT."""
    return gateway.start(
        *("tcpdump", "-U", "--immediate-mode", "-n", "-i", "any", "-w", str(file), "udp"),
        output=file.with_suffix(".log"),
    )
