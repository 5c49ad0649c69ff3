"""Authentication by public key: what IKE_SA_INIT says of it, and the proof in IKE_AUTH.

Our IKE_SA_INIT tells the hashes we take (RFC 7427 section 4); the responder's asks for
certificates, too. What the peer's said is read from the transcript again when it is needed.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from ikeactors.crypto.pki.certificates import EXPIRES_SOON
from ikeactors.errors import AuthenticationFailed
from ikeactors.iana import AuthMethod, CertificateEncoding, NotifyType, SignatureHash
from ikeactors.protocol.actions import Level
from ikeactors.protocol.credentials import CredentialsRefusal, OwnProof, PeerProof
from ikeactors.protocol.ikev2 import auth_announcing, hash_and_url
from ikeactors.protocol.settings import AuthSettings, ConnectionSettings
from ikeactors.wire.identities import Identity
from ikeactors.wire.message import find_all, notifies, read_message
from ikeactors.wire.payload import (
    Authentication,
    Certificate,
    CertificateRequest,
    Notify,
    Payload,
)

if TYPE_CHECKING:
    from ikeactors.protocol.ikev2.association import Association

_KEY_HASH_OCTETS = 20

# Ours: of the authorities a peer asks for, and of those we ask for, no more are looked at.
_MAX_AUTHORITIES = 200

# Ours: OCSP responses that a peer sends along; a path has no more certificates.
_MAX_ANSWERS = 10

_DAY = 86400.0

Payloads = tuple[Payload, ...]


def announcement(connections: Iterable[ConnectionSettings]) -> Payloads:
    """SIGNATURE_HASH_ALGORITHMS, where one of the connections signs (RFC 7427 section 4)."""
    ends = [
        end
        for one in connections
        for end in (*one.local_rounds, *one.remote_rounds)
        if end.by_public_key
    ]
    if not ends:
        return ()
    hashes = dict.fromkeys(digest for end in ends for digest in end.constraint.announced())
    data = b"".join(digest.to_bytes(2, "big") for digest in hashes)
    return (Notify(NotifyType.SIGNATURE_HASH_ALGORITHMS, data),)


def answer(
    association: Association, connections: tuple[ConnectionSettings, ...], request: Payloads
) -> Payloads:
    """What the responder's IKE_SA_INIT says of it."""
    known = notifies(request, NotifyType.SIGNATURE_HASH_ALGORITHMS)
    announced = announcement(connections) if known else ()
    told = auth_announcing.announcement(connections)
    return (*announced, *request_for(association, connections), *told)


def request_for(association: Association, connections: Iterable[ConnectionSettings]) -> Payloads:
    """CERTREQ for the authorities we believe, where the peer is to have a certificate."""
    auths = [
        end
        for one in connections
        if one.send_certreq
        for end in one.remote_rounds
        if _wants_certificate(end)
    ]
    if not auths:
        return ()
    told: Payloads = ()
    if any(one.ocsp.requests for one in connections):
        told = (CertificateRequest(CertificateEncoding.OCSP_CONTENT, b""),)
    hashes = association.surroundings.credentials.authorities(auths)[:_MAX_AUTHORITIES]
    told += hash_and_url.announcement(connections)
    return (CertificateRequest(CertificateEncoding.X509_SIGNATURE, b"".join(hashes)), *told)


def _wants_certificate(auth: AuthSettings) -> bool:
    return auth.by_public_key and not auth.public_keys and not auth.ipseckey


def prove(
    association: Association,
    connection: ConnectionSettings,
    auth: AuthSettings,
    identity: Identity,
    octets: bytes,
    peers_init: bytes,
    request: Payloads = (),
) -> OwnProof:
    """Our certificates and signature over `octets`. Raises AuthenticationFailed."""
    said = read_message(peers_init).payloads
    asked = (*find_all(said, CertificateRequest), *find_all(request, CertificateRequest))
    methods = (*auth_announcing.welcome(said), *auth_announcing.welcome(request))
    proof = association.surroundings.credentials.prove(
        auth, identity, _authorities(asked), _announced(said), octets, methods
    )
    if isinstance(proof, CredentialsRefusal):
        raise AuthenticationFailed(proof.text)
    _warn_of_expiry(association, f"our certificate as {identity}", proof.not_after)
    if not connection.send_cert.sends(bool(asked)):
        return replace(proof, certificates=())
    staple = _staple(association, connection, proof, asked)
    certificates = proof.certificates
    if notifies((*said, *request), NotifyType.HTTP_CERT_LOOKUP_SUPPORTED):
        certificates = hash_and_url.shortened(auth, certificates)
    return replace(proof, certificates=(*certificates, *staple))


def _staple(
    association: Association,
    connection: ConnectionSettings,
    proof: OwnProof,
    asked: Iterable[CertificateRequest],
) -> tuple[Certificate, ...]:
    """What OCSP says of our certificate, where the peer asks (RFC 4806 section 3.2)."""
    if not connection.ocsp.replies or not proof.certificates:
        return ()
    if all(one.encoding is not CertificateEncoding.OCSP_CONTENT for one in asked):
        return ()
    answer = association.surroundings.staple_of(proof.certificates[0].data)
    return (Certificate(CertificateEncoding.OCSP_CONTENT, answer),) if answer else ()


def verify(
    association: Association,
    auth: AuthSettings,
    identity: Identity,
    octets: bytes,
    payloads: Payloads,
    authentication: Authentication,
) -> PeerProof:
    """Check the peer's certificates and its signature over `octets`.

    Raises AuthenticationFailed that names the step.
    """
    if authentication.method is AuthMethod.SHARED_KEY:
        raise AuthenticationFailed(
            f"{identity} authenticates by a pre-shared key, "
            f"the connection asks for {auth.constraint}"
        )
    if auth.match_address:
        _check_address(association, identity)
    surroundings = association.surroundings
    certificates, now = find_all(payloads, Certificate), surroundings.wall_clock()
    proof: PeerProof | CredentialsRefusal = CredentialsRefusal("")
    for one in _with_keys(association, auth, identity):
        proof = surroundings.credentials.verify(
            one, identity, certificates, authentication, octets, now
        )
        if isinstance(proof, PeerProof):
            break
    if isinstance(proof, CredentialsRefusal):
        raise AuthenticationFailed(proof.text)
    association.report(
        "peer-key-checked", f"{identity} signs by {proof.scheme}, its key stands by {proof.path}"
    )
    _warn_of_expiry(association, f"the path of {identity}", proof.not_after)
    answers = [one.data for one in certificates if one.encoding is CertificateEncoding.OCSP_CONTENT]
    return replace(proof, answers=tuple(answers[:_MAX_ANSWERS])) if answers else proof


def _with_keys(
    association: Association, auth: AuthSettings, identity: Identity
) -> tuple[AuthSettings, ...]:
    """What is asked of the peer, with each key that DNS has for it (RFC 4025 section 2).

    There are two while one replaces the other. Raises AuthenticationFailed.
    """
    if not auth.ipseckey:
        return (auth,)
    keys = association.surroundings.keys_of(str(identity))
    return tuple(replace(auth, public_keys=(key,)) for key in keys)


def _warn_of_expiry(association: Association, what: str, not_after: float) -> None:
    """While there is time to renew it; where it has expired already the peer says no."""
    left = not_after - association.surroundings.wall_clock()
    if left < EXPIRES_SOON:
        days = max(int(left // _DAY), 0)
        date = datetime.fromtimestamp(not_after, UTC)
        association.report(
            "certificate-expires",
            f"{what} expires in {days} days, on {date:%Y-%m-%d %H:%M} UTC",
            Level.WARNING,
        )


def _check_address(association: Association, identity: Identity) -> None:
    """An identity that is an address is the packets' source (RFC 4945 section 3.1.1)."""
    named = identity.named
    if not named.is_address or named.data == association.remote.address.packed:
        return
    nat = ""
    if association.nat.remote:
        nat = "; it is behind a NAT, so the identity should be a name, or match_address = false"
    raise AuthenticationFailed(
        f"the peer says it is {identity}, its packets come from {association.remote.address}{nat}"
    )


def _announced(said: Payloads) -> tuple[SignatureHash, ...]:
    found: dict[SignatureHash, None] = {}
    for notify in notifies(said, NotifyType.SIGNATURE_HASH_ALGORITHMS):
        pairs = zip(notify.data[::2], notify.data[1::2], strict=False)
        found |= dict.fromkeys(SignatureHash(high << 8 | low) for high, low in pairs)
    return tuple(found)


def _authorities(asked: Iterable[CertificateRequest]) -> tuple[bytes, ...]:
    """What is no list of hashes is passed over."""
    hashes: dict[bytes, None] = {}
    for one in asked:
        if one.encoding is not CertificateEncoding.X509_SIGNATURE:
            continue
        data = one.data[: _KEY_HASH_OCTETS * _MAX_AUTHORITIES]
        starts = range(0, len(data) - _KEY_HASH_OCTETS + 1, _KEY_HASH_OCTETS)
        hashes |= dict.fromkeys(data[at : at + _KEY_HASH_OCTETS] for at in starts)
    return tuple(hashes)
