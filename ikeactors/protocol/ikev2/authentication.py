"""Authentication by a shared key (RFC 7296 section 2.15), and which connection an identity has."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ikeactors.crypto.keys import psk_auth, signed_octets, verify_psk_auth
from ikeactors.errors import AuthenticationFailed
from ikeactors.iana import AuthMethod, IdType
from ikeactors.protocol.ikev2.ike_sa_init import Transcript
from ikeactors.protocol.settings import AuthSettings, ConnectionSettings, Settings
from ikeactors.wire.identities import Identity, write_identity
from ikeactors.wire.payload import Authentication

if TYPE_CHECKING:
    from ikeactors.protocol.events import Address
    from ikeactors.protocol.ikev2.ike_sa import IkeSa


def identity_of(auth: AuthSettings, address: Address) -> Identity:
    """The configured identity; the address where none is configured."""
    if auth.id.identity is not None:
        return auth.id.identity
    kind = IdType.IPV4_ADDR if address.version == 4 else IdType.IPV6_ADDR
    return Identity(kind, address.packed)


def prove(
    settings: Settings, ike_sa: IkeSa, transcript: Transcript, local: Identity, remote: Identity
) -> Authentication:
    """Our AUTH payload. Raises AuthenticationFailed when we have no key for the two."""
    secret = _secret(settings, local, remote)
    prf = ike_sa.suite.prf_function
    body = write_identity(local)
    if ike_sa.spis.original_initiator:
        octets = signed_octets(transcript.request, transcript.nonce_r, prf, ike_sa.keys.sk_pi, body)
    else:
        octets = signed_octets(
            transcript.response, transcript.nonce_i, prf, ike_sa.keys.sk_pr, body
        )
    return Authentication(AuthMethod.SHARED_KEY, psk_auth(prf, secret, octets))


def verify(
    settings: Settings,
    ike_sa: IkeSa,
    transcript: Transcript,
    local: Identity,
    remote: Identity,
    remote_body: bytes,
    authentication: Authentication,
) -> None:
    """Check the peer's AUTH payload, over its identity as it was received (`remote_body`)."""
    if authentication.method is not AuthMethod.SHARED_KEY:
        raise AuthenticationFailed(
            f"{remote} authenticates by method {authentication.method.name}, "
            f"the connection asks for a pre-shared key"
        )
    secret = _secret(settings, local, remote)
    prf = ike_sa.suite.prf_function
    if ike_sa.spis.original_initiator:
        octets = signed_octets(
            transcript.response, transcript.nonce_i, prf, ike_sa.keys.sk_pr, remote_body
        )
    else:
        octets = signed_octets(
            transcript.request, transcript.nonce_r, prf, ike_sa.keys.sk_pi, remote_body
        )
    try:
        verify_psk_auth(prf, secret, octets, authentication.data)
    except AuthenticationFailed:
        raise AuthenticationFailed(
            f"the AUTH payload of {remote} does not fit: the pre-shared key between {local} and "
            f"{remote} is not the same on both ends"
        ) from None


def choose_connection(
    connections: tuple[ConnectionSettings, ...],
    remote: Identity,
    wanted_local: Identity | None,
    local_address: Address,
) -> ConnectionSettings:
    """The connection whose identities fit best; the configuration's order decides between equals.

    Raises AuthenticationFailed with what was compared.
    """
    best: ConnectionSettings | None = None
    best_quality = 0
    for connection in connections:
        quality = connection.remote.id.quality(remote)
        if wanted_local is not None and quality:
            local = identity_of(connection.local, local_address)
            quality = 4 * quality if _same(local, wanted_local) else 0
        if quality > best_quality:
            best, best_quality = connection, quality
    if best is None:
        tried = ", ".join(connection.name for connection in connections)
        wanted = f" and asks for {wanted_local}" if wanted_local else ""
        raise AuthenticationFailed(
            f"the peer says it is {remote}{wanted}, which fits no connection (compared: {tried})"
        )
    return best


def _same(ours: Identity, theirs: Identity) -> bool:
    return ours.type == theirs.type and ours.data.lower() == theirs.data.lower()


def _secret(settings: Settings, local: Identity, remote: Identity) -> bytes:
    secret = settings.secret_for(local, remote)
    if secret is None:
        raise AuthenticationFailed(f"there is no pre-shared key between {local} and {remote}")
    return secret
