"""The secrets, and whether a connection has one. Their octets leave here in `Secret` alone."""

from __future__ import annotations

import base64
import binascii
from pathlib import Path

from ikeactors.actors.tokens import TokenReference
from ikeactors.config.daemon_options import SECRET
from ikeactors.config.identities import may_be
from ikeactors.config.mistakes import Mistakes, Place, Refused
from ikeactors.config.schema import Section, read_section
from ikeactors.config.sources import Unreadable, read_file
from ikeactors.config.token_options import TOKEN
from ikeactors.config.tokens import read_token
from ikeactors.iana import IdType
from ikeactors.protocol.settings import IdentityPattern, Secret
from ikeactors.wire.identities import Identity

# 128 bits, if they are random (RFC 7296 section 2.15 asks for no less than the strongest key).
WEAK_OCTETS = 16

# 128 bits against a quantum computer (RFC 8784 section 6).
STRONG_OCTETS = 32

_CASELESS = frozenset({IdType.FQDN, IdType.RFC822_ADDR})


def read_secret(
    name: str, table: object, place: Place, mistakes: Mistakes
) -> Secret | TokenReference | None:
    """The secret of a section, or the key on a token, or None and its mistakes."""
    section = read_section(table, place, SECRET, mistakes)
    if section["type"] == "token":
        return read_token(name, section, mistakes)
    for option in sorted(section.written & {one.name for one in TOKEN}):
        mistakes.add(place.of(option), 'it needs type = "token"')
    if {"id", "ids"} <= section.written:
        mistakes.add(place, "write id or ids, not both")
    try:
        octets = _octets(section)
    except Refused as refused:
        mistakes.refuse(place.of(_written_as(section)), refused)
        return None
    if octets is None:
        return None
    if len(octets) < WEAK_OCTETS and section["file"] is None:
        mistakes.warn(place, f"a key of {len(octets)} octets can be guessed: take {WEAK_OCTETS}")
    if section["file"] is not None:
        return Secret(name, (), octets, section["file"])
    owners = section["ids"] or section["id"] or ()
    is_ppk = section["type"] == "ppk"
    if is_ppk and (not owners or any(one.identity is None for one in owners)):
        mistakes.add(place, "a ppk is called by its ids: write them, without asterisks")
    if is_ppk and len(octets) < STRONG_OCTETS:
        text = f"a post-quantum key of {len(octets)} octets: take {STRONG_OCTETS} (RFC 8784)"
        mistakes.warn(place, text)
    return Secret(name, owners, octets, is_ppk=is_ppk)


def read_keys(daemon: Section, mistakes: Mistakes) -> dict[str, bytes]:
    """The daemon's own keys, by what they are called in the configuration."""
    return {name: _key_of(daemon, f"{name}_file", mistakes) for name in ("record_key", "store_key")}


def _key_of(daemon: Section, name: str, mistakes: Mistakes) -> bytes:
    """The key in the file of this option; empty where there is none, or a mistake about it."""
    file = daemon[name]
    if not file:
        return b""
    try:
        key = octets_of_file(daemon.place.source.path.parent / file)
        if len(key) < WEAK_OCTETS:
            raise Refused((file, f"a key of {len(key)} octets: at least {WEAK_OCTETS} expected"))
    except Refused as refused:
        mistakes.refuse(daemon.place.of(name), refused)
        return b""
    return key


class KnownSecrets:
    """All secrets by their owners, so that each connection's check costs the same."""

    def __init__(self) -> None:
        self._exact: dict[tuple[IdType, bytes], IdentityPattern] = {}
        self._patterns: list[IdentityPattern] = []
        self._names: dict[frozenset[IdentityPattern], str] = {}
        self.ppks: dict[bytes, str] = {}

    def add(self, secret: Secret) -> str:
        """One more; the name of one that has the same owners already, or nothing."""
        if secret.is_ppk:
            return self._add_ppk(secret)
        for owner in secret.owners or (IdentityPattern(),):
            if owner.identity is not None:
                self._exact[_key(owner.identity)] = owner
            else:
                self._patterns.append(owner)
        before = self._names.setdefault(frozenset(secret.owners), secret.name)
        return "" if before == secret.name else before

    def _add_ppk(self, secret: Secret) -> str:
        named = [one.identity.data for one in secret.owners if one.identity is not None]
        before = [self.ppks.setdefault(one, secret.name) for one in named]
        return next((one for one in before if one != secret.name), "")

    def serve(self, peer: IdentityPattern) -> bool:
        """Whether there is one for a peer who is this."""
        if any(may_be(pattern, peer) for pattern in self._patterns):
            return True
        if peer.identity is not None:
            return _key(peer.identity) in self._exact
        return any(may_be(owner, peer) for owner in self._exact.values())


def _key(identity: Identity) -> tuple[IdType, bytes]:
    data = identity.data.lower() if identity.type in _CASELESS else identity.data
    return identity.type, data


def _written_as(section: Section) -> str:
    return "secret_file" if "secret_file" in section.written else "secret"


def _octets(section: Section) -> bytes | None:
    """The secret's octets; None when a mistake about it is known already."""
    if not section.is_sound("secret", "secret_file"):
        return None
    written, file = section["secret"], section["secret_file"]
    if written is not None and file is not None:
        raise Refused((None, "write secret or secret_file, not both"))
    if file == "":
        raise Refused((file, "the name of a file expected"))
    if file is not None and section.place.source.tampering:
        raise Refused((None, f"the file names a secret, but {section.place.source.tampering}"))
    if file is not None:
        return octets_of_file(section.place.source.path.parent / file)
    if written is None:
        raise Refused((None, "missing: write secret or secret_file"))
    if section.place.source.exposure:
        exposure = section.place.source.exposure
        raise Refused((None, f"the file holds a secret, but {exposure}"))
    return _not_empty(_decoded(written))


def octets_of_file(path: Path) -> bytes:
    """What a file holds that is closed to others, without the end of its last line."""
    try:
        octets, exposure = read_file(path)
    except Unreadable as unreadable:
        raise Refused((str(path), str(unreadable))) from None
    if exposure.of_readers:
        raise Refused((str(path), exposure.of_readers))
    return _not_empty(octets.removesuffix(b"\n"))


def _not_empty(octets: bytes) -> bytes:
    if not octets:
        raise Refused((None, "the secret is empty"))
    return octets


def _decoded(written: str) -> bytes:
    try:
        if written[:2] in ("0x", "0X"):
            return bytes.fromhex(written[2:])
        if written[:2] in ("0s", "0S"):
            return base64.b64decode(written[2:], validate=True)
    except binascii.Error:
        raise Refused((None, "base64 expected after 0s")) from None
    except ValueError:
        raise Refused((None, "an even number of hexadecimal digits expected after 0x")) from None
    return written.encode("utf-8")
