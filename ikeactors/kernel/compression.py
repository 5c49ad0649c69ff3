"""IP compression in the data plane: an association beside each SA (RFC 3173 section 1).

It goes before the SA: what is sent is compressed where that makes it smaller, then protected. In
tunnel mode it is the compression's tunnel, and the SA protects what is in it already.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from ikeactors.iana import ProtocolId
from ikeactors.kernel.requests import HwOffload, Lifetime, SaId, SaRequest

# IKEv2 does not name it among the protocols of SAs, so it has the number of the IP protocol.
IPCOMP = ProtocolId(108)


def with_compression(request: SaRequest) -> tuple[SaRequest, ...]:
    """An SA, with the association that compresses for it, if one does."""
    if not request.cpi:
        return (request,)
    association = replace(
        request,
        spi=request.cpi,
        protocol=IPCOMP,
        suite=replace(request.suite, esn=False),
        encr_key=b"",
        integ_key=b"",
        replay_window=0,
        encapsulation=None,
        lifetime=Lifetime(),
        tfc_padding=0,
        offload=HwOffload.NO,
        cpi=0,
    )
    return association, request


def names_of(requests: Iterable[SaRequest]) -> tuple[SaId, ...]:
    """What names these SAs in the SAD."""
    return tuple([request.sa_id for request in requests])
