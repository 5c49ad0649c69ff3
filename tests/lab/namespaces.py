"""Networks of namespaces: two gateways with a subnet each, and what may stand between them.

                west                                  east
    10.1.0.0/24 [gateway] 10.77.0.1 --------- 10.77.0.2 [gateway] 10.2.0.0/24
    fd01::/64             fd77::1             fd77::2             fd02::/64

With a NAT box, west is 192.168.77.2 behind 192.168.77.1, and 10.77.0.1 is the box's outside. A
split link ends twice in a third namespace: nothing passes but what a relay carries there.
Names carry the process's ID, so parallel runs do not meet and the remains of a killed one are
recognised.
"""

from __future__ import annotations

import itertools
import os
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.lab.commands import run, run_freely, start

PREFIX = "ikl"
_serial = itertools.count()


@dataclass(frozen=True, slots=True)
class Gateway:
    """A namespace with outer addresses and a subnet behind it, each keyed by IP version."""

    namespace: str
    label: str
    outer: Mapping[int, str]
    inner: Mapping[int, str]
    subnet: Mapping[int, str]

    def run(self, *argv: str, check: bool = True) -> str:
        """Run a program in this namespace to its end."""
        return run("ip", "netns", "exec", self.namespace, *argv, check=check)

    def start(self, *argv: str, output: Path) -> subprocess.Popen[bytes]:
        """Start a program in this namespace; its process ID is the program's own."""
        return start("ip", "netns", "exec", self.namespace, *argv, output=output)


@dataclass(frozen=True, slots=True)
class Network:
    """Two gateways that reach each other; `nat` is the namespace of the box between them."""

    west: Gateway
    east: Gateway
    nat: str = ""

    def seen(self, gateway: Gateway, version: int = 4) -> str:
        """The address under which the other side sees this gateway."""
        return "10.77.0.1" if self.nat and gateway is self.west else gateway.outer[version]


@dataclass(frozen=True, slots=True)
class Gap:
    """The namespace in the middle of a split link, and its devices towards west and east."""

    namespace: str
    devices: tuple[str, str]


@contextmanager
def direct() -> Iterator[Network]:
    """Two gateways on one link, IPv4 and IPv6."""
    with _namespaces("w", "e") as (w, e):
        _link(w, e)
        _address(w, "10.77.0.1/24", "fd77::1/64")
        _address(e, "10.77.0.2/24", "fd77::2/64")
        yield Network(_gateway(w, "west", "10.77.0.1"), _gateway(e, "east", "10.77.0.2"))


@contextmanager
def split() -> Iterator[tuple[Network, Gap]]:
    """Two gateways as in `direct`, and the gap in their link."""
    with _namespaces("w", "m", "e") as (w, m, e):
        run("ip", "netns", "exec", m, "sysctl", "-qw", "net.ipv6.conf.all.disable_ipv6=1")
        _link(w, m)
        _link(m, e)
        _address(w, "10.77.0.1/24", "fd77::1/64")
        _address(e, "10.77.0.2/24", "fd77::2/64")
        network = Network(_gateway(w, "west", "10.77.0.1"), _gateway(e, "east", "10.77.0.2"))
        yield network, Gap(m, (f"to-{_short(w)}", f"to-{_short(e)}"))


@contextmanager
def natted() -> Iterator[Network]:
    """Two gateways with a NAT box between them, west behind it, IPv4 only."""
    with _namespaces("w", "n", "e") as (w, n, e):
        _link(w, n)
        _link(n, e)
        _address(w, "192.168.77.2/24")
        _ip(n, "addr", "add", "192.168.77.1/24", "dev", f"to-{_short(w)}")
        _ip(n, "addr", "add", "10.77.0.1/24", "dev", f"to-{_short(e)}")
        _address(e, "10.77.0.2/24")
        _ip(w, "route", "add", "default", "via", "192.168.77.1")
        _masquerade(n, outside=f"to-{_short(e)}")
        yield Network(_gateway(w, "west", "192.168.77.2"), _gateway(e, "east", "10.77.0.2"), nat=n)


def remove_remains() -> None:
    """Remove the namespaces of lab runs whose process is gone."""
    for line in run_freely("ip", "netns", "list").stdout.splitlines():
        name = line.split()[0]
        prefix, _, rest = name.partition("-")
        pid = rest.partition("-")[0]
        if prefix == PREFIX and pid.isdigit() and not Path(f"/proc/{pid}").exists():
            run_freely("ip", "netns", "del", name)


@contextmanager
def _namespaces(*labels: str) -> Iterator[tuple[str, ...]]:
    number = next(_serial)
    names = tuple(f"{PREFIX}-{os.getpid()}-{number}{label}" for label in labels)
    try:
        for name in names:
            run("ip", "netns", "add", name)
            _ip(name, "link", "set", "lo", "up")
        yield names
    finally:
        for name in names:
            run_freely("ip", "netns", "del", name)


def _gateway(namespace: str, label: str, outer: str) -> Gateway:
    number = {"west": 1, "east": 2}[label]
    inner = {4: f"10.{number}.0.1", 6: f"fd0{number}::1"}
    _ip(namespace, "addr", "add", f"{inner[4]}/32", "dev", "lo")
    _ip(namespace, "addr", "add", f"{inner[6]}/128", "dev", "lo", "nodad")
    subnet = {4: f"10.{number}.0.0/24", 6: f"fd0{number}::/64"}
    return Gateway(namespace, label, {4: outer, 6: f"fd77::{number}"}, inner, subnet)


def _link(one: str, other: str) -> None:
    near, far = f"to-{_short(other)}", f"to-{_short(one)}"
    _ip(one, "link", "add", near, "type", "veth", "peer", "name", far, "netns", other)
    _ip(one, "link", "set", near, "up")
    _ip(other, "link", "set", far, "up")


def _address(namespace: str, *addresses: str) -> None:
    """Give the namespace's only link these addresses, usable at once."""
    links = run("ip", "-n", namespace, "-br", "link", "show", "type", "veth")
    device = links.split("@")[0]
    for address in addresses:
        nodad = ["nodad"] if ":" in address else []
        _ip(namespace, "addr", "add", address, "dev", device, *nodad)


def _masquerade(namespace: str, outside: str) -> None:
    run("ip", "netns", "exec", namespace, "sysctl", "-qw", "net.ipv4.ip_forward=1")
    _nft(
        namespace,
        "add table ip lab",
        "add chain ip lab out { type nat hook postrouting priority 100; }",
        f'add rule ip lab out oifname "{outside}" masquerade',
    )


def _nft(namespace: str, *rules: str) -> None:
    for rule in rules:
        run("ip", "netns", "exec", namespace, "nft", rule)


def _ip(namespace: str, *argv: str) -> None:
    run("ip", "-n", namespace, *argv)


def _short(namespace: str) -> str:
    return namespace[-1]
