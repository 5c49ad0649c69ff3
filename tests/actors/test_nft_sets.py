"""Sets of nftables: what is written of the networks of children, and what of mistakes."""

from __future__ import annotations

from dataclasses import replace

import pytest

from ikeactors.actors.nft_sets import NftFailed, NftSets, run_nft
from ikeactors.protocol.settings import ChildSettings
from tests.actors.test_updown import ACTION
from tests.fakes.sas import selector
from tests.lab.namespaces import direct

SETTINGS = ChildSettings("net", nft_set="inet/filter/remote", nft_set6="inet/filter/remote6")
FOLLOWED = replace(ACTION, settings=SETTINGS)


class Nft:
    """What is told to nft."""

    def __init__(self) -> None:
        self.told: list[str] = []
        self.refuses = False

    async def write(self, rules: str) -> None:
        if self.refuses:
            raise NftFailed("no such set")
        self.told += rules.splitlines()

    def take(self) -> list[str]:
        told, self.told = self.told, []
        return told


async def test_networks_come_and_go_with_their_children():
    nft = Nft()
    sets = NftSets(nft.write)
    sets.claim(["inet/filter/remote"])
    await sets.write()
    assert nft.take() == ["flush set inet filter remote"]
    sets.add("a", FOLLOWED)
    wide = (selector("10.2.0.0/16"), selector("fd02::/64"), selector("10.9.0.1/32"))
    sets.add("b", replace(FOLLOWED, remote_ts=wide))
    await sets.write()
    assert nft.take() == [
        "add element inet filter remote { 10.2.0.0/16, 10.9.0.1/32 }",
        "flush set inet filter remote6",
        "add element inet filter remote6 { fd02::/64 }",
    ]
    # What the wide one has covered is its own again.
    sets.remove("b")
    await sets.write()
    assert nft.take() == [
        "delete element inet filter remote { 10.2.0.0/16, 10.9.0.1/32 }",
        "add element inet filter remote { 10.2.0.0/24 }",
        "delete element inet filter remote6 { fd02::/64 }",
    ]
    assert sets.is_current


async def test_what_nft_refuses_is_written_whole_the_next_time():
    nft = Nft()
    sets = NftSets(nft.write)
    sets.add("a", FOLLOWED)
    nft.refuses = True
    assert await sets.write() == {"inet/filter/remote": "no such set"}
    nft.refuses = False
    sets.claim(["inet/filter/remote"])
    assert await sets.write() == {}
    assert nft.take() == [
        "flush set inet filter remote",
        "add element inet filter remote { 10.2.0.0/24 }",
    ]


async def test_nft_says_what_it_does_not_take():
    with pytest.raises(NftFailed, match="rror"):
        await run_nft("flush set inet none of_this\n")
    await run_nft("")


@pytest.mark.netns
def test_the_rules_are_nftables_own() -> None:
    with direct() as net:
        net.west.run("nft", "add table inet filter")
        words = "{ type ipv4_addr; flags interval; }"
        net.west.run("nft", f"add set inet filter remote {words}")
        net.west.run("nft", "flush set inet filter remote")
        added = "add element inet filter remote { 10.2.0.0/16, 10.9.0.1/32 }"
        net.west.run("nft", added)
        shown = net.west.run("nft", "list", "set", "inet", "filter", "remote")
        assert "elements = { 10.2.0.0/16, 10.9.0.1 }" in shown
        net.west.run("nft", "delete element inet filter remote { 10.2.0.0/16, 10.9.0.1/32 }")
        assert "elements" not in net.west.run("nft", "list", "set", "inet", "filter", "remote")
