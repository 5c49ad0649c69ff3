"""`ikeactors check --kernel` on a kernel that has everything, and on one with parts taken away."""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from pathlib import Path

from tests.realkernel.guest.reporting import attempt

NAMES = ("check --kernel finds all that is there", "check --kernel names what is missing")
_TAKEN = ("chacha20poly1305", "ah4", "xcbc", "ipcomp", "ipcomp6", "xfrm_interface")
_CONFIGURATION = """
[daemon]
kernel = "xfrm"
[connections.gw]
[connections.gw.children.net]
esp_proposals = "default, aes128-aesxcbc"
replay_window = 4096
ipcomp = true
[connections.gw.children.host]
mode = "transport"
ah_proposals = "default"
[interfaces.ike1]
if_id = 1
[secrets.any]
secret = "a secret of many characters"
"""


def run() -> None:
    """With all modules, then without some, which are put back."""
    attempt(NAMES[0], _has_all)
    attempt(NAMES[1], _lacks_some)


def _has_all() -> None:
    assert _check() == (0, [])


def _lacks_some() -> None:
    release = Path("/proc/sys/kernel/osrelease").read_text().strip()
    for module in _TAKEN:
        subprocess.run(["modprobe", "-r", module], check=True)
    with tempfile.TemporaryDirectory() as away:
        taken = [
            (path, Path(away) / path.name)
            for path in Path("/lib/modules", release).rglob("*.ko")
            if path.stem in _TAKEN
        ]
        for path, place in taken:
            place.write_bytes(path.read_bytes())
            path.unlink()
        try:
            code, reasons = _check()
        finally:
            for path, place in taken:
                path.write_bytes(place.read_bytes())
    assert code == 1
    assert sorted(reasons) == [
        "it lacks an algorithm (CONFIG_CRYPTO_CBC, module cbc or CONFIG_CRYPTO_XCBC, module xcbc)",
        "it lacks an algorithm (CONFIG_CRYPTO_CHACHA20POLY1305, module chacha20poly1305)",
        "the kernel has no AH (CONFIG_INET_AH) and no module ah4",
        "the kernel has no IPComp (CONFIG_INET_IPCOMP) and no module ipcomp",
        "the kernel has no IPComp for IPv6 (CONFIG_INET6_IPCOMP) and no module ipcomp6",
        "the kernel has no XFRM interfaces (CONFIG_XFRM_INTERFACE, module xfrm_interface)",
    ]


def _check() -> tuple[int, list[str]]:
    """The exit code, and the reasons for what is missing."""
    with tempfile.NamedTemporaryFile("w", suffix=".toml") as file:
        file.write(_CONFIGURATION)
        file.flush()
        command = [sys.executable, "-m", "ikeactors.cli", "check", "--kernel", "--json", file.name]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.stdout, done.stderr
    return done.returncode, [lack["reason"] for lack in json.loads(done.stdout)["kernel"]]
