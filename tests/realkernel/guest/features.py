"""What XFRM can do for a router, each with packets through it and a look at what passes outside."""

from __future__ import annotations

import os
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import replace
from functools import partial

import trio

from ikeactors.crypto.suite import ChildSuite
from ikeactors.iana import Encr, Integ, KeyExchangeMethod, ProtocolId
from ikeactors.kernel.esp import OutboundSa
from ikeactors.kernel.requests import (
    CopyDscp,
    Direction,
    HeaderCopying,
    HwOffload,
    KernelRefusal,
    Lifetime,
    PolicyAction,
    PolicyRequest,
)
from ikeactors.kernel.xfrm_algorithms import AEAD_NAMES, ENCRYPTION_NAMES, INTEGRITY_NAMES
from ikeactors.protocol.events import SaExpired
from tests.fakes.sas import CBC, GCM, packet, policy, sa, selector
from tests.lab.namespaces import direct
from tests.realkernel.guest.backend import checked
from tests.realkernel.guest.bench import (
    Bench,
    Ends,
    events,
    ids,
    turned,
)
from tests.realkernel.guest.reporting import attempt
from tests.realkernel.guest.wire import (
    AH,
    ESP,
    UDP,
    Program,
    arrives,
    host_behind_west,
    send_esp,
    watching,
)

_KEY_BITS = {
    **{encr: (128, 192, 256) for encr in AEAD_NAMES if encr is not Encr.CHACHA20_POLY1305},
    Encr.AES_CBC: (128, 192, 256),
    Encr.AES_CTR: (128, 192, 256),
}
# EF, and that with a congestion mark of ECN's first kind.
_DSCP, _DSCP_ECT = 0xB8, 0xBA
_RANGE = (1000, 2000)


def ah(integ: Integ, esn: bool = False) -> ChildSuite:
    """A suite of AH."""
    return ChildSuite(ProtocolId.AH, Encr.NULL, None, integ, KeyExchangeMethod.NONE, esn)


def _suite(encr: Encr, bits: int | None, integ: Integ) -> ChildSuite:
    return ChildSuite(ProtocolId.ESP, encr, bits, integ, KeyExchangeMethod.NONE, esn=False)


async def takes_every_algorithm(bench: Bench) -> None:
    """Every cipher with every length of key, and every integrity algorithm, in ESP and in AH."""
    suites = [
        _suite(encr, bits, Integ.NONE if encr in AEAD_NAMES else Integ.HMAC_SHA2_256_128)
        for encr in (*AEAD_NAMES, *ENCRYPTION_NAMES)
        for bits in _KEY_BITS.get(encr, (None,))
    ]
    for integ in INTEGRITY_NAMES:
        suites += [_suite(Encr.AES_CBC, 128, integ), ah(integ)]
    for suite in suites:
        request = replace(sa(suite=suite), encapsulation=None)
        await bench.west.install((request,), ())
        await bench.west.remove((request.sa_id,), ())
    assert bench.left() == ""


async def hides_what_is_inside(
    bench: Bench, suite: ChildSuite, outer: int, udp: bool, carried_in: int, readable: bool
) -> None:
    """Packets of both families arrive, both kernels count them, and outside there is no other."""
    ends = bench.ends(sa(suite=suite), outer, udp)
    await bench.connect(ends)
    with watching(bench.network) as wire:
        for inner in (4, 6):
            assert arrives(bench.network, Program(version=inner)), f"IPv{inner} did not arrive"
        seen = wire.seen()
    assert [one.packets for one in await bench.west.usage(ids(ends.west[:1]))] == [2]
    assert [one.packets for one in await bench.east.usage(ids(ends.east[1:]))] == [2]
    await bench.disconnect(ends)
    assert {(one.version, one.protocol) for one in seen} == {(outer, carried_in)}
    assert [one.is_readable for one in seen] == [readable, readable]


async def copies_between_headers(bench: Bench) -> None:
    """DSCP, ECN and DF, from the inner header to the outer one and back (RFC 4301 section 5.1.2)"""
    rows = (
        (HeaderCopying(), _DSCP_ECT, True),
        (HeaderCopying(dscp=CopyDscp.NO, ecn=False), 0, True),
        (HeaderCopying(dscp=CopyDscp.IN), _DSCP_ECT & 3, True),
        (HeaderCopying(dscp=CopyDscp.YES, ecn=False), _DSCP, True),
        (HeaderCopying(df=False), _DSCP_ECT, False),
    )
    for copying, traffic_class, has_df in rows:
        ends = bench.ends(replace(sa(suite=GCM), copying=copying), udp=False)
        await bench.connect(ends)
        with watching(bench.network) as wire:
            arrived = arrives(bench.network, Program(traffic_class=_DSCP_ECT))
            (seen,) = wire.seen()
        await bench.disconnect(ends)
        found = (seen.traffic_class, seen.has_df)
        assert found == (traffic_class, has_df), f"{copying}: {found}"
        assert arrived is not None
        # A tunnel that copies the DSCP inwards took away what was not copied outwards.
        inner = 0 if copying.dscp is CopyDscp.IN else _DSCP
        assert arrived[1] & 0xFC == inner, f"{copying}: inside it is {arrived[1]:#x}"


async def expires_by_octets(bench: Bench) -> None:
    """The soft limit, then the hard one, counted in octets."""
    ends = bench.ends(replace(sa(), lifetime=Lifetime(soft_bytes=100, hard_bytes=200)))
    await bench.connect(ends)
    for _ in range(8):
        arrives(bench.network, Program())
    sa_id = ends.west[0].sa_id
    told = [one for one in await events(bench.west, 2) if one.sa_id == sa_id]
    await bench.disconnect(ends)
    assert told == [SaExpired(sa_id, hard=False), SaExpired(sa_id, hard=True)]


async def takes_ports_of_a_range_only(bench: Bench) -> None:
    """What is inside of a range of ports is protected; what is outside leaves as it is."""
    ends = bench.ends(udp=False)
    outbound = replace(policy(), destination=selector("10.2.0.0/24", UDP, _RANGE))
    inbound = turned(outbound, Direction.IN)
    await _connected(bench, ends, (outbound,), (inbound,))
    with watching(bench.network) as wire:
        carried = []
        for port in (999, *_RANGE, 2001):
            assert arrives(bench.network, Program(port)), port
            carried.append([one.protocol for one in wire.seen()])
    await _disconnected(bench, ends, (outbound,), (inbound,))
    assert carried == [[UDP], [ESP], [ESP], [UDP]]


async def takes_what_is_late_and_nothing_twice(bench: Bench) -> None:
    """A window of 4096 packets, with and without ESN (RFC 4303 section 3.4.3)"""
    rows = ((5000, True), (1000, True), (1000, False), (905, True), (904, False), (9000, True))
    inner = packet("10.1.0.1", "10.2.0.1")
    for suite in (GCM, replace(GCM, esn=True), replace(CBC, esn=True)):
        ends = bench.ends(replace(sa(suite=suite), replay_window=4096), udp=False)
        arriving = ends.east[1]
        await bench.east.install((arriving,), ())
        outbound = OutboundSa(ends.west[0], os.urandom)
        taken = []
        for sequence, _ in rows:
            outbound.sequence = sequence - 1
            before = await bench.east.usage((arriving.sa_id,))
            send_esp(bench.network, outbound.seal(inner))
            after = await bench.east.usage((arriving.sa_id,))
            taken.append((sequence, after[0].packets > before[0].packets))
        await bench.east.remove((arriving.sa_id,), ())
        assert taken == list(rows), f"{suite}: {taken}"


async def pads_what_it_sends(bench: Bench) -> None:
    """To a length that is given, or to the path's (RFC 4303 section 2.7)"""
    lengths = []
    for padding in (0, 1000, 65535):
        ends = bench.ends(replace(sa(suite=GCM), tfc_padding=padding), udp=False)
        await bench.connect(ends)
        with watching(bench.network) as wire:
            assert arrives(bench.network, Program())
            (seen,) = wire.seen()
        await bench.disconnect(ends)
        lengths.append(len(seen.octets))
    plain, padded, longest = lengths
    assert plain < 200 < 1000 <= padded < 1100, lengths
    assert 1490 <= longest <= 1500, lengths


async def says_that_no_device_offloads(bench: Bench) -> None:
    """A veth cannot: crypto is refused and leaves nothing, auto is the kernel's."""
    ends = bench.ends(replace(sa(suite=GCM), offload=HwOffload.CRYPTO), udp=False)
    try:
        await bench.west.install(ends.west, (policy(),))
    except KernelRefusal as refusal:
        assert "no device on the way to the peer takes it" in str(refusal), refusal
    else:
        raise AssertionError("it was taken")
    assert bench.left() == ""
    for udp in (False, True):
        ends = bench.ends(replace(sa(suite=GCM), offload=HwOffload.AUTO), udp=udp)
        await bench.connect(ends)
        assert await bench.answered(4) == 1
        await bench.disconnect(ends)


async def lets_pass_and_drops(bench: Bench) -> None:
    """A shunt goes before a tunnel it is narrower than, or by a priority that is given."""
    ends = bench.ends(udp=False)
    passing = replace(
        policy(), destination=selector("10.2.0.1/32", UDP, (53, 53)), action=PolicyAction.PASS
    )
    dropping = replace(
        policy(), destination=selector("10.2.0.0/16"), action=PolicyAction.DROP, priority=5
    )
    tunnel, back = policy(), turned(policy(), Direction.IN)
    # What comes in without protection falls under a policy too.
    open_ = replace(turned(passing, Direction.IN), action=PolicyAction.PASS)
    await _connected(bench, ends, (tunnel, passing), (back, open_))
    with watching(bench.network) as wire:
        assert arrives(bench.network, Program(53))
        assert [one.protocol for one in wire.seen()] == [UDP]
        assert arrives(bench.network, Program(54))
        assert [one.protocol for one in wire.seen()] == [ESP]
        await bench.west.install((), (dropping,))
        assert arrives(bench.network, Program(54)) is None
        assert wire.seen() == []
    await _disconnected(bench, ends, (tunnel, passing, dropping), (back, open_))


async def protects_what_it_forwards(bench: Bench) -> None:
    """Of hosts behind west: out through the tunnel, in only through it (RFC 4301 section 5.2)"""
    ends = bench.ends(udp=False)
    back = replace(policy("10.2.0.0/24", "10.1.0.0/24", Direction.FWD), reqid=7)
    wests = (policy(), back, replace(back, direction=Direction.IN))
    there = (turned(policy(), Direction.IN), replace(back, direction=Direction.OUT))
    nothing_else = replace(
        policy("0.0.0.0/0", "0.0.0.0/0", Direction.FWD), action=PolicyAction.DROP, priority=1 << 20
    )
    passing = replace(policy(direction=Direction.FWD), action=PolicyAction.PASS)
    with host_behind_west(bench.network) as host, watching(bench.network) as wire:
        await _connected(bench, ends, wests, there)
        assert arrives(bench.network, Program(), source=host)
        assert {one.protocol for one in wire.seen()} == {ESP}
        assert arrives(bench.network, Program(), destination=host)
        # What has come in is seen decrypted as well.
        assert {one.protocol for one in wire.seen()} == {ESP, UDP}
        await bench.west.install((), (nothing_else,))
        assert arrives(bench.network, Program(), source=host) is None
        await bench.west.install((), (passing,))
        assert arrives(bench.network, Program(), source=host)
        assert {one.protocol for one in wire.seen()} == {ESP}
        await bench.east.remove(ids(ends.east), there)
        assert arrives(bench.network, Program(), destination=host) is None, "it came in the clear"
        await _disconnected(bench, ends, (*wests, nothing_else, passing), ())


async def _connected(
    bench: Bench, ends: Ends, west: tuple[PolicyRequest, ...], east: tuple[PolicyRequest, ...]
) -> None:
    await bench.west.install(ends.west, west)
    await bench.east.install(ends.east, east)


async def _disconnected(
    bench: Bench, ends: Ends, west: tuple[PolicyRequest, ...], east: tuple[PolicyRequest, ...]
) -> None:
    await bench.west.remove(ids(ends.west), west)
    await bench.east.remove(ids(ends.east), east)
    assert bench.left() == ""


_CARRIED = (
    ("ESP over IPv4", GCM, 4, False, ESP, False),
    ("ESP over IPv6", GCM, 6, False, ESP, False),
    ("ESP in UDP over IPv4", CBC, 4, True, UDP, False),
    ("ESP in UDP over IPv6", GCM, 6, True, UDP, False),
    *(
        (f"AH {integ.name} over IPv{outer}{' with ESN' if esn else ''}", ah(integ, esn), outer,
         False, AH, True)
        for integ, outer, esn in (
            (Integ.HMAC_SHA2_256_128, 4, False),
            (Integ.HMAC_SHA2_512_256, 6, True),
            (Integ.AES_CMAC_96, 4, True),
        )
    ),
)  # fmt: skip

CHECKS: Mapping[str, Callable[[Bench], Awaitable[None]]] = {
    "every algorithm is taken": takes_every_algorithm,
    **{
        f"{name} is all that passes": partial(
            hides_what_is_inside, suite=suite, outer=outer, udp=udp, carried_in=carried,
            readable=readable,
        )
        for name, suite, outer, udp, carried, readable in _CARRIED
    },
    "headers are copied as it is asked for": copies_between_headers,
    "an SA expires by octets": expires_by_octets,
    "a range of ports": takes_ports_of_a_range_only,
    "a wide window": takes_what_is_late_and_nothing_twice,
    "traffic flow confidentiality": pads_what_it_sends,
    "hardware offload": says_that_no_device_offloads,
    "shunts and priorities": lets_pass_and_drops,
    "what is forwarded": protects_what_it_forwards,
}  # fmt: skip
NAMES = tuple(CHECKS)


def run() -> None:
    """All checks, one after the other, on one network."""
    with direct() as network:
        for name, check in CHECKS.items():
            attempt(name, partial(trio.run, checked, network, check))
