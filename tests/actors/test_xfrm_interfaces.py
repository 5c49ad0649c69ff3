"""XFRM interfaces that come and go with SAs and policies, beside a fake of rtnetlink."""

from __future__ import annotations

import errno
from dataclasses import replace
from ipaddress import ip_interface
from types import TracebackType
from typing import Any

import pytest
from pyroute2.netlink.exceptions import NetlinkError

from ikeactors.actors.xfrm_interfaces import InterfacedBackend, Interfaces, why_no_interfaces
from ikeactors.kernel.interfaces import Interface
from ikeactors.kernel.requests import KernelRefusal
from tests.fakes.kernel import SimulatedKernel
from tests.fakes.sas import CBC, GCM, policy, sa

WAN = 1


class Link(dict[str, Any]):
    """A message as pyroute2 gives it."""

    def get_nested(self, *_: str) -> object:
        return self["if_id"]


class FakeRtnetlink:
    """Links and addresses, as far as they are asked for."""

    def __init__(self) -> None:
        self.links: dict[int, dict[str, Any]] = {WAN: {"ifname": "wan", "mtu": 1500}}
        self.refusing = ""
        self.gone = False

    def __enter__(self) -> FakeRtnetlink:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None,
        trace: TracebackType | None,
    ) -> None: ...  # fmt: skip

    def link_lookup(self, ifname: str) -> list[int]:
        return [index for index, link in self.links.items() if link["ifname"] == ifname]

    def link(self, command: str, **wanted: Any) -> list[Link]:
        if command == self.refusing:
            raise NetlinkError(errno.EOPNOTSUPP, "not supported")
        if command == "add":
            self.links[max(self.links) + 1] = {"mtu": 1500, "addresses": [], **wanted}
            return []
        index = wanted.pop("index")
        if command == "get":
            link = self.links[index]
            attributes = [("IFLA_MTU", link["mtu"]), ("IFLA_IFALIAS", link.get("ifalias"))]
            return [Link(attrs=attributes, if_id=link.get("xfrm_if_id"))]
        if command == "del":
            del self.links[index]
        else:
            self.links[index] |= wanted
        return []

    def addr(self, _: str, index: int, address: str, **__: object) -> None:
        self.links[index]["addresses"].append(address)

    def route(self, *_: str, **__: object) -> list[Link]:
        if self.gone:
            raise NetlinkError(errno.ENETUNREACH, "unreachable")
        return [Link(attrs=[("RTA_OIF", WAN)])]

    def named(self, name: str) -> dict[str, Any] | None:
        return next((link for link in self.links.values() if link["ifname"] == name), None)


class Bench:
    """A back end with interfaces, a simulated kernel below it and a fake beside it."""

    def __init__(self, *interfaces: Interface) -> None:
        self.links = FakeRtnetlink()
        self.kernel = SimulatedKernel()
        self.interfaces = Interfaces(interfaces, 0x1CE, lambda: self.links)
        self.backend = InterfacedBackend(self.kernel, self.interfaces)


IPSEC7 = Interface("ipsec7", 7, addresses=(ip_interface("10.9.0.1/30"),))
SA = replace(sa(), if_id=7, encapsulation=None)
POLICY = replace(policy(), if_id=7)


async def test_an_interface_comes_with_the_first_sa_and_goes_with_the_last_policy():
    bench = Bench(IPSEC7)
    await bench.backend.install((SA,), (POLICY,))
    link = bench.links.named("ipsec7")
    assert link is not None
    assert (link["kind"], link["xfrm_if_id"], link["state"]) == ("xfrm", 7, "up")
    assert (link["addresses"], link["mtu"], link["ifalias"]) == (["10.9.0.1"], 1446, "ikeactors")
    assert bench.interfaces.index_of(7) is not None
    await bench.backend.remove((SA.sa_id,), ())
    assert bench.links.named("ipsec7")
    await bench.backend.remove((), (POLICY,))
    assert bench.links.named("ipsec7") is None
    assert bench.interfaces.index_of(7) is None


async def test_the_mtu_is_that_of_the_sa_with_the_most_overhead():
    bench = Bench(IPSEC7)
    longer = replace(sa(0x2000, suite=CBC), if_id=7, encapsulation=None)
    await bench.backend.install((SA, longer), ())
    link = bench.links.named("ipsec7")
    assert link is not None
    assert link["mtu"] == 1438
    await bench.backend.remove((longer.sa_id,), ())
    assert link["mtu"] == 1446


async def test_a_given_mtu_is_kept():
    bench = Bench(replace(IPSEC7, mtu=1400))
    await bench.backend.install((SA,), ())
    assert bench.links.named("ipsec7")["mtu"] == 1400  # type: ignore[index]


async def test_a_path_that_nobody_knows_is_taken_for_ethernet():
    bench = Bench(IPSEC7)
    bench.links.gone = True
    bench.links.links[WAN]["mtu"] = 9000
    await bench.backend.install((SA,), ())
    assert bench.links.named("ipsec7")["mtu"] == 1446  # type: ignore[index]


async def test_a_refused_sa_leaves_no_interface():
    bench = Bench(IPSEC7)
    with pytest.raises(KernelRefusal):
        await bench.backend.install((SA, SA), (POLICY,))
    assert bench.links.named("ipsec7") is None


async def test_a_refused_rekeying_leaves_the_interface_to_the_old_sa():
    bench = Bench(IPSEC7)
    await bench.backend.install((SA,), (POLICY,))
    successor = replace(SA, spi=0x3000)
    with pytest.raises(KernelRefusal):
        await bench.backend.install((successor, successor), (POLICY,))
    assert bench.links.named("ipsec7")


async def test_a_kernel_without_xfrm_interfaces_refuses_the_sa():
    bench = Bench(IPSEC7)
    bench.links.refusing = "add"
    with pytest.raises(KernelRefusal, match="CONFIG_XFRM_INTERFACE"):
        await bench.backend.install((SA,), ())
    assert bench.kernel.sas == {}


async def test_a_device_that_is_not_there_refuses_the_sa():
    bench = Bench(replace(IPSEC7, device="lan"))
    with pytest.raises(KernelRefusal, match="there is no device lan"):
        await bench.backend.install((SA,), ())


async def test_an_interface_stays_with_what_a_daemon_leaves_installed():
    bench = Bench(IPSEC7)
    await bench.backend.install((SA,), (POLICY,))
    await bench.backend.aclose()
    assert bench.links.named("ipsec7")


async def test_what_a_former_daemon_has_left_is_taken_over_and_goes_at_the_end():
    bench = Bench(IPSEC7)
    left = {"ifname": "ipsec7", "xfrm_if_id": 7, "ifalias": "ikeactors", "mtu": 1300}
    bench.links.links[9] = {**left, "addresses": []}
    await bench.backend.install((SA,), ())
    assert bench.links.links[9]["mtu"] == 1446
    await bench.backend.remove((SA.sa_id,), ())
    assert 9 not in bench.links.links


async def test_an_operators_interface_is_used_and_stays():
    bench = Bench(replace(IPSEC7, device="wan"))
    bench.links.links[9] = {"ifname": "ipsec7", "xfrm_if_id": 7, "mtu": 1300, "addresses": []}
    await bench.backend.install((SA,), ())
    await bench.backend.remove((SA.sa_id,), ())
    assert 9 in bench.links.links


async def test_another_device_of_that_name_refuses_the_sa():
    bench = Bench(replace(IPSEC7, name="wan"))
    with pytest.raises(KernelRefusal, match="no XFRM interface with if_id 7"):
        await bench.backend.install((SA,), ())


async def test_an_sa_that_moves_keeps_its_interface():
    bench = Bench(IPSEC7)
    await bench.backend.install((SA,), (POLICY,))
    moved = replace(SA, encapsulation=sa().encapsulation, source=SA.source + 10)
    await bench.backend.move((SA.sa_id,), (moved,), (POLICY,), (POLICY,))
    assert bench.links.named("ipsec7")["mtu"] == 1438  # type: ignore[index]
    await bench.backend.remove((moved.sa_id,), (POLICY,))
    assert bench.links.named("ipsec7") is None


async def test_what_has_another_number_is_no_concern():
    bench = Bench(IPSEC7)
    plain = replace(sa(suite=GCM), if_id=8)
    await bench.backend.install((plain,), (policy(),))
    await bench.backend.remove((plain.sa_id,), (policy(),))
    assert list(bench.links.links) == [WAN]


def test_an_interface_without_routes_is_not_routed_to():
    assert Bench(replace(IPSEC7, routes=False)).interfaces.index_of(7) is None


def test_an_interface_is_made_to_try_and_taken_away_again() -> None:
    links = FakeRtnetlink()
    assert why_no_interfaces(lambda: links) == ""
    assert list(links.links) == [WAN]
    links.refusing = "add"
    assert "CONFIG_XFRM_INTERFACE, module xfrm_interface" in why_no_interfaces(lambda: links)
