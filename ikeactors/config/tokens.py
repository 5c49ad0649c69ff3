"""Our keys that are on PKCS #11 tokens: where the configuration says they are, and what is there.

A token that is not there is no mistake of the configuration: the daemon starts without its key, and
takes it up when it has come.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from cryptography import x509

from ikeactors.actors.tokens import TokenReference, TokenRefused, TokenSettings
from ikeactors.config.mistakes import Mistakes, Place, Refused
from ikeactors.config.schema import Section
from ikeactors.config.sources import Unreadable, read_file
from ikeactors.crypto.token_keys import TokenKey

# The specification's (systemd.exec, LoadCredential=); only the service can read what is there.
_CREDENTIALS = "$CREDENTIALS_DIRECTORY"

_OF_SECRETS = ("secret", "secret_file", "file", "id", "ids")


@dataclass(frozen=True, slots=True)
class LoadedTokens:
    """What is on tokens; `missing` says of each key that is not why."""

    keys: tuple[TokenKey, ...] = ()
    certificates: tuple[x509.Certificate, ...] = ()
    missing: tuple[str, ...] = ()
    found: tuple[str, ...] = ()
    settings: TokenSettings | None = field(default=None, repr=False)


def read_token(name: str, section: Section, mistakes: Mistakes) -> TokenReference | None:
    """Where a key is, by its section; None and its mistakes."""
    place, before = section.place, len(mistakes.found)
    for option in _OF_SECRETS:
        if option in section.written:
            mistakes.add(place.of(option), 'not with type = "token": write module, handle and pin')
    for option in ("module", "handle"):
        if section[option] is None and section.is_sound(option):
            mistakes.add(place.of(option), "missing: a key on a token is found by it")
    pin = _pin(section, mistakes)
    if len(mistakes.found) > before or section.faulty:
        return None
    label = section["token_label"] or ""
    return TokenReference(name, section["module"], section["handle"], section["slot"], label, pin)


def load_tokens(references: Sequence[TokenReference], mistakes: Mistakes) -> LoadedTokens:
    """What is on the tokens. Waits for them."""
    if not references:
        return LoadedTokens()
    try:
        from ikeactors.actors.token_modules import MODULES
    except ImportError:
        path = Path(references[0].module)
        mistakes.add_file(path, 'a token needs python-pkcs11: the extra "pkcs11" of ikeactors')
        return LoadedTokens()
    MODULES.try_pins_again()
    keys: list[TokenKey] = []
    certificates: list[x509.Certificate] = []
    found: list[str] = []
    missing: list[str] = []
    lacking: list[TokenReference] = []
    for reference in references:
        try:
            one = MODULES.look(reference)
        except TokenRefused as refused:
            missing.append(str(refused))
            lacking.append(reference)
            mistakes.warn_file(Path(reference.module), str(refused))
            continue
        keys.append(TokenKey(reference.name, one.public, one.schemes))
        certificates += one.certificates
        found.append(_told(reference, one.label, keys[-1], len(one.certificates)))
    settings = TokenSettings(MODULES, tuple(references), tuple(lacking))
    unique = tuple(dict.fromkeys(certificates))
    return LoadedTokens(tuple(keys), unique, tuple(missing), tuple(found), settings)


def _told(reference: TokenReference, label: str, key: TokenKey, certificates: int) -> str:
    ways = ", ".join(map(str, key.schemes)) or "nothing that IKE has"
    count = f"{certificates} certificate{'' if certificates == 1 else 's'}"
    return f"{reference} is on token {label!r}, which has {count}; it can sign by {ways}"


def _pin(section: Section, mistakes: Mistakes) -> str:
    """The PIN; empty where there is none, or a mistake about it."""
    pin, file, place = section["pin"], section["pin_file"], section.place
    exposure = place.source.exposure
    if pin is not None and file is not None:
        mistakes.add(place.of("pin_file"), "write pin or pin_file, not both")
    elif pin is not None and exposure:
        mistakes.add(place.of("pin"), f"the file holds a secret, but {exposure}")
    elif file is not None:
        try:
            return _pin_in(file, place)
        except Refused as refused:
            mistakes.refuse(place.of("pin_file"), refused)
    return pin or ""


def _pin_in(file: str, place: Place) -> str:
    is_loaded = file.startswith(f"{_CREDENTIALS}/")
    if is_loaded:
        folder = os.environ.get(_CREDENTIALS[1:])
        if not folder:
            raise Refused((file, "systemd has loaded no credentials: see LoadCredential="))
        file = file.replace(_CREDENTIALS, folder, 1)
    path = place.source.path.parent / file
    try:
        octets, exposure = read_file(path)
        pin = octets.removesuffix(b"\n").decode()
    except Unreadable as unreadable:
        raise Refused((str(path), str(unreadable))) from None
    except UnicodeDecodeError:
        raise Refused((str(path), "a PIN in UTF-8 expected")) from None
    # systemd's files have rights by an ACL, which shows as a group's: their folder is closed.
    if exposure.of_readers and not is_loaded:
        raise Refused((str(path), exposure.of_readers))
    if not pin:
        raise Refused((str(path), "the PIN is empty"))
    return pin
