"""A link that loses, repeats, delays and reorders: two gateways with a relay between them.

The relay tells IKE from ESP by the port and the non-ESP marker, so a test may strike one and
spare the other: where ESP is spared no ping may be lost, whatever happens to IKE.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from tests.lab.commands import STOP_SECONDS
from tests.lab.forwarding import ESP, IKE, Faults, written
from tests.lab.namespaces import Gap, Network, split

# One of each kind: what a bad mobile link does.
BAD_LINK = Faults(drop=0.1, duplicate=0.1, delay=0.005, jitter=0.02)


class Relay:
    """A running forwarder; stopped by leaving the `with` block of `relayed`."""

    def __init__(self, gap: Gap, seed: str) -> None:
        argv = ("ip", "netns", "exec", gap.namespace, sys.executable)
        self._process = subprocess.Popen(
            [*argv, "-m", "tests.lab.forwarding", *gap.devices, seed],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        self._answer()

    def strike(self, ike: Faults | None = None, esp: Faults | None = None) -> None:
        """From now on these faults, and no others."""
        faults = {IKE: ike, ESP: esp}
        self._ask(written({kind: one for kind, one in faults.items() if one is not None}))

    def counts(self) -> Mapping[str, int]:
        """What was taken, dropped and duplicated so far: `ike-dropped`, `esp-taken`, ..."""
        counts: Mapping[str, int] = json.loads(self._ask(written(None)))
        words = ("taken", "dropped", "duplicated")
        return {f"{kind}-{word}": 0 for kind in (IKE, ESP) for word in words} | dict(counts)

    def stop(self) -> None:
        """End the program."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.close()
        try:
            self._process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._process.stdout.close()

    def _ask(self, line: str) -> str:
        assert self._process.stdin is not None
        self._process.stdin.write(line)
        self._process.stdin.flush()
        return self._answer()

    def _answer(self) -> str:
        assert self._process.stdout is not None
        answer = self._process.stdout.readline()
        assert answer, f"the relay ended with {self._process.wait(STOP_SECONDS)}"
        return answer


@contextmanager
def relayed(seed: str = "1") -> Iterator[tuple[Network, Relay]]:
    """Two gateways with a relay between them, faultless at first."""
    with split() as (network, gap):
        relay = Relay(gap, seed)
        try:
            yield network, relay
        finally:
            relay.stop()
