"""Where a certificate says that its revocation can be asked (RFC 5280 section 4.2.1.13)."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from cryptography import x509
from cryptography.x509.oid import AuthorityInformationAccessOID

from ikeactors.crypto.pki.certificates import printable
from ikeactors.crypto.pki.profile import extension

# Ours: an authority has two places of a kind; each costs a request.
_MAX_PLACES = 4
_MAX_URL = 2048

_SCHEMES = ("http://", "https://")
_DIRECTORIES = ("ldap://", "ldaps://")


@dataclass(frozen=True, slots=True)
class Places:
    """URLs of OCSP responders and of lists; `unusable` says what is named and not asked, and why.

    `deltas` are lists of what has changed since a base list.
    """

    responders: tuple[str, ...] = ()
    lists: tuple[str, ...] = ()
    deltas: tuple[str, ...] = ()
    unusable: tuple[str, ...] = ()

    @property
    def is_named(self) -> bool:
        """Whether there is any."""
        return bool(self.responders or self.lists or self.unusable)


def places_of(certificate: x509.Certificate) -> Places:
    """Where to ask about a certificate."""
    unusable: list[str] = []
    responders = _usable(_responders(certificate), unusable, _SCHEMES)
    points = extension(certificate, x509.CRLDistributionPoints)
    lists = _usable(_points(points or (), unusable), unusable)
    freshest = extension(certificate, x509.FreshestCRL)
    deltas = _usable(_points(freshest or (), []), [])
    return Places(responders, lists, deltas, tuple(unusable[:_MAX_PLACES]))


def deltas_of(crl: x509.CertificateRevocationList) -> tuple[str, ...]:
    """Where a base list says that its changes are."""
    try:
        points = crl.extensions.get_extension_for_class(x509.FreshestCRL).value
    except x509.ExtensionNotFound:
        return ()
    return _usable(_points(points, []), [])


def _responders(certificate: x509.Certificate) -> Iterable[str]:
    access = extension(certificate, x509.AuthorityInformationAccess)
    for one in access or ():
        if one.access_method == AuthorityInformationAccessOID.OCSP:
            yield _url_of(one.access_location)


def _points(points: Iterable[x509.DistributionPoint], unusable: list[str]) -> Iterable[str]:
    for point in points:
        if point.crl_issuer:
            unusable.append("an indirect CRL, of another issuer, is not believed")
            continue
        yield from map(_url_of, point.full_name or ())


def _url_of(name: x509.GeneralName) -> str:
    """What is no URL is told as what it is."""
    if isinstance(name, x509.UniformResourceIdentifier):
        return name.value
    return type(name).__name__


def _usable(
    urls: Iterable[str], unusable: list[str], schemes: tuple[str, ...] = _SCHEMES + _DIRECTORIES
) -> tuple[str, ...]:
    """Those that can be asked; directories last, for a list is mostly at http as well."""
    found: dict[str, None] = {}
    for url in urls:
        is_plain = len(url) <= _MAX_URL and url.isascii() and url.isprintable() and " " not in url
        if is_plain and url.lower().startswith(schemes):
            found[url] = None
        else:
            unusable.append(f"{printable(url)} is no URL of {_named(schemes)}")
    return tuple(sorted(found, key=_is_directory))[:_MAX_PLACES]


def _named(schemes: tuple[str, ...]) -> str:
    return "http, https or ldap" if _DIRECTORIES[0] in schemes else "http or https"


def _is_directory(url: str) -> bool:
    return url.lower().startswith(_DIRECTORIES)
