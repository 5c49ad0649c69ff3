"""Proving who one is in IKE_AUTH (RFC 7296 section 2.15).

A shared key proves it here, a signature in `public_keys`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ikeactors.crypto.keys import psk_auth, signed_octets, verify_psk_auth
from ikeactors.errors import AuthenticationFailed
from ikeactors.iana import AuthMethod, IdType, PayloadType
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
    """The configured identity; the address where none is configured."""
    if auth.id.identity is not None:
        return auth.id.identity
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
    place = association.remote.address if connection.unique is Unique.NEVER else None
    if not association.surroundings.is_up(connection.name, place):
        return False
    local = identity_of(connection.local, association.local.address)
    remote = identity_of(connection.remote, association.remote.address)
    return association.surroundings.stands(local, remote)


def prove(
    association: Association,
    connection: ConnectionSettings,
    ike_sa: IkeSa,
    transcript: Transcript,
    local: Identity,
    remote: Identity,
    request: Payloads = (),
) -> OwnProof:
    """Our AUTH payload, and our certificates. Raises AuthenticationFailed when we have no key.

    `request` is the IKE_AUTH request that is answered, where it is.
    """
    prf, body = ike_sa.suite.prf_function, write_identity(local)
    if ike_sa.spis.original_initiator:
        octets = signed_octets(transcript.request, transcript.nonce_r, prf, ike_sa.keys.sk_pi, body)
        peers_init = transcript.response
    else:
        octets = signed_octets(
            transcript.response, transcript.nonce_i, prf, ike_sa.keys.sk_pr, body
        )
        peers_init = transcript.request
    if connection.local.by_public_key:
        return public_keys.prove(association, connection, local, octets, peers_init, request)
    secret = _secret(association.settings, local, remote)
    return OwnProof(Authentication(AuthMethod.SHARED_KEY, psk_auth(prf, secret, octets)))


def verify(
    association: Association,
    connection: ConnectionSettings,
    ike_sa: IkeSa,
    transcript: Transcript,
    local: Identity,
    remote: Identity,
    opened: Opened,
    payloads: Payloads,
) -> PeerProof | None:
    """Check the peer's AUTH payload, over its identity as it was received.

    By a shared key it leaves nothing to be looked at. Raises AuthenticationFailed.
    """
    prf = ike_sa.suite.prf_function
    if ike_sa.spis.original_initiator:
        body = opened.body_of(PayloadType.IDR)
        octets = signed_octets(
            transcript.response, transcript.nonce_i, prf, ike_sa.keys.sk_pr, body
        )
    else:
        body = opened.body_of(PayloadType.IDI)
        octets = signed_octets(transcript.request, transcript.nonce_r, prf, ike_sa.keys.sk_pi, body)
    authentication = only(payloads, Authentication)
    if connection.remote.by_public_key:
        return public_keys.verify(
            association, connection.remote, remote, octets, payloads, authentication
        )
    if authentication.method is not AuthMethod.SHARED_KEY:
        raise AuthenticationFailed(
            f"{remote} authenticates by method {authentication.method.name}, "
            f"the connection asks for a pre-shared key"
        )
    secret = _secret(association.settings, local, remote)
    try:
        verify_psk_auth(prf, secret, octets, authentication.data)
    except AuthenticationFailed:
        raise AuthenticationFailed(
            f"the AUTH payload of {remote} does not fit: the pre-shared key between {local} and "
            f"{remote} is not the same on both ends"
        ) from None
    return None


def _secret(settings: Settings, local: Identity, remote: Identity) -> bytes:
    secret = settings.secret_for(local, remote)
    if secret is None:
        raise AuthenticationFailed(f"there is no pre-shared key between {local} and {remote}")
    return secret
