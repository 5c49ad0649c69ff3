"""tools/replay, as an operator runs it."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace
from pathlib import Path

from ikeactors import __version__
from ikeactors.protocol.recording.file import Sealer, write
from tests.protocol.recording.pairs import recorded_pair
from tests.tools.scripts import PROJECT

KEY = b"0123456789abcdef"


def run(tmp_path: Path, octets: bytes) -> subprocess.CompletedProcess[str]:
    (tmp_path / "key").write_bytes(KEY + b"\n")
    (tmp_path / "recording").write_bytes(octets)
    argv = [PROJECT / "tools/replay", tmp_path / "recording", "--key", tmp_path / "key"]
    return subprocess.run([sys.executable, *argv], capture_output=True, text=True, check=False)


def recording(change: bool = False) -> bytes:
    pair, reel, _ = recorded_pair()
    pair.establish()
    assert reel.beginning is not None
    sealer = Sealer(KEY, bytes(32), __version__)
    steps = list(reel.steps)
    if change:
        steps[1] = replace(steps[1], now=steps[1].now + 1.0, actions=())
    records = [reel.beginning, *steps, "the end"]
    return sealer.head + b"".join(sealer.seal(write(record)) for record in records)


def test_a_recording_is_printed_as_the_rfc_writes_it(tmp_path: Path) -> None:
    done = run(tmp_path, recording())
    assert done.returncode == 0, done.stderr
    assert "gw, 192.0.2.1:500 to 192.0.2.2:500" in done.stdout
    assert "--> HDR, SAi1, KEi, Ni" in done.stdout
    assert "<-- HDR, SK {IDr, AUTH" in done.stdout
    assert "steps give the same actions; the end" in done.stdout


def test_the_first_step_that_differs_is_printed(tmp_path: Path) -> None:
    done = run(tmp_path, recording(change=True))
    assert done.returncode == 1
    assert "step 2 DIFFERS: recorded 0 actions" in done.stdout


def test_what_is_no_recording_is_said_in_a_line(tmp_path: Path) -> None:
    done = run(tmp_path, b"text")
    assert done.returncode == 2
    assert done.stderr.count("\n") == 1
