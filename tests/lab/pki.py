"""A small certification authority for tests and labs. NOT for production.

    lab/authorities/        root, branch and responder (OCSP), each NAME.pem and NAME.key; CRLs
    lab/HOLDER/             all that a daemon needs, laid out as swanctl has it

Its private keys lie in files without a passphrase.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from ipaddress import ip_network
from pathlib import Path
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_pem_private_key,
)
from cryptography.x509.oid import AuthorityInformationAccessOID

from ikeactors.crypto.signatures import PrivateKey
from ikeactors.wire.bundles import write_bundle
from tests.lab.certifying import (
    KEYS,
    USAGES,
    Holder,
    address_blocks,
    digest_of,
    distinguished,
    general_name,
    key_usage,
    signed,
)

ROOT, BRANCH, RESPONDER = "root", "branch", "responder"
AUTHORITIES = "authorities"
_AUTHORITY_DAYS = 3650
_LIST_DAYS = 30
# Clocks of a lab are not all the same.
_BACKDATED = timedelta(minutes=10)
_ALL_ADDRESSES = [ip_network("0.0.0.0/0"), ip_network("::/0")]
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._@-]*")


class Failed(Exception):
    """A step did not work; the text says which."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """What a certificate is to hold; without `since` it is valid from now on."""

    names: Sequence[str] = ()
    key: str = "ecdsa-256"
    issuer: str = BRANCH
    usages: Sequence[str] = ("ipsecIKE",)
    blocks: Sequence[str] = ()
    since: datetime | None = None
    days: float = 365


class Pki:
    """All authorities and holders below a directory."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self._authorities = directory / AUTHORITIES

    def init(self, name: str = "ikeactors lab", key: str = "ecdsa-256", url: str = "") -> Pki:
        """Make the root, the branch, the responder, and empty lists."""
        if self._authorities.exists():
            raise Failed(f"{self.directory} has its authorities already")
        self._authorities.mkdir(mode=0o700, parents=True)
        settings = {"name": name, "url": url.rstrip("/")}
        (self._authorities / "settings.json").write_text(json.dumps(settings))
        self._authority(ROOT, None, key)
        self._authority(BRANCH, ROOT, key)
        wanted = Wanted(key=key, usages=("OCSPSigning",), days=_AUTHORITY_DAYS)
        _keep(self._authorities, RESPONDER, self._certify(RESPONDER, wanted))
        self.write_lists()
        return self

    def issue(self, name: str, wanted: Wanted) -> Path:
        """A holder's folder: its certificate and keys, whom it is to believe, the lists."""
        if not _NAME.fullmatch(name) or name == AUTHORITIES:
            raise Failed(f"{name!r}: a name is of letters, digits, '.', '_', '@' and '-'")
        folder = self.directory / name
        if folder.exists():
            raise Failed(f"{folder} exists already")
        holder = self._certify(name, wanted)
        for part in ("x509", "x509ca", "x509crl", "pubkey"):
            (folder / part).mkdir(parents=True)
        (folder / "private").mkdir(mode=0o700)
        _write_certificate(folder / f"x509/{name}.pem", holder.certificate)
        _write_key(folder / f"private/{name}.pem", holder.key)
        spki = holder.key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
        (folder / f"pubkey/{name}.pem").write_bytes(spki)
        if wanted.issuer == BRANCH:
            _write_certificate(folder / f"x509/{BRANCH}.pem", self.authority(BRANCH).certificate)
        _write_certificate(folder / f"x509ca/{ROOT}.pem", self.authority(ROOT).certificate)
        self.write_lists()
        return folder

    def revoke(self, name: str, reason: str = "unspecified") -> None:
        """Put a holder's certificate on its issuer's list, and renew all lists."""
        certificate, revoked = self.certificate(name), self.revoked()
        serial = str(certificate.serial_number)
        if serial in revoked:
            raise Failed(f"{name} is revoked already")
        revoked[serial] = {
            "issuer": certificate.issuer.rfc4514_string(),
            "at": datetime.now(UTC).timestamp(),
            "reason": x509.ReasonFlags(reason).value,
        }
        self._revoked_file.write_text(json.dumps(revoked))
        self.write_lists()

    def revoked(self) -> dict[str, dict[str, Any]]:
        """What is revoked, by serial number."""
        if not self._revoked_file.exists():
            return {}
        found: dict[str, dict[str, Any]] = json.loads(self._revoked_file.read_text())
        return found

    def write_lists(self) -> None:
        """New CRLs, also in the folder of every holder."""
        folders = [self._authorities, *(one / "x509crl" for one in self.holders())]
        for name in (ROOT, BRANCH):
            octets = self.crl(name).public_bytes(Encoding.DER)
            for folder in folders:
                (folder / f"{name}.crl").write_bytes(octets)

    def crl(self, name: str, days: float = _LIST_DAYS) -> x509.CertificateRevocationList:
        """The list of an authority as it is now."""
        issuer, now = self.authority(name), datetime.now(UTC)
        subject = issuer.certificate.subject
        builder = x509.CertificateRevocationListBuilder(
            subject, now - _BACKDATED, now + timedelta(days=days)
        )
        builder = builder.add_extension(issuer.identifier, critical=False)
        builder = builder.add_extension(x509.CRLNumber(int(now.timestamp() * 1000)), critical=False)
        for serial, entry in self.revoked().items():
            if entry["issuer"] == subject.rfc4514_string():
                builder = builder.add_revoked_certificate(_revocation(int(serial), entry))
        key: Any = issuer.key
        return builder.sign(key, digest_of(key))

    def published(self, name: str) -> dict[str, bytes]:
        """A holder's certificate, and the bundle with those above it, by their hashes."""
        certificate, branch = self.certificate(name), self.authority(BRANCH).certificate
        above = [branch] if certificate.issuer == branch.subject else []
        ders = [one.public_bytes(Encoding.DER) for one in (certificate, *above)]
        found = (ders[0], write_bundle(ders))
        return {hashlib.sha1(one, usedforsecurity=False).hexdigest(): one for one in found}

    def holders(self) -> list[Path]:
        """The folders of all holders."""
        return sorted(one.parent for one in self.directory.glob("*/x509") if one.is_dir())

    def certificate(self, name: str) -> x509.Certificate:
        """The certificate of a holder."""
        path = self.directory / name / f"x509/{name}.pem"
        if not path.exists():
            known = ", ".join(one.name for one in self.holders()) or "nobody"
            raise Failed(f"{self.directory} has no holder {name}; it has {known}")
        return x509.load_pem_x509_certificate(path.read_bytes())

    def authority(self, name: str) -> Holder:
        """An authority, or the responder."""
        path = self._authorities / f"{name}.pem"
        if not path.exists():
            raise Failed(f"{self.directory} has no authorities: tools/pki init {self.directory}")
        certificate = x509.load_pem_x509_certificate(path.read_bytes())
        octets = path.with_suffix(".key").read_bytes()
        # It is our own: whether its factors are primes need not be looked at each time.
        key: Any = load_pem_private_key(octets, None, unsafe_skip_rsa_key_validation=True)
        return Holder(certificate, key)

    @property
    def _revoked_file(self) -> Path:
        return self._authorities / "revoked.json"

    def _setting(self, name: str) -> str:
        settings = json.loads((self._authorities / "settings.json").read_text())
        return str(settings[name])

    def _authority(self, name: str, issuer: str | None, kind: str) -> None:
        key, signing = KEYS[kind](), self.authority(issuer) if issuer else None
        subject = distinguished(self._setting("name"), f"{name} authority")
        builder = _begun(subject, key, signing, None, _AUTHORITY_DAYS)
        builder = builder.add_extension(x509.BasicConstraints(True, None), critical=True)
        builder = builder.add_extension(key_usage(authority=True), critical=True)
        # Whoever gives addresses to others has them itself. It is not
        # critical because those who do not use it are to take the rest.
        builder = builder.add_extension(address_blocks(_ALL_ADDRESSES), critical=False)
        if issuer:
            builder = self._with_urls(builder, issuer)
        _keep(self._authorities, name, signed(builder, key, signing))

    def _certify(self, name: str, wanted: Wanted) -> Holder:
        key, issuer = KEYS[wanted.key](), self.authority(wanted.issuer)
        subject = distinguished(self._setting("name"), name)
        builder = _begun(subject, key, issuer, wanted.since, wanted.days)
        builder = builder.add_extension(x509.BasicConstraints(False, None), critical=True)
        builder = builder.add_extension(key_usage(authority=False), critical=True)
        if wanted.usages:
            usages = [USAGES[one] for one in wanted.usages]
            builder = builder.add_extension(x509.ExtendedKeyUsage(usages), critical=False)
        if wanted.names:
            names = list(map(general_name, wanted.names))
            builder = builder.add_extension(x509.SubjectAlternativeName(names), critical=False)
        if wanted.blocks:
            blocks = address_blocks([ip_network(one) for one in wanted.blocks])
            builder = builder.add_extension(blocks, critical=True)
        return signed(self._with_urls(builder, wanted.issuer), key, issuer)

    def _with_urls(self, builder: x509.CertificateBuilder, issuer: str) -> x509.CertificateBuilder:
        """Where the list and the responder are, if they are served at all."""
        url = self._setting("url")
        if not url:
            return builder
        where = x509.UniformResourceIdentifier(f"{url}/{issuer}.crl")
        points = [x509.DistributionPoint([where], None, None, None)]
        responder = x509.UniformResourceIdentifier(f"{url}/ocsp")
        access = x509.AccessDescription(AuthorityInformationAccessOID.OCSP, responder)
        builder = builder.add_extension(x509.CRLDistributionPoints(points), critical=False)
        return builder.add_extension(x509.AuthorityInformationAccess([access]), critical=False)


def _begun(
    subject: x509.Name, key: PrivateKey, issuer: Holder | None, since: datetime | None, days: float
) -> x509.CertificateBuilder:
    since = since or datetime.now(UTC) - _BACKDATED
    identifier = x509.SubjectKeyIdentifier.from_public_key(key.public_key())
    builder = x509.CertificateBuilder(
        issuer.certificate.subject if issuer else subject,
        subject,
        key.public_key(),
        x509.random_serial_number(),
        since,
        since + timedelta(days=days),
    ).add_extension(identifier, critical=False)
    return builder.add_extension(issuer.identifier, critical=False) if issuer else builder


def _revocation(serial: int, entry: dict[str, Any]) -> x509.RevokedCertificate:
    flag = x509.ReasonFlags(entry["reason"])
    builder = x509.RevokedCertificateBuilder(serial, datetime.fromtimestamp(entry["at"], UTC))
    if flag is not x509.ReasonFlags.unspecified:
        builder = builder.add_extension(x509.CRLReason(flag), critical=False)
    return builder.build()


def _keep(folder: Path, name: str, holder: Holder) -> None:
    _write_certificate(folder / f"{name}.pem", holder.certificate)
    _write_key(folder / f"{name}.key", holder.key)


def _write_certificate(path: Path, certificate: x509.Certificate) -> None:
    path.write_bytes(certificate.public_bytes(Encoding.PEM))


def _write_key(path: Path, key: PrivateKey) -> None:
    path.touch(mode=0o600)
    path.write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
