"""PKCS #11 modules: what their tokens say of our keys, and sign. Needs the extra `pkcs11`.

A module may wait for hardware: all of this is for threads. Modules are not told of threads, so one
at a time calls a module. A session is kept; where its token has been away it is opened anew.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from threading import Lock
from typing import Any, TypeVar

import pkcs11
from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import ed448, ed25519
from cryptography.hazmat.primitives.serialization import load_der_public_key
from pkcs11 import Attribute, KeyType, ObjectClass, exceptions
from pkcs11.util import ec, rsa

from ikeactors.actors.token_mechanisms import schemes_of, sign_with
from ikeactors.actors.tokens import TokenReference, TokenRefused
from ikeactors.crypto.pki.certificates import public_key_of, read_certificate
from ikeactors.crypto.signature_schemes import SignatureScheme
from ikeactors.crypto.signatures import PublicKey, check_key, is_right
from ikeactors.errors import AuthenticationFailed

T = TypeVar("T")

# Ours: no card holds more certificates.
_MAX_CERTIFICATES = 64

# The specification's, CK_TOKEN_INFO.
_FINAL_TRY = 0x00020000
_LOCKED = 0x00040000

# The specification's: octets of a point, without what tokens may wrap it in.
_POINT_OCTETS = {"ed25519": 32, "ed448": 57}


@dataclass(frozen=True, slots=True)
class FoundKey:
    """What a token says of a key of ours, and the certificates that it holds."""

    label: str
    public: PublicKey
    schemes: tuple[SignatureScheme, ...]
    certificates: tuple[x509.Certificate, ...]


class Modules:
    """All modules, each loaded when it is first needed. `load` is given a path."""

    def __init__(self, load: Callable[[str], Any] = pkcs11.lib) -> None:
        self._load = load
        self._modules: dict[str, _Module] = {}

    def look(self, reference: TokenReference) -> FoundKey:
        """What there is of a key. Raises `TokenRefused`."""
        return self._of(reference).use(reference, _found)

    def sign(self, reference: TokenReference, scheme: SignatureScheme, octets: bytes) -> bytes:
        """The signature of a key, in DER where it is by ECDSA. Raises `TokenRefused`."""
        return self._of(reference).use(reference, lambda held: _signature(held, scheme, octets))

    def is_there(self, reference: TokenReference) -> bool:
        """Whether its token is there; nothing is said of the key, and no PIN is shown."""
        try:
            return self._of(reference).find(reference)
        except TokenRefused:
            return False

    def try_pins_again(self) -> None:
        """Someone has read the configuration again: a PIN that was wrong may be another now."""
        for one in self._modules.values():
            one.wrong_pins.clear()

    def _of(self, reference: TokenReference) -> _Module:
        return self._modules.setdefault(reference.module, _Module(self._load, reference.module))


@dataclass(frozen=True, slots=True)
class _Held:
    """A key in a session."""

    reference: TokenReference
    token: Any
    session: Any
    key: Any

    @property
    def public(self) -> PublicKey:
        """From the certificate beside it, the public key beside it, or the key itself."""
        handle = self.reference.handle
        for one in _certificates(self.session, {Attribute.ID: handle}):
            return public_key_of(one)
        template = {Attribute.CLASS: ObjectClass.PUBLIC_KEY, Attribute.ID: handle}
        beside = next(iter(self.session.get_objects(template)), None)
        known = beside or (self.key if self.key.key_type is KeyType.RSA else None)
        if known is None:
            raise TokenRefused("beside the private key there is neither certificate nor public key")
        try:
            return check_key(_public_key(known))
        except (ValueError, UnsupportedAlgorithm) as error:
            raise TokenRefused(f"its public key cannot be read: {error}") from None


class _Module:
    """One module, its sessions by their slots, and the PINs that were wrong."""

    def __init__(self, load: Callable[[str], Any], path: str) -> None:
        self._load = load
        self._path = path
        self._lock = Lock()
        self._sessions: dict[int, Any] = {}
        # A token locks itself after a few wrong PINs: none is shown twice.
        self.wrong_pins: set[tuple[bytes, str]] = set()

    def use(self, reference: TokenReference, work: Callable[[_Held], T]) -> T:
        """Work with a key; again after a failure, for its token may have been away."""
        with self._lock, _explained(reference):
            try:
                return work(self._hold(reference))
            except exceptions.PKCS11Error as error:
                if isinstance(error, _FINAL):
                    raise
                self._begin_anew()
            return work(self._hold(reference))

    def find(self, reference: TokenReference) -> bool:
        """Whether there is a token for a key."""
        with self._lock, _explained(reference):
            return bool(self._tokens(reference))

    def _hold(self, reference: TokenReference) -> _Held:
        tokens = self._tokens(reference)
        if not tokens:
            raise TokenRefused("there is no such token")
        for token in tokens:
            session = self._session(token, reference)
            template = {Attribute.CLASS: ObjectClass.PRIVATE_KEY, Attribute.ID: reference.handle}
            keys = list(session.get_objects(template))
            if keys:
                return _Held(reference, token, session, keys[0])
        labels = ", ".join(f"{one.label!r}" for one in tokens)
        logged_in = "" if reference.pin else ", or it shows only with a pin"
        raise TokenRefused(f"no private key has this handle on token {labels}{logged_in}")

    def _session(self, token: Any, reference: TokenReference) -> Any:
        slot = token.slot.slot_id
        if slot in self._sessions:
            return self._sessions[slot]
        pin, flags = reference.pin, int(token.flags)
        if pin and (token.serial, pin) in self.wrong_pins:
            raise TokenRefused("its PIN was wrong, and is not tried again before reload-creds")
        if flags & _LOCKED:
            raise TokenRefused("the token is locked: too many wrong PINs")
        if pin and flags & _FINAL_TRY:
            raise TokenRefused("one more wrong PIN would lock the token: show it the right one")
        try:
            session = self._sessions[slot] = token.open(user_pin=pin or None)
        except (exceptions.PinIncorrect, exceptions.PinLenRange, exceptions.PinInvalid):
            self.wrong_pins.add((token.serial, pin))
            raise
        return session

    def _tokens(self, reference: TokenReference) -> list[Any]:
        """Those that are meant. Some modules look for tokens only when they begin."""
        found = self._present(reference)
        if not found:
            self._begin_anew()
            found = self._present(reference)
        return found

    def _present(self, reference: TokenReference) -> list[Any]:
        slots = self._load(self._path).get_slots(token_present=True)
        if reference.slot is not None:
            slots = [one for one in slots if one.slot_id == reference.slot]
        tokens = [one.get_token() for one in slots]
        ready = [one for one in tokens if int(one.flags) & pkcs11.TokenFlag.TOKEN_INITIALIZED]
        return [one for one in ready if reference.label in ("", one.label)]

    def _begin_anew(self) -> None:
        """All sessions end with that: they are opened again when they are needed."""
        self._sessions.clear()
        self._load(self._path).reinitialize()


def _public_key(known: Any) -> object:
    """What a token has of it. Raises ValueError."""
    if known.key_type is KeyType.RSA:
        return load_der_public_key(rsa.encode_rsa_public_key(known))
    if known.key_type is KeyType.EC:
        return load_der_public_key(ec.encode_ec_public_key(known))
    point = bytes(known[Attribute.EC_POINT])
    if known.key_type is not KeyType.EC_EDWARDS:
        raise ValueError("neither RSA nor of a curve")
    if len(point) >= _POINT_OCTETS["ed448"]:
        return ed448.Ed448PublicKey.from_public_bytes(point[-_POINT_OCTETS["ed448"] :])
    return ed25519.Ed25519PublicKey.from_public_bytes(point[-_POINT_OCTETS["ed25519"] :])


def _found(held: _Held) -> FoundKey:
    public = held.public
    schemes = schemes_of(public, held.token.slot.get_mechanisms())
    certificates = tuple(_certificates(held.session, {}))
    return FoundKey(held.token.label, public, schemes, certificates)


def _signature(held: _Held, scheme: SignatureScheme, octets: bytes) -> bytes:
    mechanisms = held.token.slot.get_mechanisms()
    signature = sign_with(held.key, mechanisms, scheme, octets, held.reference.pin)
    if signature is None:
        raise TokenRefused(f"token {held.token.label!r} has no mechanism for {scheme}")
    if not is_right(held.public, scheme, signature, octets):
        raise TokenRefused(f"what token {held.token.label!r} signs does not fit its public key")
    return signature


def _certificates(session: Any, template: dict[Attribute, Any]) -> Iterator[x509.Certificate]:
    """Those on a token, which may hold others than X.509."""
    wanted = {Attribute.CLASS: ObjectClass.CERTIFICATE, **template}
    for one in list(session.get_objects(wanted))[:_MAX_CERTIFICATES]:
        try:
            yield read_certificate(bytes(one[Attribute.VALUE]))
        except (AuthenticationFailed, exceptions.AttributeTypeInvalid):
            continue


@contextmanager
def _explained(reference: TokenReference) -> Iterator[None]:
    """Whatever a module says names its key then."""
    try:
        yield
    except (TokenRefused, AuthenticationFailed) as refused:
        raise TokenRefused(f"{reference}: {refused}") from None
    except exceptions.PKCS11Error as error:
        name = type(error).__name__
        told = _TEXTS.get(name) or " ".join(filter(None, (name, str(error))))
        raise TokenRefused(f"{reference}: {told}") from None


# To try again would make it worse, or change nothing.
_FINAL = (
    exceptions.PinIncorrect,
    exceptions.PinLocked,
    exceptions.PinExpired,
    exceptions.PinInvalid,
    exceptions.PinLenRange,
    exceptions.MechanismInvalid,
    exceptions.MechanismParamInvalid,
)

_TEXTS = {
    "PinIncorrect": "the PIN is wrong",
    "PinInvalid": "the PIN is wrong",
    "PinLenRange": "the PIN is wrong: a PIN of the token has another length",
    "PinLocked": "the token is locked: too many wrong PINs",
    "PinExpired": "the PIN has expired",
    "UserPinNotInitialized": "the token has no PIN yet: it is to be initialized",
    "UserNotLoggedIn": "the key is to be had only with a pin",
    "DeviceRemoved": "the token has been removed",
    "TokenNotPresent": "the token is not there",
    "TokenNotRecognised": "the token is not one that the module knows",
    "MechanismInvalid": "the token does not have the mechanism",
    "KeyFunctionNotPermitted": "the key must not sign (CKA_SIGN)",
    "DeviceError": "the device fails",
}

# A module is there once in a process, however often the configuration is read.
MODULES = Modules()
