"""What protection leaves of a path's MTU."""

from __future__ import annotations

from dataclasses import replace
from ipaddress import ip_address

import pytest

from ikeactors.crypto.suite import ChildSuite
from ikeactors.iana import Encr, Integ, KeyExchangeMethod, ProtocolId
from ikeactors.kernel.esp import OutboundSa
from ikeactors.kernel.interfaces import LEAST_MTU, inner_mtu
from ikeactors.kernel.requests import Mode
from tests.fakes.sas import CBC, GCM, SUITES, packet, sa

AH = ChildSuite(
    ProtocolId.AH, Encr.NULL, None, Integ.HMAC_SHA2_256_128, KeyExchangeMethod.NONE, esn=False
)


# What ESP of GCM takes: IP 20, UDP 8, ESP 8, IV 8, ICV 16, trailer 2, padded to 4.
@pytest.mark.parametrize(
    ("suite", "version", "udp", "mode", "outer", "inner"),
    [
        (GCM, 4, False, Mode.TUNNEL, 1500, 1446),
        (GCM, 4, True, Mode.TUNNEL, 1500, 1438),
        (GCM, 6, True, Mode.TUNNEL, 1500, 1418),
        (CBC, 4, False, Mode.TUNNEL, 1500, 1438),
        (GCM, 4, False, Mode.TRANSPORT, 1500, 1466),
        (AH, 4, False, Mode.TUNNEL, 1500, 1452),
        (AH, 6, False, Mode.TUNNEL, 1500, 1428),
        (GCM, 4, False, Mode.TUNNEL, 1300, LEAST_MTU),
        (GCM, 4, False, Mode.TUNNEL, 9000, 8946),
    ],
)
def test_the_mtu_is_what_fits(suite, version, udp, mode, outer, inner):
    """(RFC 8200 section 5)"""
    request = replace(sa(suite=suite), mode=mode)
    if not udp:
        request = replace(request, encapsulation=None)
    if version == 6:
        ends = {"source": ip_address("fd77::1"), "destination": ip_address("fd77::2")}
        request = replace(request, **ends)
    assert inner_mtu(request, outer) == inner


@pytest.mark.parametrize("suite", SUITES, ids=str)
def test_the_longest_packet_fits_and_the_next_does_not(suite):
    """Our own ESP is as long as the sum says."""
    request = sa(suite=suite)
    headers = 20 + 8
    for outer in range(1480, 1500):
        inner = inner_mtu(request, outer)
        lengths = [
            headers + len(OutboundSa(request, bytes).seal(packet(length=size - 20)))
            for size in (inner, inner + 1)
        ]
        assert lengths[0] <= outer < lengths[1]
