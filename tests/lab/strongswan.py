"""strongSwan in a namespace: charon-systemd with its ESP in user space, told by swanctl.

Every charon has a folder of its own for configuration, log and socket; /etc is not touched.
"""

from __future__ import annotations

import re
import shutil
import subprocess
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path

from tests.lab.commands import CommandFailed, run, start, stop, wait_until
from tests.lab.logs import LOGS
from tests.lab.namespaces import Gateway
from tests.lab.needs import CHARON
from tests.lab.peer import SECRET, Child, Sa, Section, Value

_PLUGINS = (
    "random nonce openssl x509 revocation constraints pubkey pkcs1 pkcs8 pem hmac sha1 sha2 md5"
    " aes gcm ccm ctr chapoly cmac xcbc kdf curve25519 drbg"
    " socket-default vici updown counters"
)
# Who carries charon's ESP: itself over a TUN device, or a kernel that has ESP.
IN_USER_SPACE = "kernel-libipsec kernel-netlink"
IN_KERNEL = "kernel-netlink"
# The peer of a test must neither hide behind cookies nor wait minutes for a dead one.
_STRONGSWAN_CONF = """
charon-systemd {{
  load = {plugins}
  plugins {{
    vici {{
      socket = unix://{folder}/vici
    }}
  }}
  install_routes = yes
  dos_protection = no
  make_before_break = yes
  retransmit_tries = {tries}
  retransmit_timeout = {timeout}
  retransmit_base = 1.2
  fragment_size = {fragment_size}
  {options}
  filelog {{
    log {{
      path = {folder}/charon.log
      time_format = %H:%M:%S
      flush_line = yes
      default = 1
      ike = 2
      cfg = 2
    }}
  }}
  journal {{
    default = -1
  }}
  syslog {{
  }}
}}
"""
# A value ends where the next key, which is in small letters, or a bracket begins.
_TOKEN = re.compile(
    r"[{}\[\]]|[a-z][a-z0-9-]*=[^{}\[\]]*?(?=\s+[a-z][a-z0-9-]*(?:=|\s*\{)|\s*[{}\[\]])"
    r"|[^\s{}\[\]]+"
)
_START_SECONDS = 15.0


class StrongswanPeer:
    """One charon; made running, stopped with `stop` or by leaving the `with` block."""

    def __init__(
        self,
        gateway: Gateway,
        configuration: Section,
        identities: list[str],
        secret: str = SECRET,
        carrier: str = IN_USER_SPACE,
        fragment_size: int = 1280,
        retransmit_tries: int = 5,
        credentials: Path | None = None,
        options: str = "",
        plugins: str = "",
    ) -> None:
        self.gateway = gateway
        self.folder = Path(tempfile.mkdtemp(prefix="ikl-"))
        self._title = f"strongSwan, {gateway.label}"
        (self.folder / "swanctl").mkdir()
        if credentials is not None:
            shutil.copytree(credentials, self.folder / "swanctl", dirs_exist_ok=True)
        text = _STRONGSWAN_CONF.format(
            plugins=f"{_PLUGINS} {plugins} {carrier}",
            options=options,
            folder=self.folder,
            tries=retransmit_tries,
            timeout=1.0,
            fragment_size=fragment_size,
        )
        (self.folder / "strongswan.conf").write_text(text)
        self._write(configuration, identities, secret)
        LOGS.add(self._title, self.folder / "charon.log")
        self._process = self._start()
        try:
            wait_until((self.folder / "vici").exists, _START_SECONDS, "charon's socket")
            self._swanctl("--load-all", "--noprompt")
        except BaseException:
            self.stop()
            raise

    def __enter__(self) -> StrongswanPeer:
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def up(self, connection: str, child: str) -> None:
        """Bring up the child and, for it, the connection."""
        self._swanctl("--initiate", "--ike", connection, "--child", child, "--timeout", "20")

    def down(self, connection: str) -> None:
        """Delete the connection's IKE SA."""
        self._swanctl("--terminate", "--ike", connection, "--timeout", "10")

    def down_child(self, connection: str, child: str) -> None:
        """Delete the child's Child SA."""
        self._swanctl("--terminate", "--child", child, "--timeout", "10")

    def rekey_ike(self, connection: str) -> None:
        """Rekey the connection's IKE SA; returns at once."""
        self._swanctl("--rekey", "--ike", connection)

    def reauthenticate(self, connection: str) -> None:
        """Make a new IKE SA in the place of the connection's; returns at once."""
        self._swanctl("--rekey", "--ike", connection, "--reauth")

    def rekey_child(self, connection: str, child: str) -> None:
        """Rekey the child's Child SA; returns at once."""
        self._swanctl("--rekey", "--child", child)

    def sas(self) -> list[Sa]:
        """The IKE SAs there are."""
        return read_sas(self._swanctl("--list-sas", "--raw"))

    @property
    def log(self) -> str:
        """All that charon has logged."""
        return (self.folder / "charon.log").read_text(errors="replace")

    def stop(self) -> int:
        """End charon, which deletes its SAs, and remove its folder. Its exit status."""
        status = stop(self._process)
        LOGS.remove(self._title)
        shutil.rmtree(self.folder, ignore_errors=True)
        return status

    def kill(self) -> None:
        """End charon without a word to anybody."""
        self._process.kill()
        self._process.wait()

    def _start(self) -> subprocess.Popen[bytes]:
        return start(
            "ip",
            "netns",
            "exec",
            self.gateway.namespace,
            str(CHARON),
            output=self.folder / "stdout",
            env={"STRONGSWAN_CONF": str(self.folder / "strongswan.conf")},
        )

    def _write(self, configuration: Section, identities: list[str], secret: str) -> None:
        owners = {f"id-{number}": name for number, name in enumerate(identities, 1)}
        ours = {"ike-lab": {**owners, "secret": f'"{secret}"'}}
        more = configuration.get("secrets", {})
        assert isinstance(more, Mapping)
        text = "".join(_lines({**configuration, "secrets": {**more, **ours}}, ""))
        (self.folder / "swanctl" / "swanctl.conf").write_text(text)

    def _swanctl(self, *argv: str) -> str:
        return run(
            *("ip", "netns", "exec", self.gateway.namespace),
            *("swanctl", *argv, "--uri", f"unix://{self.folder}/vici"),
            env={
                "SWANCTL_DIR": str(self.folder / "swanctl"),
                "STRONGSWAN_CONF": str(self.folder / "strongswan.conf"),
            },
        )


def read_sas(raw: str) -> list[Sa]:
    """The IKE SAs in the raw answer to `swanctl --list-sas`: an event each, then a reply."""
    events = raw.split("list-sas reply")[0].split("list-sa event")
    return [_sa(*pair) for event in events for pair in _sections(event)]


def _lines(section: Section, indent: str) -> Iterator[str]:
    """A section in swanctl.conf's format."""
    for key, value in section.items():
        if isinstance(value, Mapping):
            yield f"{indent}{key} {{\n"
            yield from _lines(value, indent + "  ")
            yield f"{indent}}}\n"
        else:
            yield f"{indent}{key} = {_word(value)}\n"


def _word(value: Value) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, list):
        return ",".join(value)
    # What is behind # is a comment.
    return f'"{value}"' if "#" in str(value) else str(value)


def _sections(text: str) -> list[tuple[str, dict[str, object]]]:
    """The sections of a raw answer: `{name {key=value ... name {...} list=[...]}}`."""
    tokens = iter(_TOKEN.findall(text))
    found = _section(tokens) if next(tokens, "") == "{" else {}
    return [(name, value) for name, value in found.items() if isinstance(value, dict)]


def _section(tokens: Iterator[str]) -> dict[str, object]:
    found: dict[str, object] = {}
    for token in tokens:
        if token == "}":
            break
        key, equals, value = token.partition("=")
        if not equals:
            _expect(next(tokens), "{")
            found[key] = _section(tokens)
        elif value:
            found[key] = value
        else:
            found[key] = _empty_or_list(tokens)
    return found


def _empty_or_list(tokens: Iterator[str]) -> list[str]:
    _expect(next(tokens), "[")
    return list(iter(lambda: next(tokens), "]"))


def _expect(token: str, wanted: str) -> None:
    if token != wanted:
        raise CommandFailed(f"swanctl --raw: {token!r} where {wanted!r} was expected")


def _sa(name: str, facts: dict[str, object]) -> Sa:
    children = facts.get("child-sas", {})
    assert isinstance(children, dict)
    return Sa(
        connection=name,
        state=str(facts["state"]),
        spi_i=str(facts["initiator-spi"]),
        spi_r=str(facts["responder-spi"]),
        children=tuple(_child(child) for child in children.values()),
    )


def _child(facts: Mapping[str, object]) -> Child:
    return Child(
        name=str(facts["name"]),
        state=str(facts["state"]),
        spi_in=str(facts.get("spi-in", "")),
        spi_out=str(facts.get("spi-out", "")),
        octets_in=int(str(facts.get("bytes-in", 0))),
        octets_out=int(str(facts.get("bytes-out", 0))),
    )
