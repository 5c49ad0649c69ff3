"""The key log is what Wireshark needs: tshark reads IKE and ESP of a captured tunnel with it."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import time
from pathlib import Path

import pytest

from tests.lab.commands import wait_until
from tests.lab.ikeactors import IkeactorsPeer
from tests.lab.namespaces import Network
from tests.lab.needs import require
from tests.lab.traffic import capture, ping
from tests.lab.tunnels import CHILD, CONNECTION, IDENTITIES, Suite, connection

pytestmark = pytest.mark.netns

SUITES = {
    "gcm": Suite("aes128gcm16-prfsha256-x25519", "aes256gcm16"),
    "cbc": Suite("aes256-sha256-ecp256", "aes128-sha256"),
    "cbc-sha512": Suite("aes128-sha512-x25519", "aes256-sha512"),
    "ctr": Suite("aes128ctr-sha256-x25519", "aes128ctr-sha256"),
    "ccm": Suite("aes256ccm16-prfsha256-x25519", "aes128gcm8"),
}


@pytest.mark.parametrize("name", SUITES)
def test_wireshark_decrypts_with_the_key_log(network: Network, tmp_path: Path, name: str) -> None:
    require("tshark")
    tables = tmp_path / ".config" / "wireshark"
    tables.mkdir(parents=True)
    recorded = tmp_path / "tunnel.pcap"
    record(network, SUITES[name], tables, recorded)
    assert (tables / "esp_sa").stat().st_mode & 0o777 == 0o600
    assert count(tmp_path, recorded, "isakmp.auth.data") == 2
    assert count(tmp_path, recorded, "isakmp.typepayload == 42") == 1
    assert count(tmp_path, recorded, "icmp.type == 8") == 3
    assert count(tmp_path, recorded, "icmp.type == 0") == 3


def record(network: Network, suite: Suite, tables: Path, recorded: Path) -> None:
    """Capture a tunnel's life on its link, its keys logged to `tables`."""
    ours = connection(network, network.west, suite)
    theirs = connection(network, network.east, suite)
    logged = ("--key-log", str(tables))
    with (
        IkeactorsPeer(network.east, theirs, IDENTITIES),
        IkeactorsPeer(network.west, ours, IDENTITIES, arguments=logged) as west,
    ):
        tcpdump = capture(network.west, recorded)
        try:
            wait_until(lambda: recorded.exists() and recorded.stat().st_size, 10.0, "a capture")
            west.up(CONNECTION, CHILD[4])
            assert ping(network.west, network.east) == 3
            west.down(CONNECTION)
            time.sleep(0.5)  # what tcpdump has seen is to reach its file
        finally:
            tcpdump.send_signal(signal.SIGINT)
            tcpdump.wait(10)


def count(home: Path, recorded: Path, what: str) -> int:
    """How many packets tshark finds, with the tables under `home`."""
    tshark = shutil.which("tshark")
    assert tshark is not None
    preferences = ("-o", "esp.enable_encryption_decode:TRUE")
    done = subprocess.run(
        [
            tshark,
            "-r",
            str(recorded),
            *preferences,
            "-Y",
            what,
            "-T",
            "fields",
            "-e",
            "frame.number",
        ],
        env={**os.environ, "HOME": str(home), "XDG_CONFIG_HOME": str(home / ".config")},
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    return len(done.stdout.split())
