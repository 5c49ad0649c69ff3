"""Certificates and keys from files, laid out as swanctl has them.

x509/      end entity and intermediate certificates
x509ca/    authorities: those that are trusted
x509crl/   revocation lists
private/   private keys, closed to others
pubkey/    raw public keys
pkcs12/    certificates with their private keys, closed to others
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    PublicFormat,
    load_der_private_key,
    load_der_public_key,
    load_pem_private_key,
    load_pem_public_key,
    pkcs12,
)

from ikeactors.config.mistakes import Mistakes, Refused
from ikeactors.config.sources import Unreadable, read_file
from ikeactors.crypto.pki.certificates import read_certificate, read_crl
from ikeactors.crypto.signatures import PrivateKey, PublicKey, check_key
from ikeactors.errors import AuthenticationFailed

Passphrases = Mapping[str, bytes]

_PEM = b"-----BEGIN "

DIRECTORIES = ("x509", "x509ca", "x509crl", "private", "pubkey", "pkcs12")

# What a directory of swanctl's may hold besides what it is for.
_HIDDEN = "."


@dataclass(slots=True)
class LoadedFiles:
    """What is in the directories; keys by their SubjectPublicKeyInfo."""

    certificates: list[x509.Certificate] = field(default_factory=list)
    authorities: list[x509.Certificate] = field(default_factory=list)
    lists: list[x509.CertificateRevocationList] = field(default_factory=list)
    keys: dict[bytes, PrivateKey] = field(default_factory=dict, repr=False)


def load_files(directory: Path, passphrases: Passphrases, mistakes: Mistakes) -> LoadedFiles:
    """All that is in the directories; what cannot be read is a mistake of its file."""
    loaded = LoadedFiles()
    for path in _files(directory / "x509"):
        loaded.certificates += _noted(certificates_in, path, mistakes)
    for path in _files(directory / "x509ca"):
        loaded.authorities += _noted(certificates_in, path, mistakes)
    for path in _files(directory / "x509crl"):
        loaded.lists += _noted(_lists_in, path, mistakes)
    for path in _files(directory / "private"):
        for key in _noted(lambda one: [_key_in(one, passphrases)], path, mistakes):
            loaded.keys[spki_of(key.public_key())] = key
    for path in _files(directory / "pkcs12"):
        for key, certificates in _noted(lambda one: [_bundle(one, passphrases)], path, mistakes):
            loaded.keys[spki_of(key.public_key())] = key
            loaded.certificates += certificates
    return loaded


def certificates_in(path: Path) -> list[x509.Certificate]:
    """The certificates of a file, PEM or DER. Raises Refused."""
    octets = _octets(path)
    try:
        if _PEM not in octets:
            return [read_certificate(octets)]
        found = x509.load_pem_x509_certificates(octets)
        return [read_certificate(one.public_bytes(Encoding.DER)) for one in found]
    except (AuthenticationFailed, ValueError) as error:
        raise Refused((str(path), f"no certificate: {error}")) from None


def public_key_in(path: Path) -> bytes:
    """The SubjectPublicKeyInfo of a file, PEM or DER. Raises Refused."""
    octets = _octets(path)
    load = load_pem_public_key if _PEM in octets else load_der_public_key
    try:
        return spki_of(check_key(load(octets)))
    except (AuthenticationFailed, ValueError, UnsupportedAlgorithm) as error:
        raise Refused((str(path), f"no public key: {error}")) from None


def spki_of(key: PublicKey) -> bytes:
    """A public key's SubjectPublicKeyInfo."""
    return key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)


def _files(directory: Path) -> Iterator[Path]:
    if directory.is_dir():
        yield from sorted(
            one for one in directory.iterdir() if one.is_file() and one.name[0] != _HIDDEN
        )


def _noted(read: Any, path: Path, mistakes: Mistakes) -> list[Any]:
    """What a file holds; nothing, and a mistake, where it cannot be read."""
    try:
        found: list[Any] = read(path)
    except Refused as refused:
        mistakes.add_file(path, refused.complaints[0][1])
        return []
    return found


def _octets(path: Path, *, secret: bool = False) -> bytes:
    try:
        octets, exposure = read_file(path)
    except Unreadable as unreadable:
        raise Refused((str(path), str(unreadable))) from None
    if secret and exposure.of_readers:
        raise Refused((str(path), exposure.of_readers))
    return octets


def _lists_in(path: Path) -> list[x509.CertificateRevocationList]:
    try:
        return [read_crl(_octets(path))]
    except AuthenticationFailed as fault:
        raise Refused((str(path), str(fault))) from None


def _key_in(path: Path, passphrases: Passphrases) -> PrivateKey:
    octets = _octets(path, secret=True)
    load = load_pem_private_key if _PEM in octets else load_der_private_key
    passphrase = passphrases.get(path.name)
    try:
        key = load(octets, passphrase)
        check_key(key.public_key())
    except TypeError:
        raise Refused((str(path), _about_passphrase(path, passphrase))) from None
    except (AuthenticationFailed, ValueError, UnsupportedAlgorithm) as error:
        raise Refused((str(path), f"no private key, or another passphrase: {error}")) from None
    return key  # type: ignore[return-value]


def _about_passphrase(path: Path, passphrase: bytes | None) -> str:
    if passphrase is None:
        return f'the key is encrypted: give its passphrase in [secrets.NAME], file = "{path.name}"'
    return "the key is not encrypted, and there is a passphrase for it"


def _bundle(path: Path, passphrases: Passphrases) -> tuple[PrivateKey, list[x509.Certificate]]:
    octets = _octets(path, secret=True)
    try:
        bundle = pkcs12.load_pkcs12(octets, passphrases.get(path.name))
    except (ValueError, UnsupportedAlgorithm) as error:
        raise Refused((str(path), f"no PKCS #12, or another passphrase: {error}")) from None
    if bundle.key is None or bundle.cert is None:
        raise Refused((str(path), "no certificate with its private key in it"))
    others = [one.certificate for one in bundle.additional_certs]
    return bundle.key, [bundle.cert.certificate, *others]  # type: ignore[return-value]
