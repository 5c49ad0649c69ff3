"""The host's own XFRM, which needs no ESP for it, tells of the packet that falls under a trap."""

from __future__ import annotations

import subprocess
from dataclasses import replace

import pytest
import trio

from ikeactors.actors.backends import Acquired
from ikeactors.actors.probing import open_xfrm
from ikeactors.protocol.events import Trigger
from tests.fakes.sas import policy, selector
from tests.lab.namespaces import Network
from tests.realkernel.guest.bench import inside

pytestmark = pytest.mark.netns

TRAP = replace(policy(), on_demand=True, reqid=1 << 31)
ECHO_REQUEST = (0x800, 0x800)


async def test_the_first_packet_is_told_with_its_policy(network: Network) -> None:
    west, backend = network.west, inside(network.west, open_xfrm)
    west.run("ip", "route", "replace", "10.2.0.0/24", "via", "10.77.0.2", "src", "10.1.0.1")
    await backend.install((), (TRAP,))
    assert "reqid 2147483648" in west.run("ip", "xfrm", "policy")
    ping = ("ping", "-c", "1", "-W", "1", "-I", "10.1.0.1", "10.2.0.1")
    enter = ("ip", "netns", "exec", west.namespace)
    with subprocess.Popen((*enter, *ping), stdout=subprocess.DEVNULL), trio.fail_after(5):
        told = await anext(backend.events())
    await backend.remove((), (TRAP,))
    left = west.run("ip", "xfrm", "policy")
    await backend.aclose()
    trigger = Trigger(
        selector("10.1.0.1/32", 1, ECHO_REQUEST), selector("10.2.0.1/32", 1, ECHO_REQUEST)
    )
    assert told == Acquired(TRAP, trigger)
    assert left == ""
