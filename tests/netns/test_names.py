"""Peers that are configured by DNS name; /etc/netns gives each namespace its own /etc/hosts."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.lab.commands import wait_until
from tests.lab.ikeactors import IkeactorsPeer
from tests.lab.namespaces import Gateway, Network, direct
from tests.lab.peer import Section, established
from tests.lab.roaming import OTHER, add
from tests.lab.traffic import ping
from tests.lab.tunnels import CHILD, CONNECTION, IDENTITIES, connection

pytestmark = pytest.mark.netns

QUICK: Section = {"retransmit_timeout": 0.3, "retransmit_base": 1.0, "retransmit_tries": 3}
STARTED: Section = {"start_action": "start"}
ANYWHERE: Section = {"local_addrs": "%any"}


@contextmanager
def hosts_of(gateway: Gateway) -> Iterator[Path]:
    """The file that the programs in a gateway's namespace see as /etc/hosts."""
    folder = Path("/etc/netns") / gateway.namespace
    folder.mkdir(parents=True)
    file = folder / "hosts"
    file.write_text("127.0.0.1 localhost\n")
    (folder / "resolv.conf").write_text("nameserver 127.0.0.1\noptions timeout:1 attempts:1\n")
    try:
        yield file
    finally:
        shutil.rmtree(folder)


@pytest.fixture
def network() -> Iterator[Network]:
    with direct() as made:
        yield made


def test_a_peer_is_called_and_known_by_its_name(network: Network) -> None:
    ours = connection(network, network.west, options={"remote_addrs": "east.lab"})
    theirs = connection(network, network.east, options={"remote_addrs": "west.lab"})
    with hosts_of(network.west) as west_hosts, hosts_of(network.east) as east_hosts:
        west_hosts.write_text("10.77.0.2 east.lab\n")
        east_hosts.write_text("10.77.0.1 west.lab\n")
        with (
            IkeactorsPeer(network.east, theirs, IDENTITIES) as east,
            IkeactorsPeer(network.west, ours, IDENTITIES) as west,
        ):
            east.expect_logged("west.lab is 10.77.0.1")
            west.up(CONNECTION, CHILD[4])
            assert ping(network.west, network.east) == 3
            assert "east.lab" in west.command("list", "conns")


def test_a_name_is_looked_up_anew_for_each_attempt(network: Network) -> None:
    options: Section = {**QUICK, **ANYWHERE, "remote_addrs": "east.lab", "mobike": False}
    ours = connection(network, network.west, child=STARTED, options=options)
    theirs = connection(network, network.east, options=ANYWHERE)
    with (
        hosts_of(network.west) as hosts,
        IkeactorsPeer(network.east, theirs, IDENTITIES),
        IkeactorsPeer(network.west, ours, IDENTITIES) as west,
    ):
        wait_until(lambda: "trying again in 30 s" in west.log, 10.0, "the name is unknown")
        wait_until(lambda: "does not resolve" in west.command("status"), 5.0, "it is told")
        hosts.write_text("10.77.0.12 east.lab\n")
        add(network.east)
        wait_until(lambda: established(west, CONNECTION), 15.0, "the tunnel is up")
        assert OTHER["east"][4] in west.log
