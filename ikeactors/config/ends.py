"""One end of a connection: from its section and the files it names."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from operator import itemgetter
from pathlib import Path
from typing import Any, TypeVar

from cryptography.hazmat.primitives.serialization import Encoding

from ikeactors.config.certificates import certificates_in, public_key_in
from ikeactors.config.identities import ANYBODY, matching_by
from ikeactors.config.mistakes import Mistakes, Place, Refused
from ikeactors.config.schema import Options, Section, read_section
from ikeactors.crypto.pki.bindings import identity_from
from ikeactors.crypto.pki.certificates import read_certificate
from ikeactors.crypto.pki.policies import PolicyDemand
from ikeactors.protocol.name_patterns import RdnMatching
from ikeactors.protocol.settings import AuthSettings, ChildSettings, IdentityPattern

T = TypeVar("T")

_OF_KEYS = ("certs", "cacerts", "pubkeys", "cert_policy", "ipseckey")


def read_end(
    end: str,
    known: Options,
    tables: Mapping[str, object],
    place: Place,
    directory: Path,
    mistakes: Mistakes,
) -> tuple[int, AuthSettings]:
    """The settings of a section [connections.NAME.local] or remote, and which round it is."""
    section = read_section(tables.get(end, {}), place.of(end), known, mistakes)
    return section["round"], _end(end, section, directory, mistakes)


def in_rounds(ends: list[tuple[int, AuthSettings]]) -> list[AuthSettings]:
    """By their rounds; those of the same stay in the order of the file."""
    return [auth for _, auth in sorted(ends, key=itemgetter(0))]


def _end(end: str, section: Section, directory: Path, mistakes: Mistakes) -> AuthSettings:
    method, who = section["auth"], _id(section, mistakes)
    if method.name != "pubkey":
        _check_keyless(section, mistakes)
        return AuthSettings(method.name, who, **_of_names(section))
    certificates = _ders(section, "certs", directory / "x509", mistakes)
    return AuthSettings(
        "pubkey",
        _who(end, who, certificates),
        method.constraint,
        certificates,
        _ders(section, "cacerts", directory / "x509ca", mistakes),
        tuple(_read(section, "pubkeys", directory / "pubkey", public_key_in, mistakes)),
        cert_uri_base=section.values.get("cert_uri_base", ""),
        cert_uri_bundle=section.values.get("cert_uri_bundle", False),
        **_of_the_peer(section),
    )


def _id(section: Section, mistakes: Mistakes) -> IdentityPattern:
    given: IdentityPattern = section["id"]
    try:
        return matching_by(given, section.values.get("rdn_matching", RdnMatching.STRICT))
    except Refused as refused:
        mistakes.refuse(section.place.of("rdn_matching"), refused)
        return given


def _check_keyless(section: Section, mistakes: Mistakes) -> None:
    for option in _OF_KEYS:
        if section.values.get(option):
            mistakes.add(section.place.of(option), 'it needs auth = "pubkey"')
    if section["auth"].name == "null" and "eku" in section.values and section["id"] != ANYBODY:
        mistakes.add(section.place.of("id"), 'nothing proves it with auth = "null": leave it out')


def check_unproven(
    local: AuthSettings,
    remote: AuthSettings,
    children: Sequence[ChildSettings],
    place: Place,
    mistakes: Mistakes,
) -> None:
    """What a connection of an end that does not authenticate must not be (RFC 7619 section 2.5)."""
    for end, one, other in (("local", local, remote), ("remote", remote, local)):
        if one.is_null and other.auth == "psk":
            text = 'the other end has auth = "null": who shares a key with it can prove that, too'
            mistakes.add(place.of("remote" if end == "local" else "local", "auth"), text)
    if not remote.is_null:
        return
    for child in children:
        if any(one.selector is not None for one in child.remote_ts):
            text = "anybody can take these addresses, for the peer proves nothing: write dynamic"
            mistakes.warn(place.of("children", child.name, "remote_ts"), text)


def _of_the_peer(section: Section) -> dict[str, Any]:
    if "eku" not in section.values:
        return {}
    return {
        "usage": section["eku"],
        "policies": PolicyDemand(section["cert_policy"], bool(section["cert_policy"])),
        **_of_names(section),
        **section.only(
            "match_address",
            "revocation",
            "revocation_recheck",
            "address_blocks",
            "cert_urls",
            "address_binding",
        ),
    }


def _of_names(section: Section) -> dict[str, Any]:
    if "dnssec" not in section.values:
        return {}
    return section.only("dnssec", "ipseckey")


def _who(end: str, given: IdentityPattern, certificates: tuple[bytes, ...]) -> IdentityPattern:
    """Without a word the subject of the certificate, as in swanctl.conf.

    Where the subject is said, it is in the certificate's own octets (RFC 4945 section 3.1.5).
    """
    if not certificates or end.startswith("remote"):
        return given
    subject = IdentityPattern(identity_from(read_certificate(certificates[0])))
    # A peer may compare octet for octet, so the kinds of strings are the certificate's.
    return subject if given == ANYBODY or given.owner == subject.owner else given


def _ders(section: Section, option: str, directory: Path, mistakes: Mistakes) -> tuple[bytes, ...]:
    if option not in section.values:
        return ()
    found = _read(section, option, directory, certificates_in, mistakes)
    # What follows in a file are those above it.
    return tuple(one[0].public_bytes(Encoding.DER) for one in found)


def _read(
    section: Section,
    option: str,
    directory: Path,
    read: Callable[[Path], T],
    mistakes: Mistakes,
) -> Iterator[T]:
    for name in section[option]:
        try:
            yield read(directory / name)
        except Refused as refused:
            mistakes.refuse(section.place.of(option), refused)
