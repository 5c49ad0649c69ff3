"""A script and a set of nftables that follow a child."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.lab.commands import wait_until
from tests.lab.ikeactors import IkeactorsPeer
from tests.lab.namespaces import direct
from tests.lab.pair import SETTLED_SECONDS, Pair
from tests.lab.tunnels import CONNECTION, IDENTITIES, connection

pytestmark = pytest.mark.netns


def test_a_script_runs_and_a_set_is_filled_while_a_child_is_up(tmp_path: Path) -> None:
    script, told = tmp_path / "script", tmp_path / "told"
    script.write_text(f'#!/bin/sh\necho "$PLUTO_VERB $PLUTO_PEER_CLIENT" >> {told}\nexit 4\n')
    script.chmod(0o755)
    follow = {"updown": str(script), "nft_set": "inet/filter/remote", "nft_set6": "inet/filter/r6"}
    with direct() as network:
        west = network.west
        west.run("nft", "add table inet filter")
        for name, kind in (("remote", "ipv4_addr"), ("r6", "ipv6_addr")):
            west.run("nft", f"add set inet filter {name} {{ type {kind}; flags interval; }}")
        ours = connection(network, west, child=follow)
        theirs = connection(network, network.east)
        with (
            IkeactorsPeer(network.east, theirs, IDENTITIES) as east,
            IkeactorsPeer(west, ours, IDENTITIES) as peer,
        ):
            pair = Pair(network, peer, east)
            pair.up()

            def holds(name: str, element: str) -> bool:
                return element in west.run("nft", "list", "set", "inet", "filter", name)

            def is_told(*lines: str) -> bool:
                return told.exists() and sorted(told.read_text().splitlines()) == sorted(lines)

            up = ("up-client 10.2.0.0/24", "up-client-v6 fd02::/64")
            wait_until(lambda: is_told(*up), SETTLED_SECONDS, "the script ran")
            wait_until(lambda: holds("remote", "10.2.0.0/24"), SETTLED_SECONDS, "the set is full")
            wait_until(lambda: holds("r6", "fd02::/64"), SETTLED_SECONDS, "the other set too")
            peer.expect_logged("exit status 4: it said nothing")
            peer.down(CONNECTION)
            down = ("down-client 10.2.0.0/24", "down-client-v6 fd02::/64")
            wait_until(lambda: is_told(*up, *down), SETTLED_SECONDS, "the script ran again")
            wait_until(lambda: not holds("remote", "10."), SETTLED_SECONDS, "the set is empty")
