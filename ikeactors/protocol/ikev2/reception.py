"""A datagram's way into an association: to its phase, or to the IKE SA that has its SPIs."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ikeactors.errors import Fault
from ikeactors.protocol.events import DatagramReceived
from ikeactors.protocol.ikev2 import crash_detection, ike_sa_init
from ikeactors.protocol.ikev2.ike_sa_init import InitSent
from ikeactors.protocol.ikev2.init_answered import InitAnswered
from ikeactors.protocol.ikev2.phases import Authenticating, Fresh
from ikeactors.wire.header import ZERO_SPI, Header, read_header

if TYPE_CHECKING:
    from ikeactors.protocol.ikev2.association import Association


def receive(association: Association, datagram: DatagramReceived) -> None:
    """Hand a datagram to what waits for it; whatever fits nothing is dropped."""
    try:
        header = read_header(datagram.octets)
    except Fault as fault:
        association.drop(str(fault))
        return
    phase = association.phase
    if isinstance(phase, Fresh):
        association.created_at = association.now
        ike_sa_init.respond(association, datagram)
    elif isinstance(phase, InitSent | InitAnswered):
        phase.receive(association, datagram, header)
    elif isinstance(phase, Authenticating) and header.spi_r == ZERO_SPI:
        phase.repeat(association, datagram, header)
    else:
        _receive_protected(association, datagram, header)


def _receive_protected(
    association: Association, datagram: DatagramReceived, header: Header
) -> None:
    ours = header.spi_r if header.from_original_initiator else header.spi_i
    ike_sa = association.ike_sas.find(ours)
    if ike_sa is None or (header.spi_i, header.spi_r) != (ike_sa.spis.spi_i, ike_sa.spis.spi_r):
        association.drop("the SPIs are of no IKE SA of this association")
        return
    if not crash_detection.present(association, ike_sa, datagram):
        ike_sa.receive(association, datagram, header)
