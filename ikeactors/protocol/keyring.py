"""The daemon's keys and certificates, and how a peer's are judged. Needs the extra `certificates`.

What is checked, in this order: that the certificate names the identity, that it is for signing in
IKE, that its key is of a kind the connection takes, and that a path leads to an authority we trust.
A certificate the connection names itself needs no authority.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, field
from functools import partial

from cryptography import x509
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    PublicFormat,
    load_der_public_key,
)

from ikeactors.crypto import signatures
from ikeactors.crypto.pki.address_blocks import AddressRange
from ikeactors.crypto.pki.bindings import lies_within
from ikeactors.crypto.pki.certificates import (
    der_of,
    describe,
    key_hash_of,
    read_certificate,
)
from ikeactors.crypto.pki.paths import MAX_PATH, TrustAnchors
from ikeactors.crypto.pki.profile import extension
from ikeactors.crypto.signature_schemes import BY_IDENTIFIER, SignatureScheme
from ikeactors.crypto.signatures import PrivateKey, PublicKey, check_key, kind_of, strength_of
from ikeactors.crypto.token_keys import OwnKey, TokenKey
from ikeactors.errors import AuthenticationFailed
from ikeactors.iana import AuthMethod, CertificateEncoding, SignatureHash
from ikeactors.protocol.credentials import (
    CredentialsRefusal,
    OwnProof,
    PeerProof,
    Unsigned,
    WelcomeMethod,
)
from ikeactors.protocol.examining import Examination, holds
from ikeactors.protocol.settings import AuthSettings
from ikeactors.wire.identities import Identity
from ikeactors.wire.payload import Authentication, Certificate


@dataclass(frozen=True, slots=True)
class OwnCertificate:
    """A certificate of ours and its private key."""

    certificate: x509.Certificate
    key: OwnKey = field(repr=False)


class Keyring:
    """Our keys, our certificates, the authorities we trust; `missing` says what we should have."""

    def __init__(
        self,
        own: Sequence[OwnCertificate] = (),
        anchors: Sequence[x509.Certificate] = (),
        known: Sequence[x509.Certificate] = (),
        raw_keys: Sequence[OwnKey] = (),
        missing: Sequence[str] = (),
    ) -> None:
        self._own = tuple(own)
        self._missing = tuple(missing)
        self._known = tuple(known)
        self._raw_keys = {_spki(key.public_key()): key for key in raw_keys}
        self._anchors = {der_of(one): one for one in anchors}
        self._trusted: dict[tuple[bytes, ...], TrustAnchors] = {}
        self._paths: dict[int, _OwnPath] = {}

    def prove(
        self,
        auth: AuthSettings,
        identity: Identity,
        authorities: tuple[bytes, ...],
        announced: tuple[SignatureHash, ...],
        octets: bytes,
        methods: tuple[WelcomeMethod, ...] = (),
    ) -> OwnProof | CredentialsRefusal:
        """Sign with the key that fits best."""
        try:
            key, chain, not_after = self._own_key(auth, identity, authorities, methods)
            method, scheme = _way(key, auth, announced, methods)
            if isinstance(key, TokenKey):
                bits = strength_of(key.public)
                wanted = Unsigned(key.name, method, scheme.identifier, octets, bits)
                return OwnProof(Authentication(method, octets), chain, not_after, wanted)
            signed = signatures.sign(key, scheme, octets, method)
            return OwnProof(Authentication(method, signed), chain, not_after)
        except AuthenticationFailed as fault:
            return CredentialsRefusal(str(fault))

    def verify(
        self,
        auth: AuthSettings,
        identity: Identity,
        certificates: tuple[Certificate, ...],
        authentication: Authentication,
        octets: bytes,
        at: float,
    ) -> PeerProof | CredentialsRefusal:
        """Check the certificates, then the signature."""
        try:
            peer = self._check(auth, identity, certificates, at)
            method, data = authentication.method, authentication.data
            permits = auth.constraint.permits
            scheme = signatures.verify(peer.key, method, data, octets, permits)
        except AuthenticationFailed as fault:
            return CredentialsRefusal(str(fault))
        return PeerProof(str(scheme), peer.path, peer.not_after, peer.chain, peer.blocks)

    def certificates(self) -> tuple[tuple[str, x509.Certificate], ...]:
        """Ours ("own") and those of the authorities ("authority") that are loaded."""
        own = (("own", one.certificate) for one in self._own)
        return (*own, *(("authority", one) for one in self._anchors.values()))

    @property
    def own(self) -> tuple[tuple[x509.Certificate, x509.Certificate], ...]:
        """Our certificates with those of their issuers, as far as we have them."""
        chains = (self._chain(one.certificate) for one in self._own)
        return tuple((chain[0], chain[1]) for chain in chains if len(chain) > 1)

    def authorities(self, auths: Iterable[AuthSettings]) -> tuple[bytes, ...]:
        """The hashes of those whose certificates are welcome."""
        trusted: dict[bytes, None] = {}
        for auth in auths:
            for anchor in self._trust(auth).certificates:
                trusted[key_hash_of(anchor)] = None
        return tuple(trusted)

    def _own_key(
        self,
        auth: AuthSettings,
        identity: Identity,
        authorities: Collection[bytes],
        methods: Sequence[WelcomeMethod],
    ) -> tuple[OwnKey, tuple[Certificate, ...], float]:
        """Our key for an identity, its certificates, when our own expires.

        One that the peer takes comes before others, and then one that its authorities have
        certified.
        """
        for octets in auth.public_keys:
            if octets in self._raw_keys:
                return self._raw_keys[octets], (_raw(octets),), float("inf")
        permitted = [one for one in map(self._path_of, self._own) if _is_permitted(one, auth)]
        usable = [one for one in permitted if holds(one.own.certificate, auth, identity)]
        usable = usable or [one for one in permitted if lies_within(one.own.certificate, identity)]
        if not usable:
            raise AuthenticationFailed(
                "; ".join(
                    (
                        f"there is no certificate with its private key for {identity} "
                        f"(auth = {auth.constraint})",
                        *self._missing,
                    )
                )
            )
        if len(usable) > 1:
            usable.sort(key=lambda path: _unfitness(path, authorities, methods))
        return usable[0].own.key, usable[0].sent, usable[0].not_after

    def _path_of(self, own: OwnCertificate) -> _OwnPath:
        """With what is above it, which is asked for each time that we authenticate."""
        known = self._paths.get(id(own))
        if known is None:
            known = self._paths[id(own)] = _own_path(own, self._chain(own.certificate))
        return known

    def _check(
        self,
        auth: AuthSettings,
        identity: Identity,
        certificates: tuple[Certificate, ...],
        at: float,
    ) -> _CheckedKey:
        """The public key by which a peer proves to be `identity`."""
        raw = [one for one in certificates if one.encoding is CertificateEncoding.RAW_PUBLIC_KEY]
        if auth.public_keys:
            return _check_raw(auth, identity, raw)
        examination = self.examine(auth, identity, certificates, at)
        key = examination.pass_all()
        if examination.path is None:
            name = describe(examination.end_entity)
            return _CheckedKey(key, f"{name}, which the connection names")
        path = examination.path
        chain = tuple(map(der_of, path.certificates))
        return _CheckedKey(key, str(path), path.not_after, chain, examination.blocks)

    def examine(
        self,
        auth: AuthSettings,
        identity: Identity,
        certificates: Sequence[Certificate],
        at: float,
    ) -> Examination:
        """The checks of a peer's certificate. Raises AuthenticationFailed where there is none."""
        given = [one for one in certificates if one.encoding is CertificateEncoding.X509_SIGNATURE]
        if len(given) > MAX_PATH + 1:
            raise AuthenticationFailed(f"{identity} sends {len(given)} certificates")
        parsed = [read_certificate(one.data) for one in given]
        end_entity = parsed[0] if parsed else self._known_of(auth, identity)
        return Examination(end_entity, parsed[1:], auth, identity, self._trust(auth), at)

    def _trust(self, auth: AuthSettings) -> TrustAnchors:
        wanted = auth.authorities or tuple(self._anchors)
        if wanted not in self._trusted:
            anchors = [self._anchors.get(one) or read_certificate(one) for one in wanted]
            self._trusted[wanted] = TrustAnchors(anchors, self._known)
        return self._trusted[wanted]

    def _known_of(self, auth: AuthSettings, identity: Identity) -> x509.Certificate:
        """For a peer that sends no certificate."""
        named = (read_certificate(one) for one in auth.certificates)
        found = next((one for one in (*named, *self._known) if holds(one, auth, identity)), None)
        if found is None:
            raise AuthenticationFailed(f"{identity} sends no certificate, and none is known of it")
        return found

    def _chain(self, certificate: x509.Certificate) -> list[x509.Certificate]:
        """A certificate of ours and those above it, as far as we have them."""
        chain = [certificate]
        above = (*self._known, *self._anchors.values())
        while len(chain) <= MAX_PATH and not _is_self_signed(chain[-1]):
            issuer = next((one for one in above if _has_issued(one, chain[-1])), None)
            if issuer is None:
                break
            chain.append(issuer)
        return chain


@dataclass(frozen=True, slots=True)
class _CheckedKey:
    """A peer's public key that stands for its identity, and by what."""

    key: PublicKey
    path: str
    not_after: float = float("inf")
    chain: tuple[bytes, ...] = ()
    blocks: tuple[AddressRange, ...] | None = None


@dataclass(frozen=True, slots=True)
class _OwnPath:
    """A certificate of ours, its DER, those above it, what of them is sent, and when it expires."""

    own: OwnCertificate
    octets: bytes
    chain: tuple[x509.Certificate, ...]
    sent: tuple[Certificate, ...]
    not_after: float


def _own_path(own: OwnCertificate, chain: Sequence[x509.Certificate]) -> _OwnPath:
    sent = (one for one in chain if one == own.certificate or not _is_self_signed(one))
    return _OwnPath(
        own,
        der_of(own.certificate),
        tuple(chain),
        tuple(Certificate(CertificateEncoding.X509_SIGNATURE, der_of(one)) for one in sent),
        own.certificate.not_valid_after_utc.timestamp(),
    )


def _unfitness(
    path: _OwnPath,
    authorities: Collection[bytes],
    methods: Sequence[WelcomeMethod],
) -> tuple[bool, bool]:
    """The lower, the better: whether the peer takes no such key, whether none of its authorities
    has certified it."""
    issuers = {key_hash_of(authority) for authority in path.chain[1:]}
    taken = any(
        _is_method_of(path.own.key, one) and (not one.authority or one.authority in issuers)
        for one in methods
    )
    return bool(methods) and not taken, issuers.isdisjoint(authorities)


def _is_method_of(key: OwnKey, method: WelcomeMethod) -> bool:
    if method.method is AuthMethod.DIGITAL_SIGNATURE:
        scheme = BY_IDENTIFIER.get(method.algorithm)
        return scheme is not None and scheme.kind is kind_of(_known_part(key))
    return method.method is signatures.classic_method(_known_part(key))


def _way(
    key: OwnKey,
    auth: AuthSettings,
    announced: Collection[SignatureHash],
    methods: Sequence[WelcomeMethod],
) -> tuple[AuthMethod, SignatureScheme]:
    """How we sign: the best that both ends and the key's token can. Raises AuthenticationFailed."""
    public, permits = _known_part(key), partial(_permits, auth, key)
    if not announced:
        method = signatures.classic_method(public)
        if method is None:
            raise AuthenticationFailed(
                "the peer does not know RFC 7427, and our kind of key has no method without it"
            )
        return method, signatures.classic_scheme(method, permits)
    hashes, taken = frozenset(announced), {BY_IDENTIFIER.get(one.algorithm) for one in methods}
    scheme = signatures.choose_scheme(
        public, hashes, lambda one: permits(one) and one in taken
    ) or signatures.choose_scheme(public, hashes, permits)
    if scheme is None:
        names = ", ".join(one.name for one in announced)
        raise AuthenticationFailed(
            f"our key ({auth.constraint}) can sign with no hash the peer takes: {names}"
            f"{_abilities(key)}"
        )
    return AuthMethod.DIGITAL_SIGNATURE, scheme


def _permits(auth: AuthSettings, key: OwnKey, scheme: SignatureScheme) -> bool:
    if isinstance(key, TokenKey) and scheme not in key.schemes:
        return False
    return auth.constraint.permits(scheme)


def _abilities(key: OwnKey) -> str:
    if not isinstance(key, TokenKey):
        return ""
    return f"; the token of secrets.{key.name} can do {', '.join(map(str, key.schemes)) or 'none'}"


def _known_part(key: OwnKey) -> PublicKey | PrivateKey:
    """Of a key on a token, the public one."""
    return key.public if isinstance(key, TokenKey) else key


def _is_permitted(path: _OwnPath, auth: AuthSettings) -> bool:
    if auth.certificates and path.octets not in auth.certificates:
        return False
    return auth.constraint.permits_key(_known_part(path.own.key))


def _check_raw(auth: AuthSettings, identity: Identity, sent: Sequence[Certificate]) -> _CheckedKey:
    """A key the connection names; the peer may send it or not (RFC 7670 section 3)."""
    trusted = auth.public_keys
    octets = sent[0].data if sent else trusted[0]
    if octets not in trusted:
        raise AuthenticationFailed(f"{identity} sends a public key the connection does not name")
    key = check_key(load_der_public_key(octets))
    if not auth.constraint.permits_key(key):
        raise AuthenticationFailed(f"the key of {identity} is not one of {auth.constraint}")
    return _CheckedKey(key, "a public key the connection names")


def _is_self_signed(certificate: x509.Certificate) -> bool:
    return certificate.subject == certificate.issuer


def _has_issued(issuer: x509.Certificate, certificate: x509.Certificate) -> bool:
    """By name and key identifier; whether the signature is right is for the peer to check."""
    named = extension(certificate, x509.AuthorityKeyIdentifier)
    own = extension(issuer, x509.SubjectKeyIdentifier)
    if named is not None and own is not None and named.key_identifier not in (None, own.digest):
        return False
    return issuer.subject == certificate.issuer


def _spki(key: PublicKey) -> bytes:
    return key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)


def _raw(octets: bytes) -> Certificate:
    return Certificate(CertificateEncoding.RAW_PUBLIC_KEY, octets)
