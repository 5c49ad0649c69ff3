"""A program for one namespace: a userspace data plane with a hand-made tunnel, and nothing else.

    gateway.py west|east [IPv4 or IPv6]

It prints "ready", runs until its input closes, then prints its counters as JSON.
"""

from __future__ import annotations

import json
import os
import socket
import sys
from dataclasses import replace
from ipaddress import ip_address

import trio

from ikeactors.actors.routes import PACKET_MARK
from ikeactors.actors.userspace import UserspaceBackend, run_userspace
from ikeactors.kernel.requests import Direction
from ikeactors.protocol.events import Endpoint
from tests.fakes.sas import CBC, GCM, policy, sa

ENDS = {
    4: ("10.77.0.1", "10.77.0.2"),
    6: ("fd77::1", "fd77::2"),
}
NETWORKS = (("10.1.0.0/24", "10.2.0.0/24"), ("fd01::/64", "fd02::/64"))


async def main(side: str, version: int) -> None:
    west, east = (ip_address(text) for text in ENDS[version])
    here, there = (west, east) if side == "west" else (east, west)
    udp = _socket(here.version, str(here))
    backend = await UserspaceBackend.open(
        lambda octets, _, remote: _send(udp, octets, remote), os.urandom
    )
    await _install(backend, side, here, there)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(run_userspace, backend)
        nursery.start_soon(_receive, udp, backend, Endpoint(here, 4500))
        sys.stdout.write("ready\n")
        sys.stdout.flush()
        await trio.to_thread.run_sync(sys.stdin.read)
        nursery.cancel_scope.cancel()
    statistics = backend.statistics()
    await backend.aclose()
    names = ("sealed", "opened")
    counts = {name: getattr(statistics, name) for name in names}
    sys.stdout.write(json.dumps(counts | {"drops": dict(statistics.drops)}))


async def _install(backend, side, here, there):
    eastward = replace(sa(0x1111, suite=GCM), source=here, destination=there)
    westward = replace(sa(0x2222, suite=CBC), source=here, destination=there)
    mine, other = (eastward, westward) if side == "west" else (westward, eastward)
    inbound = replace(other, direction=Direction.IN, source=there, destination=here)
    policies = []
    for networks in NETWORKS:
        local, remote = networks if side == "west" else networks[::-1]
        policies.append(policy(local, remote, Direction.OUT))
        policies.append(policy(remote, local, Direction.IN))
    await backend.install((mine, inbound), policies)


def _socket(version, address):
    family = socket.AF_INET if version == 4 else socket.AF_INET6
    udp = socket.socket(family, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK)
    udp.setsockopt(socket.SOL_SOCKET, socket.SO_MARK, PACKET_MARK)
    udp.bind((address, 4500))
    return udp


def _send(udp, octets, remote):
    udp.sendto(octets, (str(remote.address), remote.port))


async def _receive(udp, backend, local):
    while True:
        await trio.lowlevel.wait_readable(udp)
        octets, sender = udp.recvfrom(65535)
        remote = Endpoint(ip_address(sender[0]), sender[1])
        backend.plane.receive(octets, local, remote)


if __name__ == "__main__":
    trio.run(main, sys.argv[1], int(sys.argv[2]))
