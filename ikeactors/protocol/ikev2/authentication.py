"""Proving who one is in IKE_AUTH (RFC 7296 section 2.15).

A shared key proves it here, a signature in `public_keys`. An end may also leave it at that: with
method NULL it proves nothing but that it was there in IKE_SA_INIT.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from ikeactors.crypto.keys import IkeKeys, psk_auth, signed_octets, verify_psk_auth
from ikeactors.crypto.prf import Prf
from ikeactors.errors import AuthenticationFailed
from ikeactors.iana import AuthMethod, IdType, PayloadType
from ikeactors.protocol.actions import Level
from ikeactors.protocol.credentials import OwnProof, PeerProof
from ikeactors.protocol.ikev2 import public_keys
from ikeactors.protocol.ikev2.exchange import Payloads
from ikeactors.protocol.ikev2.transcript import Transcript
from ikeactors.protocol.settings import AuthSettings, ConnectionSettings, Settings, Unique
from ikeactors.wire.identities import Identity, write_identity
from ikeactors.wire.message import only
from ikeactors.wire.payload import Authentication

if TYPE_CHECKING:
    from ikeactors.protocol.events import Address
    from ikeactors.protocol.ikev2.association import Association
    from ikeactors.protocol.ikev2.ike_sa import IkeSa
    from ikeactors.protocol.ikev2.protection import Opened

# Why an initiator ends without a failure.
OVERTAKEN = "the peer has brought up its own IKE SA meanwhile"


def identity_of(auth: AuthSettings, address: Address) -> Identity:
    """The configured identity; the address where none is configured, and nobody for method NULL.

    (RFC 7619 section 2.2)
    """
    if auth.id.identity is not None:
        return auth.id.identity
    if auth.is_null:
        return Identity(IdType.NULL, b"")
    kind = IdType.IPV4_ADDR if address.version == 4 else IdType.IPV6_ADDR
    return Identity(kind, address.packed)


def is_overtaken(association: Association) -> bool:
    """Whether the peer has brought up an IKE SA of its own while we initiate.

    Two ends with the same configuration start at the same time; one IKE SA of a connection does.
    Where several peers may have one identity (unique = never), it is one from the same address.
    The one that is reauthenticated overtakes nobody.
    """
    if association.overlap is not None:
        return False
    connection = association.connection
    place = association.remote.address if connection.uniqueness is Unique.NEVER else None
    if not association.surroundings.is_up(connection.name, place):
        return False
    local = identity_of(connection.local, association.local.address)
    remote = identity_of(connection.remote, association.remote.address)
    return association.surroundings.stands(local, remote)


@dataclass(frozen=True, slots=True)
class Covered:
    """What the proofs of both ends cover beside their identities (RFC 7296 section 2.15)."""

    prf: Prf
    keys: IkeKeys
    transcript: Transcript
    original_initiator: bool

    @classmethod
    def by(cls, ike_sa: IkeSa, transcript: Transcript) -> Covered:
        """With the keys that the IKE SA has."""
        initiates = ike_sa.spis.original_initiator
        return cls(ike_sa.suite.prf_function, ike_sa.keys, transcript, initiates)

    def mixed(self, ppk: bytes) -> Covered:
        """With the keys that a post-quantum pre-shared key is in."""
        return replace(self, keys=self.keys.mixed(self.prf, ppk))

    @property
    def peers_init(self) -> bytes:
        """The peer's IKE_SA_INIT."""
        return self.transcript.response if self.original_initiator else self.transcript.request

    def key(self, *, ours: bool) -> bytes:
        """The SK_p of an end."""
        return self.keys.sk_pi if ours is self.original_initiator else self.keys.sk_pr

    def octets(self, body: bytes, *, ours: bool) -> bytes:
        """What an end's AUTH covers, by the body of its identification."""
        known = self.transcript
        first, nonce = known.response, known.nonce_i
        if ours is self.original_initiator:
            first, nonce = known.request, known.nonce_r
        return signed_octets(first, nonce, self.prf, self.key(ours=ours), body)


def prove(
    association: Association,
    connection: ConnectionSettings,
    auth: AuthSettings,
    covered: Covered,
    local: Identity,
    remote: Identity,
    request: Payloads = (),
) -> OwnProof:
    """Our AUTH payload, and our certificates. Raises AuthenticationFailed when we have no key.

    `request` is the IKE_AUTH request that is answered, where it is.
    """
    octets = covered.octets(write_identity(local), ours=True)
    if auth.by_public_key:
        init = covered.peers_init
        return public_keys.prove(association, connection, auth, local, octets, init, request)
    if auth.is_null:
        data = psk_auth(covered.prf, covered.key(ours=True), octets)
        return OwnProof(Authentication(AuthMethod.NULL, data))
    secret = _secret(association.settings, local, remote)
    return OwnProof(Authentication(AuthMethod.SHARED_KEY, psk_auth(covered.prf, secret, octets)))


def verify(
    association: Association,
    auth: AuthSettings,
    covered: Covered,
    local: Identity,
    remote: Identity,
    opened: Opened,
    payloads: Payloads,
) -> PeerProof | None:
    """Check the peer's AUTH payload, over its identity as it was received.

    By a shared key it leaves nothing to be looked at. Raises AuthenticationFailed.
    """
    body = opened.body_of(PayloadType.IDR if covered.original_initiator else PayloadType.IDI)
    octets = covered.octets(body, ours=False)
    authentication = only(payloads, Authentication)
    if authentication.method is AuthMethod.NULL or auth.is_null:
        _verify_null(association, auth, covered, remote, octets, authentication)
        return None
    if auth.by_public_key:
        return public_keys.verify(association, auth, remote, octets, payloads, authentication)
    if authentication.method is not AuthMethod.SHARED_KEY:
        raise AuthenticationFailed(
            f"{remote} authenticates by method {authentication.method.name}, "
            f"the connection asks for a pre-shared key"
        )
    secret = _secret(association.settings, local, remote)
    try:
        verify_psk_auth(covered.prf, secret, octets, authentication.data)
    except AuthenticationFailed:
        raise AuthenticationFailed(
            f"the AUTH payload of {remote} does not fit: the pre-shared key between {local} and "
            f"{remote} is not the same on both ends"
        ) from None
    return None


def _verify_null(
    association: Association,
    auth: AuthSettings,
    covered: Covered,
    remote: Identity,
    octets: bytes,
    authentication: Authentication,
) -> None:
    """A peer that does not say who it is, where that will do (RFC 7619 section 2.1).

    Its AUTH still ties IKE_AUTH to IKE_SA_INIT.
    """
    if not auth.is_null:
        raise AuthenticationFailed(
            f"{remote} does not authenticate (method NULL), the connection asks for {auth.demand}"
        )
    if authentication.method is not AuthMethod.NULL:
        raise AuthenticationFailed(
            f"{remote} authenticates by method {authentication.method.name}, the connection is "
            f"for peers that do not (auth = null)"
        )
    try:
        verify_psk_auth(covered.prf, covered.key(ours=False), octets, authentication.data)
    except AuthenticationFailed:
        raise AuthenticationFailed(
            f"the AUTH payload of {remote} does not fit, though it is by no secret: it is of "
            f"another IKE_SA_INIT"
        ) from None
    association.report(
        "peer-not-authenticated",
        f"nothing proves who the peer at {association.remote} is; it says it is {remote}",
        Level.WARNING,
    )


def _secret(settings: Settings, local: Identity, remote: Identity) -> bytes:
    secret = settings.secret_for(local, remote)
    if secret is None:
        raise AuthenticationFailed(f"there is no pre-shared key between {local} and {remote}")
    return secret
