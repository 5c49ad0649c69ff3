"""Signed zones below "lab.", and a resolver on the loopback that serves and validates them.

Needs unbound and ldnsutils. The zones are good (lab, inner.lab), of another key than the one above
says (bogus.lab), expired (expired.lab) and not signed (unsigned.lab).
"""

from __future__ import annotations

import base64
import contextlib
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from ikeactors.actors.validation import read_anchors

# What is told of each zone besides its own records.
KEY = bytes(range(32))
_RECORDS = {
    "lab.": (
        "gw.lab. A 192.0.2.1",
        "alias.lab. CNAME gw.inner.lab.",
        "*.wild.lab. A 192.0.2.9",
        f"gw.lab. IPSECKEY ( 10 0 4 . {base64.b64encode(KEY).decode()} )",
        "forged.lab. A 192.0.2.66",
    ),
    "inner.lab.": ("gw.inner.lab. A 192.0.2.2", "gw.inner.lab. AAAA 2001:db8::2"),
    "bogus.lab.": ("gw.bogus.lab. A 192.0.2.3",),
    "expired.lab.": ("gw.expired.lab. A 192.0.2.4",),
    "unsigned.lab.": ("gw.unsigned.lab. A 192.0.2.5",),
}
_CHILDREN = ("inner.lab.", "bogus.lab.", "expired.lab.", "unsigned.lab.")
_SIGNED_AT_ALL = ("inner.lab.", "bogus.lab.", "expired.lab.")
_STAMP = "%Y%m%d%H%M%S"
_START_PATIENCE = 10.0


@dataclass(frozen=True, slots=True)
class Zones:
    """Where the resolver listens, and what it believes."""

    port: int
    anchors: str
    anchor_file: Path


@contextlib.contextmanager
def signed_zones() -> Iterator[Zones]:
    """A resolver with all of them, for as long as it is wanted."""
    with tempfile.TemporaryDirectory(prefix="ikz-") as name:
        directory = Path(name)
        keys = {zone: _key(directory, zone) for zone in ("lab.", *_SIGNED_AT_ALL)}
        for zone in _CHILDREN:
            _write(directory, zone)
        _write(directory, "lab.", *_delegations(directory, keys))
        for zone, key in keys.items():
            _sign(directory, zone, key)
        _forge(directory / "lab.signed")
        anchors = (directory / f"{keys['lab.']}.ds").read_text()
        assert read_anchors(anchors)
        (directory / "anchors").write_text(anchors)
        port = _free_port()
        (directory / "unbound.conf").write_text(_configuration(directory, port))
        with _running(directory, port):
            yield Zones(port, anchors, directory / "anchors")


def _key(directory: Path, zone: str) -> str:
    argv = ["ldns-keygen", "-k", "-r", "/dev/urandom", "-a", "ECDSAP256SHA256", zone]
    return _run(directory, argv).strip()


def _write(directory: Path, zone: str, *more: str) -> None:
    start = (
        f"$ORIGIN {zone}",
        "$TTL 300",
        f"@ SOA ns.{zone} nobody.{zone} 1 3600 600 86400 300",
        f"@ NS ns.{zone}",
        f"ns.{zone} A 127.0.0.1",
    )
    (directory / f"{zone}zone").write_text("\n".join((*start, *_RECORDS[zone], *more, "")))


def _delegations(directory: Path, keys: dict[str, str]) -> Iterator[str]:
    for zone in _CHILDREN:
        yield f"{zone} NS ns.{zone}"
    for zone in _SIGNED_AT_ALL:
        name = keys[zone]
        if zone == "bogus.lab.":
            # Another key's digest stands above.
            name = _key(directory, zone)
        yield (directory / f"{name}.ds").read_text().strip()


def _sign(directory: Path, zone: str, key: str) -> None:
    now = datetime.now(UTC)
    end = now - timedelta(days=1) if zone == "expired.lab." else now + timedelta(days=1)
    since = now - timedelta(days=2)
    dates = ["-i", since.strftime(_STAMP), "-e", end.strftime(_STAMP)]
    _run(directory, ["ldns-signzone", *dates, "-f", f"{zone}signed", f"{zone}zone", key])


def _forge(path: Path) -> None:
    """One record is not the one that was signed."""
    path.write_text(path.read_text().replace("192.0.2.66", "192.0.2.67"))


def _configuration(directory: Path, port: int) -> str:
    server = f"""
server:
  interface: 127.0.0.1
  port: {port}
  directory: "{directory}"
  chroot: ""
  username: ""
  pidfile: ""
  use-syslog: no
  logfile: ""
  num-threads: 1
  do-ip6: no
  module-config: "validator iterator"
  trust-anchor-file: "{directory}/anchors"
remote-control:
  control-enable: no
"""
    for zone in _RECORDS:
        kind = "zone" if zone == "unsigned.lab." else "signed"
        server += f"""
auth-zone:
  name: "{zone}"
  zonefile: "{directory}/{zone}{kind}"
  for-downstream: no
  for-upstream: yes
  fallback-enabled: no
"""
    return server


@contextlib.contextmanager
def _running(directory: Path, port: int) -> Iterator[None]:
    program = shutil.which("unbound")
    assert program is not None
    log = directory / "log"
    with log.open("w") as output:
        argv = [program, "-d", "-p", "-c", str(directory / "unbound.conf")]
        process = subprocess.Popen(argv, stdout=output, stderr=output)
    try:
        _wait_for(port, process, log)
        yield
    finally:
        process.terminate()
        process.wait()


def _wait_for(port: int, process: subprocess.Popen[bytes], log: Path) -> None:
    deadline = time.monotonic() + _START_PATIENCE
    while time.monotonic() < deadline and process.poll() is None:
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 0.5):
            return
        time.sleep(0.05)
    raise AssertionError(f"unbound does not start: {log.read_text()}")


def _free_port() -> int:
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def _run(directory: Path, argv: list[str]) -> str:
    done = subprocess.run(argv, cwd=directory, capture_output=True, text=True)
    assert done.returncode == 0, f"{' '.join(argv)}: {done.stdout}{done.stderr}"
    return done.stdout
