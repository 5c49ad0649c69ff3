"""Suites: the algorithms two ends have agreed on, made from the chosen proposal.

A suite that exists names only algorithms that are here.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import lru_cache
from typing import TYPE_CHECKING, TypeVar

from ikeactors import iana
from ikeactors.crypto.ciphers import ESP_ONLY_ENCR, Cipher, cipher_for, supports_encr
from ikeactors.crypto.integrity import integrity_for
from ikeactors.crypto.key_exchange import key_exchange_for
from ikeactors.crypto.prf import Prf, prf_for
from ikeactors.errors import NoProposalChosen, UnsupportedAlgorithm
from ikeactors.iana import Encr, Esn, Integ, KeyExchangeMethod, ProtocolId, TransformType

if TYPE_CHECKING:
    from ikeactors.wire.proposals import Proposal, Transform

Number = TypeVar("Number", bound=iana.Registry)


@dataclass(frozen=True, slots=True)
class IkeSuite:
    """What protects an IKE SA (RFC 7296 section 3.3.3)."""

    encr: Encr
    key_length: int | None
    integ: Integ
    prf: iana.Prf
    ke: KeyExchangeMethod
    cipher: Cipher = field(init=False, repr=False, compare=False)
    prf_function: Prf = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        if self.encr in ESP_ONLY_ENCR:
            raise UnsupportedAlgorithm(f"{self.encr.name} cannot protect an IKE SA")
        key_exchange_for(self.ke)
        cipher = cipher_for(self.encr, self.key_length, self.integ)
        object.__setattr__(self, "cipher", cipher)
        object.__setattr__(self, "prf_function", prf_for(self.prf))

    @classmethod
    def from_proposal(cls, proposal: Proposal) -> IkeSuite:
        """The suite of a chosen proposal, or `NoProposalChosen`."""
        return _ike_suite(proposal.protocol, proposal.transforms)

    def __str__(self) -> str:
        return f"{self.cipher.name}/PRF_{self.prf.name}/{_ke_name(self.ke)}"


@dataclass(frozen=True, slots=True)
class ChildSuite:
    """What protects a Child SA; `ke` is NONE where its keys come without a new exchange."""

    protocol: ProtocolId
    encr: Encr
    key_length: int | None
    integ: Integ
    ke: KeyExchangeMethod
    esn: bool
    cipher: Cipher = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        if self.protocol not in CHILD_PROTOCOLS:
            raise UnsupportedAlgorithm(f"{self.protocol.name} protects no Child SA")
        cipher = cipher_for(self.encr, self.key_length, self.integ)
        object.__setattr__(self, "cipher", cipher)
        if self.ke != KeyExchangeMethod.NONE:
            key_exchange_for(self.ke)

    @property
    def encr_key_octets(self) -> int:
        return self.cipher.encr_key_octets

    @property
    def integ_key_octets(self) -> int:
        return self.cipher.integ_key_octets

    @property
    def icv_octets(self) -> int:
        return self.cipher.icv_octets

    @classmethod
    def from_proposal(cls, proposal: Proposal) -> ChildSuite:
        """The suite of a chosen proposal, or `NoProposalChosen`; AH has the cipher NULL."""
        return _child_suite(proposal.protocol, proposal.transforms)

    def __str__(self) -> str:
        name = self.integ.name if self.protocol == ProtocolId.AH else self.cipher.name
        ke = "" if self.ke == KeyExchangeMethod.NONE else f"/{_ke_name(self.ke)}"
        return f"{self.protocol.name}:{name}{ke}/{'ESN' if self.esn else 'NO_ESN'}"


def supported(transform: Transform) -> bool:
    """Whether this build can do a transform, by its number, key length and attributes."""
    check = _SUPPORTED.get(transform.type)
    return check is not None and not transform.attributes and check(transform)


# A router has a handful of suites and thousands of SAs: equal suites are one object.
@lru_cache(maxsize=256)
def _ike_suite(protocol: ProtocolId, transforms: tuple[Transform, ...]) -> IkeSuite:
    chosen = _by_type(protocol, transforms, frozenset({ProtocolId.IKE}))
    encr = _required(chosen, TransformType.ENCR)
    try:
        return _one_ike_suite(
            Encr(encr.id),
            encr.key_length,
            Integ(_id(chosen, TransformType.INTEG)),
            iana.Prf(_required(chosen, TransformType.PRF).id),
            KeyExchangeMethod(_required(chosen, TransformType.KE).id),
        )
    except UnsupportedAlgorithm as fault:
        raise NoProposalChosen(str(fault)) from None


@lru_cache(maxsize=256)
def _child_suite(protocol: ProtocolId, transforms: tuple[Transform, ...]) -> ChildSuite:
    chosen = _by_type(protocol, transforms, CHILD_PROTOCOLS)
    is_ah = protocol == ProtocolId.AH
    encr = None if is_ah else _required(chosen, TransformType.ENCR)
    try:
        return _one_child_suite(
            protocol,
            Encr.NULL if encr is None else Encr(encr.id),
            None if encr is None else encr.key_length,
            Integ(_id(chosen, TransformType.INTEG)),
            KeyExchangeMethod(_id(chosen, TransformType.KE)),
            _id(chosen, TransformType.ESN) == Esn.ESN,
        )
    except UnsupportedAlgorithm as fault:
        raise NoProposalChosen(str(fault)) from None


def _by_type(
    protocol: ProtocolId, transforms: tuple[Transform, ...], protocols: frozenset[ProtocolId]
) -> dict[TransformType, Transform]:
    """A chosen proposal's transforms: one of a type, and only types its protocol has."""
    if protocol not in protocols:
        raise NoProposalChosen(f"a proposal of {protocol.name} in the wrong place")
    allowed = _TYPES[protocol]
    chosen: dict[TransformType, Transform] = {}
    for transform in transforms:
        if transform.type in chosen:
            raise NoProposalChosen(f"{transform.type.name} chosen twice")
        if transform.type not in allowed or not supported(transform):
            raise NoProposalChosen(f"a transform of type {transform.type.name} is not ours")
        chosen[transform.type] = transform
    return chosen


def _required(chosen: dict[TransformType, Transform], type_: TransformType) -> Transform:
    transform = chosen.get(type_)
    if transform is None:
        raise NoProposalChosen(f"no {type_.name} chosen")
    return transform


def _id(chosen: dict[TransformType, Transform], type_: TransformType) -> int:
    """The number chosen; a type that is absent is NONE, and NO_ESN, which are all 0."""
    transform = chosen.get(type_)
    return 0 if transform is None else int(transform.id)


def _ke_name(ke: KeyExchangeMethod) -> str:
    return ke.name.replace("CURVE", "CURVE_")


def _supports_encr(transform: Transform) -> bool:
    return supports_encr(Encr(transform.id), transform.key_length)


def _supports_prf(transform: Transform) -> bool:
    return transform.key_length is None and _exists(prf_for, iana.Prf(transform.id))


def _supports_integ(transform: Transform) -> bool:
    if transform.key_length is not None:
        return False
    return transform.id == Integ.NONE or _exists(integrity_for, Integ(transform.id))


def _supports_ke(transform: Transform) -> bool:
    if transform.key_length is not None:
        return False
    method = KeyExchangeMethod(transform.id)
    return method == KeyExchangeMethod.NONE or _exists(key_exchange_for, method)


def _supports_esn(transform: Transform) -> bool:
    return transform.key_length is None and transform.id in (Esn.NO_ESN, Esn.ESN)


def _exists(look_up: Callable[[Number], object], number: Number) -> bool:
    try:
        look_up(number)
    except UnsupportedAlgorithm:
        return False
    return True


# Transforms may come in another order.
_one_ike_suite = lru_cache(maxsize=256)(IkeSuite)
_one_child_suite = lru_cache(maxsize=256)(ChildSuite)

CHILD_PROTOCOLS = frozenset({ProtocolId.ESP, ProtocolId.AH})

_TYPES = {
    ProtocolId.IKE: frozenset(
        {TransformType.ENCR, TransformType.PRF, TransformType.INTEG, TransformType.KE}
    ),
    ProtocolId.ESP: frozenset(
        {TransformType.ENCR, TransformType.INTEG, TransformType.KE, TransformType.ESN}
    ),
    ProtocolId.AH: frozenset({TransformType.INTEG, TransformType.KE, TransformType.ESN}),
}

_SUPPORTED: dict[TransformType, Callable[[Transform], bool]] = {
    TransformType.ENCR: _supports_encr,
    TransformType.PRF: _supports_prf,
    TransformType.INTEG: _supports_integ,
    TransformType.KE: _supports_ke,
    TransformType.ESN: _supports_esn,
}
