"""Telling the peer which ways to authenticate we take (RFC 9593 section 3.1).

    Initiator                         Responder
    -------------------------------------------------------------------
    HDR, SAi1, KEi, Ni  -->
                                 <--  HDR, SAr1, KEr, Nr, [CERTREQ,]
                                          N(SUPPORTED_AUTH_METHODS)
    HDR, SK {IDi, [CERTREQ,] AUTH, SAi2, TSi, TSr,
        N(SUPPORTED_AUTH_METHODS)}  -->

It is said where SIGNATURE_HASH_ALGORITHMS does not say it all: where not every signature will do,
or not signatures alone. It is advice: who has no key that is welcome tries with what it has.
"""

from __future__ import annotations

from collections.abc import Iterable

from ikeactors.crypto.signature_constraints import ANY_SIGNATURE
from ikeactors.crypto.signature_schemes import BY_IDENTIFIER, SCHEMES
from ikeactors.errors import InvalidSyntax
from ikeactors.iana import AuthMethod, CertificateEncoding, NotifyType
from ikeactors.protocol.credentials import WelcomeMethod
from ikeactors.protocol.ikev2.exchange import Payloads
from ikeactors.protocol.ikev2.transcript import Transcript
from ikeactors.protocol.settings import AuthSettings, ConnectionSettings
from ikeactors.wire.auth_methods import (
    AuthAnnouncement,
    read_announcements,
    write_announcements,
)
from ikeactors.wire.message import find_all, notifies, read_message
from ikeactors.wire.payload import CertificateRequest, Notify

_KEY_HASH_OCTETS = 20

_KIND = NotifyType.SUPPORTED_AUTH_METHODS
_X509 = CertificateEncoding.X509_SIGNATURE


def announcement(connections: Iterable[ConnectionSettings]) -> Payloads:
    """What these connections take of their peers, where there is something to be said."""
    demands = list(
        dict.fromkeys(
            (end.auth, end.constraint) for one in connections for end in one.remote_rounds
        )
    )
    is_any = [constraint == ANY_SIGNATURE for _, constraint in demands]
    if all(is_any) and len(demands) < 2:
        return ()
    found: dict[AuthAnnouncement, None] = {}
    for end in (AuthSettings(auth, constraint=constraint) for auth, constraint in demands):
        found |= dict.fromkeys(_methods_of(end))
    return (Notify(_KIND, write_announcements(tuple(found))),)


def answer(connection: ConnectionSettings, transcript: Transcript) -> Payloads:
    """The same of the initiator, to a responder that has begun with it."""
    told = announcement((connection,))
    if not told or not notifies(read_message(transcript.response).payloads, _KIND):
        return ()
    return told


def welcome(payloads: Payloads) -> tuple[WelcomeMethod, ...]:
    """What a peer's message announces; nothing where that makes no sense."""
    told = notifies(payloads, _KIND)
    if not told:
        return ()
    try:
        announced = read_announcements(told[0].data)
    except InvalidSyntax:
        return ()
    requests = find_all(payloads, CertificateRequest)
    asked = b"".join(one.data for one in requests if one.encoding is _X509)
    return tuple(
        WelcomeMethod(one.method, _authority(asked, one.authority or 0), one.algorithm)
        for one in announced
    )


def explained(transcript: Transcript) -> str:
    """The end of a sentence about a responder that says no: what it has told it takes."""
    methods = welcome(read_message(transcript.response).payloads)
    words: dict[str, None] = {}
    for one in methods:
        scheme = BY_IDENTIFIER.get(one.algorithm)
        words[str(scheme) if scheme else one.method.name.lower()] = None
    return f". It takes: {', '.join(words)}" if words else ""


def _methods_of(end: AuthSettings) -> Iterable[AuthAnnouncement]:
    """Of any authority: those we ask for have all the same demands."""
    if not end.by_public_key:
        yield AuthAnnouncement(AuthMethod.NULL if end.is_null else AuthMethod.SHARED_KEY)
        return
    for scheme in SCHEMES:
        if end.constraint.permits(scheme):
            yield AuthAnnouncement(AuthMethod.DIGITAL_SIGNATURE, 0, scheme.identifier)


def _authority(asked: bytes, place: int) -> bytes:
    """The hash of the authority at a place in CERTREQ; empty where it is any, or none."""
    start = (place - 1) * _KEY_HASH_OCTETS
    return asked[start : start + _KEY_HASH_OCTETS] if place else b""
