"""Proposals in keywords, "aes256-sha256-x25519", into templates of what is offered and accepted."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from functools import lru_cache

from ikeactors.config.keywords import KEYWORDS, PRF_OF_INTEGRITY, is_weak
from ikeactors.config.mistakes import Refused, nearest
from ikeactors.config.values import text
from ikeactors.crypto.ciphers import ESP_ONLY_ENCR, is_aead
from ikeactors.crypto.suite import supported
from ikeactors.iana import Encr, Esn, ProtocolId, TransformType
from ikeactors.wire.proposals import Proposal, Transform

_GROUPS = "x25519-ecp256-ecp384-modp3072-modp2048"

# What "default" means, best first.
IKE_DEFAULTS = (
    f"aes256gcm16-aes128gcm16-chacha20poly1305-prfsha384-prfsha256-{_GROUPS}",
    f"aes256-aes128-sha256-sha384-sha512-{_GROUPS}",
)
ESP_DEFAULTS = (
    "aes256gcm16-aes128gcm16-chacha20poly1305-esn-noesn",
    "aes256-aes128-sha256-sha384-sha512-esn-noesn",
)

AH_DEFAULTS = ("sha256-sha384-sha512-esn-noesn",)

# Configurations repeat the same few proposals in thousands of connections.
_CACHED_PROPOSALS = 256

_NO_ESN = Transform(TransformType.ESN, Esn.NO_ESN)

_COMPLAINTS = {"": "a keyword is missing", "default": '"default" stands alone'}

_NO_INTEGRITY = "no integrity algorithm: add one, sha256 for example"

_ORDER = (
    TransformType.ENCR,
    TransformType.INTEG,
    TransformType.PRF,
    TransformType.KE,
    TransformType.ESN,
)


@dataclass(frozen=True, slots=True)
class WrittenProposal:
    """The transforms of a proposal, and how it was written."""

    transforms: tuple[Transform, ...]
    text: str = field(compare=False)

    @property
    def weak(self) -> tuple[str, ...]:
        """The keywords that need `allow_weak`."""
        return tuple(
            one for one in self.text.split("-") if one in KEYWORDS and is_weak(KEYWORDS[one])
        )


def ike_proposals(value: object) -> tuple[WrittenProposal, ...]:
    """The IKE proposals one text stands for: two or so for "default", otherwise one."""
    return _of_words(text(value), IKE_DEFAULTS, _read_ike)


def esp_proposals(value: object) -> tuple[WrittenProposal, ...]:
    """The ESP proposals one text stands for: two or so for "default", otherwise one."""
    return _of_words(text(value), ESP_DEFAULTS, _read_esp)


def ah_proposals(value: object) -> tuple[WrittenProposal, ...]:
    """The AH proposals one text stands for."""
    return _of_words(text(value), AH_DEFAULTS, _read_ah)


def templates(protocol: ProtocolId, written: Iterable[WrittenProposal]) -> tuple[Proposal, ...]:
    """The proposals as the protocol wants them: numbered, without an SPI."""
    return _shared(
        tuple(
            _template(number, protocol, one.transforms)
            for number, one in enumerate(written, start=1)
        )
    )


@lru_cache(maxsize=_CACHED_PROPOSALS)
def _shared(proposals: tuple[Proposal, ...]) -> tuple[Proposal, ...]:
    """One object for equal lists: the core tells by it that two connections ask for the same."""
    return proposals


def _of_words(
    given: str, defaults: tuple[str, ...], read: Callable[[str], WrittenProposal]
) -> tuple[WrittenProposal, ...]:
    return tuple(map(read, defaults if given == "default" else (given,)))


@lru_cache(maxsize=_CACHED_PROPOSALS)
def _template(number: int, protocol: ProtocolId, transforms: tuple[Transform, ...]) -> Proposal:
    return Proposal(number, protocol, b"", transforms)


@lru_cache(maxsize=_CACHED_PROPOSALS)
def _read_ike(given: str) -> WrittenProposal:
    by_type = _transforms(given)
    _check(given, by_type, _ike_complaints(by_type))
    integrities = by_type[TransformType.INTEG]
    if not by_type[TransformType.PRF]:
        prfs = [PRF_OF_INTEGRITY[integrity.id] for integrity in integrities]
        by_type[TransformType.PRF] = [Transform(TransformType.PRF, prf) for prf in prfs]
    return _written(given, by_type)


@lru_cache(maxsize=_CACHED_PROPOSALS)
def _read_esp(given: str) -> WrittenProposal:
    by_type = _transforms(given)
    _check(given, by_type, _esp_complaints(by_type))
    if not by_type[TransformType.ESN]:
        by_type[TransformType.ESN] = [_NO_ESN]
    return _written(given, by_type)


@lru_cache(maxsize=_CACHED_PROPOSALS)
def _read_ah(given: str) -> WrittenProposal:
    by_type = _transforms(given)
    complaints = _esp_complaints(by_type)
    if by_type[TransformType.ENCR]:
        complaints.append("AH does not encrypt: remove the cipher, or use esp_proposals")
    elif not by_type[TransformType.INTEG]:
        complaints.append(_NO_INTEGRITY)
    _refuse(given, complaints)
    if not by_type[TransformType.ESN]:
        by_type[TransformType.ESN] = [_NO_ESN]
    return _written(given, by_type)


def _written(given: str, by_type: dict[TransformType, list[Transform]]) -> WrittenProposal:
    return WrittenProposal(tuple(one for kind in _ORDER for one in by_type[kind]), given)


def _transforms(given: str) -> dict[TransformType, list[Transform]]:
    by_type: dict[TransformType, list[Transform]] = {kind: [] for kind in _ORDER}
    complaints: list[tuple[object, str]] = []
    for keyword in given.split("-"):
        transform = KEYWORDS.get(keyword)
        if transform is None or not supported(transform):
            complaints.append((keyword or given, _keyword_complaint(keyword)))
        elif transform in by_type[transform.type]:
            complaints.append((given, f"{keyword} is given twice"))
        else:
            by_type[transform.type].append(transform)
    if complaints:
        raise Refused(*complaints)
    return by_type


def _keyword_complaint(keyword: str) -> str:
    if keyword in KEYWORDS:
        return "not available on this system"
    if keyword in _COMPLAINTS:
        return _COMPLAINTS[keyword]
    return f"unknown keyword{nearest(keyword, KEYWORDS)}"


def _check(
    given: str, by_type: dict[TransformType, list[Transform]], complaints: list[str]
) -> None:
    ciphers = by_type[TransformType.ENCR]
    aead = [is_aead(Encr(cipher.id)) for cipher in ciphers]
    if not ciphers:
        complaints.append("no encryption algorithm: add one, aes256gcm16 for example")
    elif any(aead) and not all(aead):
        complaints.append("AEAD ciphers and others may not be mixed: write two proposals")
    elif all(aead) and by_type[TransformType.INTEG]:
        complaints.append("an AEAD cipher takes no integrity algorithm: remove it")
    elif not any(aead) and not by_type[TransformType.INTEG]:
        complaints.append(_NO_INTEGRITY)
    _refuse(given, complaints)


def _refuse(given: str, complaints: list[str]) -> None:
    if complaints:
        raise Refused(*((given, complaint) for complaint in complaints))


def _ike_complaints(by_type: dict[TransformType, list[Transform]]) -> list[str]:
    ciphers = by_type[TransformType.ENCR]
    complaints = []
    if any(cipher.id in ESP_ONLY_ENCR for cipher in ciphers):
        complaints.append("null and gmac are for ESP only: they do not encrypt")
    if any(is_aead(Encr(one.id)) for one in ciphers) and not by_type[TransformType.PRF]:
        complaints.append("an AEAD cipher needs a PRF: add one, prfsha256 for example")
    if not by_type[TransformType.KE]:
        complaints.append("no key exchange method: add one, x25519 for example")
    if by_type[TransformType.ESN]:
        complaints.append("esn and noesn are for ESP only")
    return complaints


def _esp_complaints(by_type: dict[TransformType, list[Transform]]) -> list[str]:
    return ["a PRF is for IKE only: remove it"] if by_type[TransformType.PRF] else []
