"""When a request is sent again, and when its peer is given up (RFC 7296 section 2.4).

The octets are always the same (section 2.1), unless they are too large for the path: see
`fragments`. The schedule is the connection's.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ikeactors.protocol.settings import Retransmission
from ikeactors.protocol.timers import Timer

if TYPE_CHECKING:
    from ikeactors.protocol.ikev2.association import Association
    from ikeactors.protocol.ikev2.ike_sa import IkeSa
    from ikeactors.protocol.ikev2.window import Outstanding


def wait_of(retransmission: Retransmission, tries: int, fraction: float) -> float:
    """How long to wait after the `tries`th retransmission, in seconds."""
    wait = retransmission.timeout * retransmission.base**tries
    if retransmission.limit:
        wait = min(wait, retransmission.limit)
    return wait * (1.0 - retransmission.jitter / 100.0 * fraction)


def patience(retransmission: Retransmission) -> float:
    """For how long a request is sent again before its sender gives up, in seconds."""
    return sum(wait_of(retransmission, tries, 0.0) for tries in range(retransmission.tries + 1))


def start_retransmitting(association: Association, tries: int) -> None:
    """Look again at IKE_SA_INIT when this wait is over; there is no IKE SA yet."""
    association.timers.start(Timer.RETRANSMIT, association.now + _wait(association, tries))


def schedule(association: Association, ike_sa: IkeSa, outstanding: Outstanding) -> None:
    """Look again at a request on an IKE SA when this wait is over."""
    outstanding.due_at = association.now + _wait(association, outstanding.tries)
    watch(association, ike_sa)


def watch(association: Association, ike_sa: IkeSa) -> None:
    """The timer of an IKE SA is that of its request that is due first."""
    outstanding = ike_sa.requests.outstanding
    if outstanding:
        due_at = min(one.due_at for one in outstanding)
        association.timers.start(Timer.RETRANSMIT, due_at, ike_sa.number)
    else:
        association.timers.stop(Timer.RETRANSMIT, ike_sa.number)


def _wait(association: Association, tries: int) -> float:
    fraction = association.surroundings.fraction()
    return wait_of(association.connection.retransmission, tries, fraction)


def send_all_again(association: Association) -> None:
    """The path is another: what is under way is sent again at once, its patience begins anew."""
    for ike_sa in association.ike_sas:
        for outstanding in ike_sa.requests.outstanding:
            outstanding.tries = 0
            association.send(*outstanding.datagrams)
            schedule(association, ike_sa, outstanding)


def silence(association: Association, exchange: str, tries: int) -> str:
    """Why a peer that does not answer is given up."""
    return (
        f"the peer {association.remote} does not answer {exchange} "
        f"(sent {tries} times from {association.local}): it {_doubt(association)}"
    )


def _doubt(association: Association) -> str:
    return f"is down, unreachable, or a firewall drops UDP port {association.remote.port}"


def report_retransmission(association: Association, exchange: str, tries: int) -> None:
    """Say that a request goes out again."""
    association.report(
        "retransmitted",
        f"no answer so far, {exchange} is sent again (retransmission {tries}): "
        f"{association.remote} {_doubt(association)}",
        tries=tries,
    )
