"""Post-quantum pre-shared keys, mixed into the keys by IKE_AUTH (RFC 8784 section 3).

    Initiator                         Responder
    -------------------------------------------------------------------
    HDR, SAi1, KEi, Ni, N(USE_PPK)  -->
                                 <--  HDR, SAr1, KEr, Nr, [CERTREQ,] N(USE_PPK)
    HDR, SK {IDi, AUTH, SAi2, TSi, TSr,
        N(PPK_IDENTITY), [N(NO_PPK_AUTH)]}  -->
                                 <--  HDR, SK {IDr, AUTH, SAr2, TSi, TSr,
                                          N(PPK_IDENTITY)}

Who breaks the key exchange later still lacks that key. Where it is not required the initiator
proves itself without it, too, in NO_PPK_AUTH.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from ikeactors.errors import AuthenticationFailed
from ikeactors.iana import NotifyType
from ikeactors.protocol.ikev2.authentication import Covered
from ikeactors.protocol.ikev2.exchange import Payloads
from ikeactors.protocol.ikev2.transcript import Transcript
from ikeactors.protocol.settings import ConnectionSettings
from ikeactors.wire.identities import Identity
from ikeactors.wire.message import notifies, read_message
from ikeactors.wire.octets import printable
from ikeactors.wire.payload import Authentication, Notify

if TYPE_CHECKING:
    from ikeactors.protocol.ikev2.association import Association

# The specification's: the type of a PPK_ID that is a name both ends are configured with.
PPK_ID_FIXED = b"\x02"

_USED = Notify(NotifyType.PPK_IDENTITY)


@dataclass(frozen=True, slots=True)
class Ppk:
    """A key, and what it is called."""

    name: bytes
    secret: bytes = field(repr=False)

    def __str__(self) -> str:
        return printable(self.name)


@dataclass(frozen=True, slots=True)
class Mixing:
    """What the responder does: with which key, if with any, and what then proves the initiator."""

    ppk: Ppk | None
    payloads: Payloads

    def use(self, covered: Covered) -> Covered:
        """What the proofs of both ends cover by the responder's choice."""
        return covered if self.ppk is None else covered.mixed(self.ppk.secret)

    @property
    def told(self) -> Payloads:
        """What the answer says of it."""
        return () if self.ppk is None else (_USED,)


def offered(association: Association) -> Payloads:
    """USE_PPK, where the initiator has a key for this peer."""
    return () if _own(association) is None else (Notify(NotifyType.USE_PPK),)


def answered(
    association: Association, connections: Iterable[ConnectionSettings], request: Payloads
) -> Payloads:
    """USE_PPK, where the peer has said so and one of the connections has a key."""
    if not association.settings.has_ppks or not notifies(request, NotifyType.USE_PPK):
        return ()
    if all(one.ppk_id is None for one in connections):
        return ()
    return (Notify(NotifyType.USE_PPK),)


def check_answer(association: Association, response: Payloads) -> None:
    """Raise AuthenticationFailed where a key is required and the responder has none."""
    if association.connection.ppk_required and not notifies(response, NotifyType.USE_PPK):
        raise AuthenticationFailed(
            "it has no post-quantum pre-shared key for us (no USE_PPK), and the connection "
            "requires one (ppk_required)"
        )


def agreed(association: Association, transcript: Transcript) -> Ppk | None:
    """The initiator's key, where both ends have one. Raises AuthenticationFailed."""
    connection = association.connection
    if connection.ppk_id is None:
        return None
    ppk = _own(association)
    if ppk is None and connection.ppk_required:
        raise AuthenticationFailed(
            "the connection requires a post-quantum pre-shared key (ppk_required), and there is "
            f"none that is called {connection.ppk_id.identity or 'by one name'}"
        )
    response = read_message(transcript.response).payloads
    return ppk if notifies(response, NotifyType.USE_PPK) else None


def named(ppk: Ppk, without: Authentication | None) -> Payloads:
    """What the initiator's request says of its key; `without` proves it without the key."""
    name = Notify(NotifyType.PPK_IDENTITY, PPK_ID_FIXED + ppk.name)
    if without is None:
        return (name,)
    return name, Notify(NotifyType.NO_PPK_AUTH, without.data)


def settle(
    association: Association, ppk: Ppk | None, covered: Covered, response: Payloads
) -> Covered:
    """What the responder's proof covers. Raises AuthenticationFailed where that is too little."""
    if ppk is None:
        return covered
    if notifies(response, NotifyType.PPK_IDENTITY):
        _report(association, ppk)
        return covered.mixed(ppk.secret)
    if association.connection.ppk_required:
        raise AuthenticationFailed(
            f"the peer does not use the post-quantum pre-shared key {ppk}, and the connection "
            f"requires it (ppk_required)"
        )
    association.report("ppk-not-used", f"the peer does not have the key {ppk}: going on without")
    return covered


def choose(
    association: Association,
    connection: ConnectionSettings,
    transcript: Transcript,
    remote: Identity,
    payloads: Payloads,
) -> Mixing:
    """What the responder makes of the initiator's request (RFC 8784 section 3, table 1).

    Raises AuthenticationFailed.
    """
    if not _is_exchanged(association, transcript):
        if connection.ppk_required:
            raise AuthenticationFailed(
                f"{remote} offers no post-quantum pre-shared key, and connection "
                f"{connection.name} requires one (ppk_required)"
            )
        return Mixing(None, payloads)
    names = notifies(payloads, NotifyType.PPK_IDENTITY)
    if not names:
        raise AuthenticationFailed(f"{remote} has offered a post-quantum key and names none")
    ppk = _known(association, connection, names[0].data)
    if ppk is not None:
        _report(association, ppk)
        return Mixing(ppk, payloads)
    called = printable(names[0].data[1:])
    without = notifies(payloads, NotifyType.NO_PPK_AUTH)
    if connection.ppk_required or not without:
        who = "we require" if connection.ppk_required else "it requires"
        raise AuthenticationFailed(
            f"{remote} names the post-quantum pre-shared key {called}, which connection "
            f"{connection.name} does not have, and {who} one"
        )
    association.report("ppk-not-used", f"there is no key {called} of {remote}: going on without")
    return Mixing(None, _proven_without(payloads, without[0].data))


def doubt(ppk: Ppk | None) -> str:
    """What else may be wrong where a proof is that covers a post-quantum key."""
    return "" if ppk is None else f"; or the post-quantum pre-shared key {ppk} is another there"


def _own(association: Association) -> Ppk | None:
    pattern = association.connection.ppk_id
    if pattern is None or pattern.identity is None:
        return None
    name = pattern.identity.data
    secret = association.settings.ppk_for(name)
    return None if secret is None else Ppk(name, secret)


def _known(association: Association, connection: ConnectionSettings, sent: bytes) -> Ppk | None:
    """The key a peer names, where the connection may have it."""
    pattern, name = connection.ppk_id, sent[1:]
    if pattern is None or sent[:1] != PPK_ID_FIXED:
        return None
    if pattern.identity is not None and pattern.identity.data != name:
        return None
    secret = association.settings.ppk_for(name)
    return None if secret is None else Ppk(name, secret)


def _is_exchanged(association: Association, transcript: Transcript) -> bool:
    """Whether both ends have said USE_PPK: we do only after the peer."""
    if not association.settings.has_ppks:
        return False
    return bool(notifies(read_message(transcript.response).payloads, NotifyType.USE_PPK))


def _proven_without(payloads: Payloads, data: bytes) -> Payloads:
    """As if the request had the proof without the key as its AUTH."""
    return tuple(
        Authentication(one.method, data) if isinstance(one, Authentication) else one
        for one in payloads
    )


def _report(association: Association, ppk: Ppk) -> None:
    association.report("ppk-used", f"the keys hold the post-quantum pre-shared key {ppk}")
