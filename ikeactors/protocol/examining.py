"""The checks that a certificate has to pass before its key stands for a peer, one by one.

An IKE SA runs them until one refuses; `ikeactors verify` runs all and says what each has found.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial

from cryptography import x509

from ikeactors.crypto.pki.address_blocks import AddressBlocks, AddressRange, blocks_of
from ikeactors.crypto.pki.bindings import binds, check_binding, names_held
from ikeactors.crypto.pki.certificates import der_of, describe, public_key_of
from ikeactors.crypto.pki.paths import CertificationPath, TrustAnchors
from ikeactors.crypto.pki.profile import (
    ExtendedKeyUsage,
    accepted_usages,
    check_extended_usage,
    check_key_usage,
    extended_usages,
    key_usages,
)
from ikeactors.crypto.pki.strength import check_strength
from ikeactors.crypto.signatures import PublicKey, kind_of, strength_of
from ikeactors.errors import AuthenticationFailed, CertificateRefused
from ikeactors.iana import IdType
from ikeactors.protocol.settings import AuthSettings
from ikeactors.wire.identities import Identity

# Ours: of address blocks, that many in a sentence.
_MAX_SHOWN = 8


@dataclass(frozen=True, slots=True)
class Check:
    """`run` raises AuthenticationFailed; `found` says what is there and what would do."""

    name: str
    run: Callable[[], None]
    found: Callable[[], str]


class Examination:
    """Of a certificate, and of those sent along, for an identity at a time."""

    def __init__(
        self,
        end_entity: x509.Certificate,
        others: Sequence[x509.Certificate],
        auth: AuthSettings,
        identity: Identity,
        trust: TrustAnchors,
        at: float,
    ) -> None:
        self.end_entity = end_entity
        self.is_named = bool(auth.certificates) and der_of(end_entity) in auth.certificates
        self.path: CertificationPath | None = None
        self.blocks: tuple[AddressRange, ...] | None = None
        self._key: PublicKey | None = None
        self._others = others
        self._auth = auth
        self._identity = identity
        self._trust = trust
        self._at = at

    def pass_all(self) -> PublicKey:
        """The key, if nothing speaks against it. Raises AuthenticationFailed."""
        for check in self.checks():
            check.run()
        assert self._key is not None
        return self._key

    def checks(self) -> tuple[Check, ...]:
        """In this order: what is cheap comes first."""
        certificate, auth = self.end_entity, self._auth
        first = (
            Check("identity", self._check_identity, self._names),
            Check("key usage", partial(check_key_usage, certificate), self._usage),
            Check(
                "extended key usage",
                partial(check_extended_usage, certificate, auth.usage),
                self._extended_usage,
            ),
            Check("kind of key", self._check_key, self._kind),
        )
        if self.is_named:
            return (*first, Check("validity", self._check_validity, self._named))
        return (
            *first,
            Check("path", self._check_path, self._signatures),
            Check("address blocks", self._check_blocks, self._ranges),
            Check("authorities", self._check_strength, self._strength),
        )

    def _check_identity(self) -> None:
        if not is_configured(self.end_entity, self._auth, self._identity):
            check_binding(self.end_entity, self._identity, self._auth.address_binding)

    def _check_key(self) -> None:
        self._key = public_key_of(self.end_entity)
        if not self._auth.constraint.permits_key(self._key):
            raise AuthenticationFailed(
                f"{describe(self.end_entity)}: its key ({_kind_of(self._key)}) is not one of "
                f"{self._auth.constraint}"
            )

    def _check_validity(self) -> None:
        since, until = self.end_entity.not_valid_before_utc, self.end_entity.not_valid_after_utc
        if not since.timestamp() <= self._at <= until.timestamp():
            raise AuthenticationFailed(f"{describe(self.end_entity)} is {self._dates()} only")

    def _check_path(self) -> None:
        self.path = self._trust.validate(
            self.end_entity, self._others, self._at, self._auth.policies
        )

    def _check_blocks(self) -> None:
        demand = self._auth.address_blocks
        if demand is AddressBlocks.IGNORE or self.path is None:
            return
        self.blocks = blocks_of(self.path.certificates)
        if self.blocks is None and demand is AddressBlocks.REQUIRE:
            raise CertificateRefused(
                f"{describe(self.end_entity)}: it has no address blocks, which are required"
            )

    def _ranges(self) -> str:
        demand = f'address_blocks = "{self._auth.address_blocks.value}"'
        if self.blocks is None:
            return f"none; {demand}"
        shown = ", ".join(f"{first}..{last}" for first, last in self.blocks[:_MAX_SHOWN])
        return f"{shown or 'empty'}; {demand}"

    def _check_strength(self) -> None:
        if self.path is None:
            raise CertificateRefused("there is no path")
        check_strength(self.path, self._auth.constraint)

    def _names(self) -> str:
        return f"{self._identity} is asked for; the certificate holds {names_held(self.end_entity)}"

    def _usage(self) -> str:
        has = key_usages(self.end_entity) or "no such extension"
        return f"{has}; digitalSignature, nonRepudiation, or no such extension is asked for"

    def _extended_usage(self) -> str:
        has = extended_usages(self.end_entity) or "no such extension"
        usage = self._auth.usage
        if usage is ExtendedKeyUsage.IGNORE:
            return f'{has}; eku = "ignore" asks for nothing'
        more = ", or no such extension," if usage is ExtendedKeyUsage.IF_PRESENT else ""
        return f'{has}; {accepted_usages(usage)}{more} is asked for by eku = "{usage.value}"'

    def _kind(self) -> str:
        key = public_key_of(self.end_entity)
        strength = f"-{strength_of(key)}" if strength_of(key) else ""
        return f'{kind_of(key).value}{strength}; auth = "{self._auth.constraint}"'

    def _named(self) -> str:
        return f"the connection names this certificate; it is {self._dates()}"

    def _dates(self) -> str:
        since, until = self.end_entity.not_valid_before_utc, self.end_entity.not_valid_after_utc
        return f"valid from {since:%Y-%m-%d %H:%M} to {until:%Y-%m-%d %H:%M} UTC"

    def _signatures(self) -> str:
        return f"{self.path}" if self.path else "there is none"

    def _strength(self) -> str:
        constraint = self._auth.constraint
        if constraint.ike_only or not (constraint.keys or constraint.hashes):
            return f'auth = "{constraint}" asks nothing of them'
        return f'as strong as auth = "{constraint}" asks for'


def holds(certificate: x509.Certificate, auth: AuthSettings, identity: Identity) -> bool:
    """Whether the certificate, or else the configuration, says that it is this identity's."""
    return binds(certificate, identity) or is_configured(certificate, auth, identity)


def is_configured(certificate: x509.Certificate, auth: AuthSettings, identity: Identity) -> bool:
    """Whether the connection names this certificate, and this key ID as whose it is.

    A key ID is any octets to whoever has configured it (RFC 7296 section 3.5).
    """
    if identity.type is not IdType.KEY_ID or auth.id.identity != identity:
        return False
    return bool(auth.certificates) and der_of(certificate) in auth.certificates


def _kind_of(key: PublicKey) -> str:
    strength = strength_of(key)
    return f"{kind_of(key).value}-{strength}" if strength else kind_of(key).value
