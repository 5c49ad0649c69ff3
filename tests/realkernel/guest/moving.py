"""What moves under pings, with SAs in the kernel: addresses, a NAT's mapping, the IKE SA itself."""

from __future__ import annotations

import re
import sys
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from functools import partial

from tests.lab import commands, expectations
from tests.lab.ikeactors import IkeactorsPeer
from tests.lab.namespaces import Gateway, Network, direct, natted
from tests.lab.pair import SETTLED_SECONDS, SIDES, Kinds, LabPeer, Pair, paired
from tests.lab.peer import established
from tests.lab.roaming import OTHER, add, remove, roaming
from tests.lab.strongswan import IN_KERNEL, StrongswanPeer
from tests.lab.traffic import Pings
from tests.lab.tunnels import CHILD, CONNECTION, GCM, IDENTITIES, connection_settings
from tests.realkernel.guest.reporting import attempt

IN_THE_KERNEL: Kinds = {
    "ikeactors": partial(IkeactorsPeer, options={"kernel": "xfrm"}),
    "strongswan": partial(StrongswanPeer, carrier=IN_KERNEL),
}
OURS, OURS_TO_THEIRS = ("ikeactors", "ikeactors"), ("ikeactors", "strongswan")
_PINGS = 400
# Twenty pings a second: what may be lost from when an address goes to when both ends have moved.
_INTERVAL = 0.05
_LONGEST_GAP = 60
# The address that the box takes instead of its first, with another mapping for all it carries.
_MAPPED_ANEW = "10.77.0.9"
_PACKETS = re.compile(r"(\d+)\(packets\)")


def an_end_moves(kinds: tuple[str, str], side: str) -> None:
    """An end loses the address it uses; it is the same SAs after that (RFC 4555 section 3.5)"""
    with direct() as network, roaming(network, kinds, IN_THE_KERNEL) as pair:
        pair.up()
        before, gateway = _spis(pair), pair.side(side).gateway
        add(gateway)
        with _pinging(network) as pings:
            remove(gateway, gateway.outer[4])
            lost = pings.lost()
        _note(f"{' to '.join(kinds)}, {side} moves: {lost} pings of {_PINGS} lost")
        assert lost < _LONGEST_GAP, lost
        assert _spis(pair) == before
        words = _states(gateway).split()
        assert OTHER[gateway.label][4] in words
        assert gateway.outer[4] not in words
        expectations.expect_traffic(pair)
        expectations.expect_child_rekey(pair, side, inner=4)


def is_reauthenticated(side: str) -> None:
    """Make before break: the new IKE SA's children take over, and no ping is lost."""
    with direct() as network, paired(network, OURS, made=IN_THE_KERNEL) as pair:
        expectations.expect_reauthentication(pair, side)


def a_mapping_changes(kinds: tuple[str, str]) -> None:
    """The NAT gives west another address: east learns it of ESP that comes from there."""
    with natted() as network, paired(network, kinds, made=IN_THE_KERNEL) as pair:
        pair.up()
        with _pinging(network) as pings:
            _map_anew(network)
            lost = pings.lost()
        _note(f"{' to '.join(kinds)}, mapped anew: {lost} pings of {_PINGS} lost")
        assert lost < _LONGEST_GAP, lost
        assert _MAPPED_ANEW in _states(network.east)
        expectations.expect_traffic(pair)


def transport_mode_passes_a_nat() -> None:
    """The selectors are those of the addresses that each end sees (RFC 7296 section 2.23.1)"""
    with natted() as network:
        west, east = network.west, network.east
        with ExitStack() as stack:
            there = _transporting(network, east)
            stack.callback(there.stop)
            here = _transporting(network, west)
            stack.callback(here.stop)
            here.up(CONNECTION, CHILD[4])
            commands.wait_until(
                lambda: established(there, CONNECTION) is not None, SETTLED_SECONDS, "up"
            )
            for _ in range(3):
                west.run("ping", "-n", "-c", "1", "-W", "3", east.outer[4])
            counts = [int(count) for count in _PACKETS.findall(_states(west))]
        assert counts == [3, 3], counts


def _transporting(network: Network, gateway: Gateway) -> LabPeer:
    settings = dict(connection_settings(network, gateway, GCM))
    settings["children"] = {CHILD[4]: {"mode": "transport", **GCM.of_child}}
    return IN_THE_KERNEL["ikeactors"](gateway, {"connections": {CONNECTION: settings}}, IDENTITIES)


def _pinging(network: Network) -> Pings:
    return Pings.start(network.west, network.east, count=_PINGS, interval=_INTERVAL)


def _map_anew(network: Network) -> None:
    """The box's outer address goes, and with it what it has masqueraded."""
    device = f"to-{network.east.namespace[-1]}"
    inside = ("ip", "-n", network.nat, "addr")
    commands.run(*inside, "add", f"{_MAPPED_ANEW}/24", "dev", device)
    commands.run("ip", "netns", "exec", network.nat, "sysctl", "-qw",
        "net.ipv4.conf.all.promote_secondaries=1")  # fmt: skip
    commands.run(*inside, "del", "10.77.0.1/24", "dev", device)


def _is_up(peer: LabPeer) -> bool:
    return established(peer, CONNECTION) is not None


def _spis(pair: Pair) -> tuple[object, ...]:
    """What tells that it is the same IKE SA with the same Child SAs."""
    sa = established(pair.west, CONNECTION)
    assert sa is not None
    return sa.spi_i, sa.spi_r, {child.spi_in for child in sa.installed}


def _states(gateway: Gateway) -> str:
    return gateway.run("ip", "-s", "xfrm", "state")


def _note(text: str) -> None:
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


CHECKS: Mapping[str, Callable[[], None]] = {
    **{
        f"{' to '.join(kinds)}: the {side} moves": partial(an_end_moves, kinds, side)
        for kinds, side in (
            (OURS, "initiator"),
            (OURS_TO_THEIRS, "initiator"),
            (OURS_TO_THEIRS, "responder"),
        )
    },
    **{
        f"the {side} reauthenticates and no ping is lost": partial(is_reauthenticated, side)
        for side in SIDES
    },
    **{
        f"{' to '.join(kinds)}: a NAT maps anew": partial(a_mapping_changes, kinds)
        for kinds in (OURS, ("strongswan", "ikeactors"))
    },
    "transport mode passes a NAT": transport_mode_passes_a_nat,
}
NAMES = tuple(CHECKS)


def run() -> None:
    """Each check with a pair of its own."""
    for name, check in CHECKS.items():
        attempt(name, check)
