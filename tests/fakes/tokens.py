"""A PKCS #11 library in the process, as python-pkcs11 shows one: it can be unplugged and locked."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from typing import Any

from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import Prehashed, decode_dss_signature
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from pkcs11 import Attribute, KeyType, Mechanism, ObjectClass, TokenFlag, exceptions

PIN = "1357"
HANDLE = b"\x01"


@dataclass
class FakeToken:
    """A token with one ECDSA key; `plugged` and `wrong_pins` are what happens to it."""

    label: str = "gw"
    serial: bytes = b"77"
    plugged: bool = True
    mechanisms: set[Mechanism] = field(default_factory=lambda: {Mechanism.ECDSA})
    key: ec.EllipticCurvePrivateKey = field(
        default_factory=lambda: ec.generate_private_key(ec.SECP256R1())
    )
    extra_flags: int = 0
    wrong_pins: int = 0
    logins: int = 0
    lies: bool = False
    slot: FakeSlot = field(init=False)

    def __post_init__(self) -> None:
        self.slot = FakeSlot(self)

    @property
    def flags(self) -> int:
        return TokenFlag.TOKEN_INITIALIZED | self.extra_flags

    def open(self, user_pin: str | None) -> FakeSession:
        if user_pin is not None and user_pin != PIN:
            self.wrong_pins += 1
            raise exceptions.PinIncorrect
        self.logins += 1
        return FakeSession(self, user_pin is not None)


@dataclass
class FakeSlot:
    token: FakeToken
    slot_id: int = 5

    def get_token(self) -> FakeToken:
        return self.token

    def get_mechanisms(self) -> set[Mechanism]:
        return self.token.mechanisms


@dataclass
class FakeSession:
    """Good until its token is unplugged."""

    token: FakeToken
    logged_in: bool
    stale: bool = False

    def get_objects(self, template: dict[Attribute, Any]) -> list[FakeObject]:
        self.stale = self.stale or not self.token.plugged
        if self.stale:
            raise exceptions.DeviceRemoved
        if template.get(Attribute.ID, HANDLE) != HANDLE:
            return []
        kind = template[Attribute.CLASS]
        hidden = kind is ObjectClass.PRIVATE_KEY and not self.logged_in
        return [] if hidden or kind is ObjectClass.CERTIFICATE else [FakeObject(self.token)]


@dataclass
class FakeObject:
    token: FakeToken
    key_type: KeyType = KeyType.EC

    def __getitem__(self, attribute: Attribute) -> bytes:
        public = self.token.key.public_key()
        if attribute is Attribute.EC_PARAMS:
            return bytes.fromhex("06082a8648ce3d030107")
        if attribute is Attribute.EC_POINT:
            point = public.public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)
            return bytes((4, len(point))) + point
        raise exceptions.AttributeTypeInvalid

    def sign(self, data: bytes, mechanism: Mechanism, mechanism_param: object) -> bytes:
        if self.token.lies:
            data = hashlib.sha256(data).digest()
        made = self.token.key.sign(data, ec.ECDSA(Prehashed(SHA256())))
        r, s = decode_dss_signature(made)
        return r.to_bytes(32, "big") + s.to_bytes(32, "big")


@dataclass
class FakeLibrary:
    """What `load` of the modules gives."""

    tokens: list[FakeToken]
    begun: int = 1

    def get_slots(self, token_present: bool) -> list[FakeSlot]:
        return [one.slot for one in self.tokens if one.plugged]

    def reinitialize(self) -> None:
        self.begun += 1
