"""What a test needs of the machine, and what to say where it is missing.

In CI (`CI=true`) a missing peer, kernel feature or privilege is a failure, elsewhere a skip.
"""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path

import pytest

from tests.lab.commands import run_freely

CHARON = Path("/usr/sbin/charon-systemd")
SOFTHSM = Path("/usr/lib/softhsm/libsofthsm2.so")
_MACHINES = Path(__file__).resolve().parents[2] / ".cache" / "vm"


def require(*names: str) -> None:
    """Skip the calling test where one of the named needs is missing; in CI fail it."""
    lacking = [text for name in names if (text := missing(name))]
    if not lacking:
        return
    if os.environ.get("CI") == "true":
        pytest.fail("; ".join(lacking), pytrace=False)
    pytest.skip("; ".join(lacking))


@cache
def missing(name: str) -> str:
    """Why the need is not met, or "" where it is."""
    return _CHECKS[name]()


def needs_of(markers: Iterator[pytest.Mark]) -> list[str]:
    """The needs that a test's markers stand for."""
    return [need for marker in markers for need in _OF_MARKER.get(marker.name, ())]


def _root() -> str:
    return "" if os.geteuid() == 0 else "needs root"


def _namespaces() -> str:
    if _root():
        return "needs root for network namespaces"
    if not shutil.which("ip"):
        return "needs the ip command (iproute2)"
    name = f"ikl-{os.getpid()}-probe"
    tried = run_freely("ip", "netns", "add", name)
    if tried.returncode != 0:
        return f"needs network namespaces: {tried.stderr.strip()}"
    try:
        tried = run_freely(
            "ip", "-n", name, "link", "add", "probe0", "type", "veth", "peer", "name", "probe1"
        )
    finally:
        run_freely("ip", "netns", "del", name)
    return f"needs veth devices: {tried.stderr.strip()}" if tried.returncode else ""


def _tun() -> str:
    return "" if Path("/dev/net/tun").exists() else "needs TUN devices (/dev/net/tun)"


def _ping() -> str:
    return "" if shutil.which("ping") else "needs the ping command (iputils-ping)"


def _tshark() -> str:
    if shutil.which("tshark") and shutil.which("tcpdump"):
        return ""
    return "needs tshark and tcpdump"


def _strongswan() -> str:
    if CHARON.exists() and shutil.which("swanctl"):
        return ""
    return "needs strongSwan (charon-systemd, strongswan-swanctl)"


def _dnssec() -> str:
    if shutil.which("unbound") and shutil.which("ldns-signzone"):
        return ""
    return "needs a resolver and zones for it (unbound, ldnsutils)"


def _tokens() -> str:
    if SOFTHSM.exists() and shutil.which("softhsm2-util"):
        return ""
    return "needs a token of software (softhsm2)"


def _nat() -> str:
    if _root():
        return "needs root for NAT"
    if not shutil.which("nft"):
        return "needs the nft command (nftables)"
    rules = "add table ip probe; add chain ip probe c { type nat hook postrouting priority 100; }"
    with tempfile.NamedTemporaryFile("w", suffix=".nft") as file:
        file.write(rules)
        file.flush()
        tried = run_freely("nft", "--check", "-f", file.name)
    return f"needs NAT in the kernel: {tried.stderr.strip()}" if tried.returncode else ""


def _machine() -> str:
    if _root():
        return "needs root for the machine with a real kernel"
    if not shutil.which("apt-get"):
        return "needs Debian or a relative for the machine with a real kernel"
    # In CI it is made on the way; elsewhere nobody expects tests to fetch a kernel.
    if os.environ.get("CI") == "true" or list(_MACHINES.glob("base-*.cpio")):
        return ""
    return "needs the machine that tools/vm --prepare makes"


_CHECKS: dict[str, Callable[[], str]] = {
    "root": _root,
    "namespaces": _namespaces,
    "tun": _tun,
    "ping": _ping,
    "strongswan": _strongswan,
    "dnssec": _dnssec,
    "tokens": _tokens,
    "nat": _nat,
    "tshark": _tshark,
    "machine": _machine,
}
_OF_MARKER: dict[str, tuple[str, ...]] = {
    "netns": ("namespaces", "tun", "ping"),
    "interop": ("namespaces", "tun", "ping", "strongswan"),
    "realkernel": ("machine",),
}
