"""Time: retransmission, lifetimes, liveness and keepalives."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import TYPE_CHECKING

from ikeactors.protocol.actions import SendKeepalive, SuspectAddress
from ikeactors.protocol.ikev2 import (
    fragments,
    liveness,
    overlap,
    probing,
    reassembly,
    reauthentication,
    revocation,
)
from ikeactors.protocol.ikev2.ike_sa import IkeSa, IkeSaState
from ikeactors.protocol.ikev2.ike_sa_init import InitSent
from ikeactors.protocol.ikev2.init_answered import InitAnswered
from ikeactors.protocol.ikev2.phases import Authenticating
from ikeactors.protocol.ikev2.rekey_ike_sa import RekeyIkeInitiator
from ikeactors.protocol.ikev2.requests import Request
from ikeactors.protocol.ikev2.retransmission import (
    report_retransmission,
    schedule,
    silence,
)
from ikeactors.protocol.ikev2.wanting import create_wanted
from ikeactors.protocol.ikev2.window import Outstanding
from ikeactors.protocol.timers import Timer

if TYPE_CHECKING:
    from ikeactors.protocol.ikev2.association import Association


# Ours: an IKE SA at its end that is being rekeyed is looked at again; its rekeying ends, one way or
# the other, with its retransmissions.
EXPIRE_AGAIN = 10.0


def expire(association: Association) -> None:
    """Serve every timer that is due, the earliest first."""
    for timer, number in association.timers.expire(association.now):
        if not association.closed:
            _SERVED[timer](association, number)


def begin(association: Association) -> None:
    """An IKE SA stands: from now on it ages, and the peer's silence is noticed."""
    connection, timers, now = association.connection, association.timers, association.now
    if connection.rekey_time:
        spread = connection.rand_time * association.surroundings.fraction()
        due_in = max(connection.rekey_time - spread, connection.rekey_time / 2)
        timers.start(Timer.IKE_REKEY, now + due_in)
        timers.start(Timer.IKE_EXPIRE, now + connection.rekey_time + connection.over_time)
    if connection.dpd_delay:
        timers.start(Timer.LIVENESS, now + connection.dpd_delay)
    if connection.keepalive and association.nat.local:
        timers.start(Timer.KEEPALIVE, now + connection.keepalive)


def _retransmit(association: Association, number: int) -> None:
    if isinstance(association.phase, InitSent):
        association.phase.retransmit(association)
        return
    ike_sa = association.ike_sas.numbered(number)
    if ike_sa is None:
        return
    for outstanding in ike_sa.requests.outstanding:
        if outstanding.due_at <= association.now:
            _send_again(association, ike_sa, outstanding)
        if not ike_sa.requests.outstanding:
            return


def _send_again(association: Association, ike_sa: IkeSa, outstanding: Outstanding) -> None:
    outstanding.tries += 1
    name = outstanding.exchange.exchange.name
    shrunk = fragments.is_size_refuted(association, outstanding) and fragments.shrink(
        association, ike_sa, outstanding
    )
    if outstanding.tries > association.connection.retransmission.tries:
        _give_up(association, ike_sa, name, outstanding.tries)
        return
    if not shrunk:
        report_retransmission(association, name, outstanding.tries)
    probing.send_again(association, outstanding)
    schedule(association, ike_sa, outstanding)


def _free_fragments(association: Association, number: int) -> None:
    ike_sa = association.ike_sas.numbered(number)
    if ike_sa is not None:
        reassembly.expire(association, ike_sa)


def _give_up(association: Association, ike_sa: IkeSa, exchange: str, tries: int) -> None:
    """The peer is dead (RFC 7296 section 2.4), or a former IKE SA is."""
    if ike_sa is not association.ike_sa:
        association.ike_sas.forget(ike_sa)
        return
    if ike_sa.state is IkeSaState.DELETING:
        association.close("the peer did not answer the Delete")
        return
    association.fail(silence(association, exchange, tries))


def _lose_patience(association: Association, number: int) -> None:
    if isinstance(association.phase, InitSent):
        association.fail(association.phase.refusal)


def _solve_puzzle(association: Association, number: int) -> None:
    if isinstance(association.phase, InitSent):
        association.phase.solve(association)
    elif isinstance(association.phase, Authenticating) and association.phase.work is not None:
        association.phase.work.solve(association)


def _end_half_open(association: Association, number: int) -> None:
    if isinstance(association.phase, Authenticating):
        association.emit(SuspectAddress(association.remote.address))
    if isinstance(association.phase, InitAnswered | Authenticating):
        remote = association.remote
        association.turn_away(lambda: f"{remote} did not complete IKE_AUTH in time")


def _rekey_ike_sa(association: Association, number: int) -> None:
    held_until = association.timers.due_at(Timer.RENEWED)
    if association.now < held_until < math.inf:
        association.timers.start(Timer.IKE_REKEY, held_until)
    elif association.ike_sa.state is IkeSaState.ESTABLISHED:
        exchange = RekeyIkeInitiator(Request(None), association.ike_sa)
        association.ike_sa.ask(association, exchange)


def _expire_ike_sa(association: Association, number: int) -> None:
    if association.ike_sas.is_replacing:
        association.timers.start(Timer.IKE_EXPIRE, association.now + EXPIRE_AGAIN)
        return
    association.delete_ike_sa("its lifetime is over and it was not rekeyed", Request(None))


def _reauthenticate(association: Association, number: int) -> None:
    reauthentication.begin(association)


def _end_authentication(association: Association, number: int) -> None:
    reauthentication.expire(association)


def _recheck(association: Association, number: int) -> None:
    revocation.recheck(association)


def _end_superseded(association: Association, number: int) -> None:
    association.delete_ike_sa("it has been reauthenticated", Request(None))


def _end_overlap(association: Association, number: int) -> None:
    overlap.ask(association)


def _go_on(association: Association, number: int) -> None:
    """What was held back has timers of its own."""


def _retire_ike_sa(association: Association, number: int) -> None:
    former = association.ike_sas.numbered(number)
    if former is not None and former is not association.ike_sa:
        association.ike_sas.forget(former)


def _check_liveness(association: Association, number: int) -> None:
    liveness.check(association)


def _keep_alive(association: Association, number: int) -> None:
    association.emit(SendKeepalive(association.local, association.remote))
    due_at = association.now + association.connection.keepalive
    association.timers.start(Timer.KEEPALIVE, due_at)


def _rekey_child(association: Association, number: int) -> None:
    child = association.children.get(number)
    if child is not None:
        association.children.expire(child, hard=False)


def _expire_child(association: Association, number: int) -> None:
    child = association.children.get(number)
    if child is not None:
        association.children.expire(child, hard=True)


def _create_child(association: Association, number: int) -> None:
    create_wanted(association, number)


def _retire_child(association: Association, number: int) -> None:
    child = association.children.get(number)
    if child is not None:
        association.children.remove(child)


_SERVED: dict[Timer, Callable[[Association, int], None]] = {
    Timer.RETRANSMIT: _retransmit,
    Timer.REASSEMBLY: _free_fragments,
    Timer.ERROR_PATIENCE: _lose_patience,
    Timer.PUZZLE: _solve_puzzle,
    Timer.HALF_OPEN: _end_half_open,
    Timer.IKE_REKEY: _rekey_ike_sa,
    Timer.IKE_EXPIRE: _expire_ike_sa,
    Timer.IKE_REAUTH: _reauthenticate,
    Timer.AUTH_EXPIRE: _end_authentication,
    Timer.RECHECK: _recheck,
    Timer.RENEWED: _go_on,
    Timer.OUTLIVED: _end_superseded,
    Timer.SUPERSEDED: _end_superseded,
    Timer.OVERLAP: _end_overlap,
    Timer.IKE_RETIRE: _retire_ike_sa,
    Timer.LIVENESS: _check_liveness,
    Timer.KEEPALIVE: _keep_alive,
    Timer.CHILD_REKEY: _rekey_child,
    Timer.CHILD_EXPIRE: _expire_child,
    Timer.CHILD_RETIRE: _retire_child,
    Timer.CHILD_CREATE: _create_child,
}
