"""Initiators who never go on: half-open IKE SAs at the responder."""

from __future__ import annotations

import sys

from ikeactors.protocol.actions import SendDatagram
from tests.lab.namespaces import Network
from tests.pair import Pair

# From ports of their own, so that what is answered comes to nobody.
_CALL = """
import socket, sys
for octets in sys.argv[2:]:
    one = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    one.sendto(bytes.fromhex(octets), (sys.argv[1], 500))
"""


def leave_half_open(network: Network, count: int) -> None:
    """Begin IKE SAs from the west in the east that are never gone on with."""
    pair = Pair()
    pair.initiate()
    first = next(one for one in pair.west.actions if isinstance(one, SendDatagram)).octets
    calls = [(number.to_bytes(8, "big") + first[8:]).hex() for number in range(1, count + 1)]
    network.west.run(sys.executable, "-c", _CALL, network.east.outer[4], *calls)
