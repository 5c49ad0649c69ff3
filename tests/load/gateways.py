"""The gateways that are measured: our daemon and, where it is installed, strongSwan's.

Both are the responder, or ours the initiator, of all peers; neither has a data plane, a log, or a
limit for half-open IKE SAs. Each is a process of its own, in this network namespace.
"""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from tests.load.credentials import credentials
from tests.load.peers import CHILD, GATEWAY_ID, PORT, SECRET, address_of, name_of

PROJECT = Path(__file__).resolve().parents[2]
CHARON = Path("/usr/sbin/charon-systemd")
_START_SECONDS = 30.0
_STOP_SECONDS = 10.0

# From linux/posix-timers.h: the clock of all CPU time of a process.
_CPUCLOCK_SCHED = 2

_DAEMON = """\
[daemon]
listen = ["127.0.0.1"]
admin_socket = "{folder}/admin.sock"
runtime_dir = "{folder}/run"
store = "{store}"
stop_action = "delete"
log_level = "warning"
cookie_threshold = 0
cookie_threshold_ip = 0
block_threshold = 0
stop_timeout = 0
credentials = "{credentials}"
[secrets.all]
secret = "{secret}"
"""
_CONNECTION = """\
[connections.{name}]
remote_addrs = ["{remote}"]
remote_port = {port}
local_addrs = ["127.0.0.1"]
proposals = ["{ike}"]
rekey_time = 0
mobike = false
local = {{ auth = "{auth}", id = "{local_id}" }}
remote = {{ auth = "{auth}", id = "{remote_id}" }}
[connections.{name}.children.{child}]
local_ts = ["10.1.0.0/16"]
esp_proposals = {esp}
start_action = "{start}"
"""

_STRONGSWAN = """\
charon-systemd {{
  load = random nonce openssl x509 pubkey pkcs1 pkcs8 pem hmac sha1 sha2 aes gcm kdf curve25519 \
drbg kernel-netlink socket-default vici
  plugins {{
    vici {{
      socket = unix://{folder}/vici
    }}
  }}
  dos_protection = no
  ikesa_table_size = 8192
  ikesa_table_segments = 16
  install_routes = no
  journal {{
    default = -1
  }}
  syslog {{
  }}
}}
"""
_SWANCTL = """\
connections {{
  load {{
    version = 2
    local_addrs = 127.0.0.1
    remote_addrs = %any
    proposals = {ike}
    rekey_time = 0
    unique = never
    mobike = no
    local {{
      auth = {auth}
      id = {local_id}
    }}
    remote {{
      auth = {auth}
      id = %any
    }}
    children {{
      {child} {{
        local_ts = 10.1.0.0/16
        remote_ts = dynamic
        esp_proposals = {esp}
        rekey_time = 0
      }}
    }}
  }}
}}
secrets {{
  ike-all {{
    secret = "{secret}"
  }}
}}
"""


@dataclass(frozen=True, slots=True)
class Words:
    """What a gateway accepts, in the words that both configurations share."""

    ike: str = "aes128gcm16-prfsha256-x25519"
    esp: tuple[str, ...] = ("aes128gcm16",)
    # The kind of key where both ends have certificates; without one they have a shared secret.
    key: str = ""
    # What our daemon keeps its IKE SAs in.
    store: str = "none"

    @property
    def auth(self) -> str:
        """How both ends authenticate."""
        return "pubkey" if self.key else "psk"


class Gateway(Protocol):
    """A running daemon."""

    name: str
    process: subprocess.Popen[bytes]

    def stop(self) -> None: ...


def cpu_seconds(gateway: Gateway) -> float:
    """CPU time the gateway has used, user and system, all threads."""
    clock = ~gateway.process.pid << 3 | _CPUCLOCK_SCHED
    return time.clock_gettime(clock)


def resident_kilobytes(gateway: Gateway) -> int:
    """Memory the gateway has in use (VmRSS)."""
    lines = Path(f"/proc/{gateway.process.pid}/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmRSS"))


class Ikeactors:
    """Our daemon; with `initiates` it calls that many peers as soon as it is ready."""

    name = "ikeactors"

    def __init__(
        self, words: Words, *, initiates: int = 0, connections: int = 0, profile: str = ""
    ) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="ikb-"))
        path = self.folder / "ikeactors.toml"
        path.write_text(self._configuration(words, initiates, connections))
        path.chmod(0o600)
        argv = [sys.executable, "-m", "tests.load.gateway", str(path)]
        self.process = subprocess.Popen(
            [*argv, profile] if profile else argv, cwd=PROJECT, stdout=subprocess.PIPE
        )
        assert self.process.stdout is not None
        answer = self.process.stdout.readline().split()
        if not answer:
            raise RuntimeError("the daemon did not start")
        self.cpu_at_ready = float(answer[1])

    def stop(self) -> None:
        """End it; its peers are told nothing that matters."""
        _stop(self.process)
        shutil.rmtree(self.folder, ignore_errors=True)

    def _configuration(self, words: Words, initiates: int, connections: int) -> str:
        beside = credentials(words.key, GATEWAY_ID).folder if words.key else self.folder
        secret = SECRET.decode()
        text = _DAEMON.format(
            folder=self.folder, credentials=beside, secret=secret, store=words.store
        )
        for number in range(initiates or connections):
            text += self._connection(
                words, f"c{number}", str(address_of(number)), name_of(number), bool(initiates)
            )
        if not initiates and not connections:
            text += self._connection(words, "all", "%any", "*.example", False)
        return text

    @staticmethod
    def _connection(words: Words, name: str, remote: str, remote_id: str, start: bool) -> str:
        return _CONNECTION.format(
            name=name,
            remote=remote,
            port=PORT,
            ike=words.ike,
            esp=list(words.esp),
            auth=words.auth,
            local_id=GATEWAY_ID,
            remote_id=remote_id,
            child=CHILD,
            start="start" if start else "none",
        )


class Strongswan:
    """charon-systemd, whose XFRM requests `no_xfrm.c` answers."""

    name = "strongSwan"

    def __init__(self, words: Words) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="ikb-"))
        library = self.folder / "no_xfrm.so"
        source = Path(__file__).with_name("no_xfrm.c")
        argv = ["cc", "-shared", "-fPIC", "-O2", "-o", str(library), str(source), "-ldl"]
        subprocess.run(argv, check=True)
        (self.folder / "strongswan.conf").write_text(_STRONGSWAN.format(folder=self.folder))
        text = _SWANCTL.format(
            ike=words.ike,
            esp=",".join(words.esp),
            auth=words.auth,
            local_id=GATEWAY_ID,
            child=CHILD,
            secret=SECRET.decode(),
        )
        (self.folder / "swanctl.conf").write_text(text)
        if words.key:
            folder = credentials(words.key, GATEWAY_ID).folder
            shutil.copytree(folder, self.folder, dirs_exist_ok=True)
        self._environment = {
            **os.environ,
            "STRONGSWAN_CONF": str(self.folder / "strongswan.conf"),
            "SWANCTL_DIR": str(self.folder),
        }
        with (self.folder / "output").open("wb") as output:
            self.process = subprocess.Popen(
                [str(CHARON)],
                env={**self._environment, "LD_PRELOAD": str(library)},
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
            )
        _wait_for((self.folder / "vici").exists)
        uri = f"unix://{self.folder}/vici"
        argv = ["swanctl", "--load-all", "--noprompt", "--uri", uri]
        quiet = subprocess.DEVNULL
        subprocess.run(argv, check=True, env=self._environment, stdout=quiet, stderr=quiet)

    @staticmethod
    def is_installed() -> bool:
        """Whether it can be measured here."""
        return CHARON.exists() and bool(shutil.which("swanctl")) and bool(shutil.which("cc"))

    def stop(self) -> None:
        """End it without a word: deleting thousands of IKE SAs takes it minutes."""
        self.process.kill()
        self.process.wait()
        shutil.rmtree(self.folder, ignore_errors=True)


def _wait_for(condition: Callable[[], bool]) -> None:
    until = time.monotonic() + _START_SECONDS
    while not condition():
        if time.monotonic() > until:
            raise RuntimeError("the daemon did not start")
        time.sleep(0.05)


def _stop(process: subprocess.Popen[bytes]) -> None:
    for number in (signal.SIGTERM, signal.SIGTERM, signal.SIGKILL):
        process.send_signal(number)
        try:
            process.wait(_STOP_SECONDS)
        except subprocess.TimeoutExpired:
            continue
        break
