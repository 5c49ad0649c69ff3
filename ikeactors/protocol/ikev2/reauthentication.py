"""Reauthentication: a new IKE SA from scratch, and the old one goes (RFC 7296 section 2.8.3).

Make-before-break, where two associations stand beside each other for a while:

    old association                new association
    -------------------------------------------------------------------------------
    Timer.IKE_REAUTH
    Reauthenticate          -->    InitiationRequested
                                   IKE_SA_INIT, IKE_AUTH, CREATE_CHILD_SA ...
                                   every Child SA stands: an empty INFORMATIONAL,
                                   after which the peer sends by them too
    Superseded              <--    HandOver
    INFORMATIONAL {D}

Break-before-make is a deletion, and `BeginAgain`. So is the reauthentication of an IKE SA without
any Child SA, which has no traffic to lose: the new one has none either (RFC 6023).
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from ikeactors.iana import ExchangeType, NotifyType
from ikeactors.protocol.actions import AnswerRequest, BeginAgain, HandOver, Level, Reauthenticate
from ikeactors.protocol.choices import Childless
from ikeactors.protocol.events import ReauthenticationFailed
from ikeactors.protocol.ikev2 import overlap
from ikeactors.protocol.ikev2.child_sa import ChildSa, ChildState
from ikeactors.protocol.ikev2.exchange import Payloads
from ikeactors.protocol.ikev2.ike_sa import IkeSa, IkeSaState
from ikeactors.protocol.ikev2.phases import Established
from ikeactors.protocol.ikev2.requests import Request
from ikeactors.protocol.timers import Timer
from ikeactors.wire.message import notifies
from ikeactors.wire.notify import read_u32, write_u32
from ikeactors.wire.payload import Notify

if TYPE_CHECKING:
    from ikeactors.protocol.ikev2.association import Association
    from ikeactors.protocol.ikev2.protection import Opened

# Ours: seconds until an IKE SA that has just come of a reauthentication is looked at again.
BUSY_FOR = 5.0
# Ours: seconds until it is begun again where nothing was heard of it: longer than an exchange and
# all that follows it may take.
RETRIED_AFTER = 300.0
# Ours: how much sooner than its responder demands an initiator reauthenticates: part of the time,
# and seconds, for a lost message or two.
MARGIN = 0.1
LEAST_MARGIN = 10.0
# Ours: seconds to which a peer cannot bring us to reauthenticate sooner, whatever it demands.
LEAST_LIFETIME = 5.0


class ArrivalInitiator:
    """All Child SAs of the new IKE SA stand: an empty request tells the peer that they do."""

    exchange = ExchangeType.INFORMATIONAL
    children = ()

    __slots__ = ("_on",)

    def __init__(self) -> None:
        self._on: IkeSa | None = None

    def request(self, association: Association, ike_sa: IkeSa) -> Payloads | None:
        """Nothing but the envelope."""
        self._on = ike_sa
        return ()

    def answered(
        self, association: Association, ike_sa: IkeSa, opened: Opened, payloads: Payloads
    ) -> None:
        """The peer sends by the new ones: the old IKE SA has had its day.

        Where this one has lost meanwhile, the peer's takes the place of both.
        """
        if association.overlap is None or not association.overlap.is_lost:
            association.emit(HandOver())

    def abandoned(self, association: Association, reason: str) -> None:
        """The new IKE SA is gone, and the old one hears of it; or the peer has rekeyed it."""
        if association.ike_sas.outlive(self._on):
            association.ike_sa.ask(association, ArrivalInitiator())


def schedule(association: Association, *, initiated: bool) -> None:
    """Both ends have authenticated: when they do so again, which is for the initiator to see to."""
    connection, timers, now = association.connection, association.timers, association.now
    if not connection.reauth_time:
        return
    if initiated:
        spread = connection.rand_time * association.surroundings.fraction()
        due_in = max(connection.reauth_time - spread, connection.reauth_time / 2)
        timers.start(Timer.IKE_REAUTH, now + due_in)
    timers.start(Timer.AUTH_EXPIRE, now + connection.reauth_time + connection.over_time)


def lifetime_of(association: Association) -> Payloads:
    """What a responder tells of its reauth_time (RFC 4478 section 3)."""
    seconds = int(association.connection.reauth_time)
    return (Notify(NotifyType.AUTH_LIFETIME, write_u32(seconds)),) if seconds else ()


def announced_lifetime(payloads: Payloads) -> int | None:
    """For how long the peer says that the authentication is good."""
    told = notifies(payloads, NotifyType.AUTH_LIFETIME)
    return read_u32(told[0].data) if told else None


def obey(association: Association, lifetime: int | None) -> None:
    """The initiator reauthenticates before the responder's time is over (RFC 4478 section 2).

    What is longer than what was due before changes nothing.
    """
    phase = association.phase
    if lifetime is None or not isinstance(phase, Established) or phase.request is None:
        return
    margin = min(max(lifetime * MARGIN, LEAST_MARGIN), lifetime / 2)
    spread = margin * association.surroundings.fraction() / 2
    due_at = association.now + max(lifetime - margin + spread, LEAST_LIFETIME)
    association.report(
        "auth-lifetime", f"the peer wants to be authenticated anew within {lifetime} s"
    )
    if due_at < association.timers.due_at(Timer.IKE_REAUTH):
        association.timers.start(Timer.IKE_REAUTH, due_at)


def begin(association: Association, request_id: int | None = None) -> None:
    """The time has come, or an operator asks for it."""
    if association.overlap is not None and request_id is not None:
        text = "the IKE SA comes of a reauthentication that is under way"
        association.emit(AnswerRequest(request_id, True, text))
        return
    if association.overlap is not None:
        association.timers.start(Timer.IKE_REAUTH, association.now + BUSY_FOR)
        return
    association.ike_sa.ask(association, Turn(request_id))


class Turn:
    """Reauthentication waits for what is under way: it begins with what has come of that."""

    exchange = ExchangeType.INFORMATIONAL
    children = None

    __slots__ = ("_request_id",)

    def __init__(self, request_id: int | None) -> None:
        self._request_id = request_id

    def request(self, association: Association, ike_sa: IkeSa) -> Payloads | None:
        """Nothing: the turn has come, or others are to have theirs before."""
        if any(not isinstance(one, Turn) for one in ike_sa.queue):
            ike_sa.ask(association, self)
        elif ike_sa.state is IkeSaState.ESTABLISHED:
            _begin(association, self._request_id)
        else:
            self.abandoned(association, "the IKE SA is being deleted")
        return None

    def answered(
        self, association: Association, ike_sa: IkeSa, opened: Opened, payloads: Payloads
    ) -> None:
        """Nothing was asked."""

    def abandoned(self, association: Association, reason: str) -> None:
        """It is deleted before."""
        if self._request_id is not None:
            association.emit(AnswerRequest(self._request_id, False, reason))


def _begin(association: Association, request_id: int | None) -> None:
    children = association.children
    standing = tuple(one for one in children if one.is_up or one.state is ChildState.INSTALLING)
    association.report(
        "ike-sa-reauthenticating",
        f"the IKE SA with {association.remote} is reauthenticated: a new one with "
        f"{', '.join(child.name for child in standing) or 'no Child SA'}",
    )
    if standing and association.connection.make_before_break:
        _make(association, standing, request_id)
        return
    later = (settings.name for settings in children.wanted.values())
    names = tuple(dict.fromkeys((*(child.name for child in standing), *later)))
    request = Request(None, then=partial(_begin_again, names, request_id))
    association.delete_ike_sa("it is reauthenticated", request)


def _make(association: Association, standing: tuple[ChildSa, ...], request_id: int | None) -> None:
    shown = tuple(child.snapshot(association.now, association.now) for child in standing)
    overlap.hold(association)
    if request_id is None:
        # Until it is heard what has come of it: a restart may come between.
        association.timers.start(Timer.IKE_REAUTH, association.now + RETRIED_AFTER)
    association.emit(Reauthenticate(shown, request_id))


def _begin_again(
    names: tuple[str, ...], request_id: int | None, association: Association, problem: str
) -> None:
    connection = association.connection
    if names or connection.childless is not Childless.NEVER:
        association.emit(BeginAgain(names, request_id))
    elif request_id is not None:
        text = (
            "no Child SA was up, and none may be without one in connection "
            f'{connection.name} (childless = "never"): the IKE SA is deleted'
        )
        association.emit(AnswerRequest(request_id, False, text))


def complete(association: Association, problem: str) -> None:
    """The new association has tried all Child SAs: hand over, or leave the old one in its place."""
    if association.closed or association.overlap is None:
        return
    if problem or association.overlap.is_lost:
        association.failure = problem or "another IKE SA has come in the place of the old one"
        overlap.retreat(association)
        return
    association.ike_sa.ask(association, ArrivalInitiator())


def go_on(association: Association) -> None:
    """After a restart, which interrupts what is under way: whether this one takes the place of the
    older, or that one goes on and tries again."""
    overlapping = association.overlap
    if overlapping is None or overlapping.is_lost or not overlapping.is_ours:
        return
    up = {child.name for child in association.children if child.is_up}
    if not up.issuperset(one.name for one in overlapping.older):
        overlap.retreat(association)
        return
    association.emit(HandOver(tuple(dict.fromkeys(one.reqid for one in overlapping.older))))


def failed(association: Association, event: ReauthenticationFailed) -> None:
    """The old association goes on for now, and tries again."""
    association.timers.stop(Timer.RENEWED)
    when = "" if event.retry_in is None else f"; again in {event.retry_in:.0f} s"
    association.report(
        "reauthentication-failed", f"reauthentication failed: {event.text}{when}", Level.WARNING
    )
    if event.retry_in is not None:
        association.timers.start(Timer.IKE_REAUTH, association.now + event.retry_in)


def expire(association: Association) -> None:
    """It could not be reauthenticated in its time."""
    reason = "its lifetime is over and it was not reauthenticated"
    association.delete_ike_sa(reason, Request(None))
