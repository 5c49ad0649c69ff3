"""Key exchange groups: what is offered, what the peer asks for instead, and our half of it."""

from __future__ import annotations

import struct
from functools import lru_cache

from ikeactors.crypto.key_exchange import PrivateKey, key_exchange_for
from ikeactors.crypto.suite import supported
from ikeactors.errors import InvalidKePayload, InvalidKeyExchange, InvalidSyntax
from ikeactors.iana import KeyExchangeMethod, PayloadType, TransformType
from ikeactors.protocol.entropy import Entropy
from ikeactors.wire.header import HEADER_LENGTH
from ikeactors.wire.message import find, only
from ikeactors.wire.payload import KeyExchange, Payload, SecurityAssociation
from ikeactors.wire.proposals import Proposal, Transform

# Ours: groups we try before we give up, so that no peer can send us round in circles.
MAX_GROUPS = 3
# Ours: more than there are. Peers may name 65536.
_REMEMBERED_GROUPS = 64

# The head of a payload (next payload, length) and, in KE, the group; next payload in the header.
_KE_HEAD = struct.Struct("!BxHH")
_NEXT_PAYLOAD_AT = 16


def offered_groups(offer: tuple[Proposal, ...]) -> list[KeyExchangeMethod]:
    """The groups of an offer, in the order of preference; NONE is no group."""
    return [
        KeyExchangeMethod(transform.id)
        for proposal in offer
        for transform in proposal.of_type(TransformType.KE)
        if transform.id
    ]


class GroupChoice:
    """The group of our KE payload, which the peer may correct (RFC 7296 section 1.3)."""

    __slots__ = ("method", "tried")

    def __init__(self, method: KeyExchangeMethod) -> None:
        self.method = method
        self.tried = {method}

    def corrected(self, data: bytes, offer: tuple[Proposal, ...]) -> bool:
        """Take the group that INVALID_KE_PAYLOAD asks for: one we offered and have not tried."""
        method = KeyExchangeMethod(int.from_bytes(data, "big")) if len(data) == 2 else None
        if method is None or method in self.tried or len(self.tried) > MAX_GROUPS:
            return False
        if method not in offered_groups(offer):
            return False
        self.method = method
        self.tried.add(method)
        return True


class Half:
    """Our half of a key exchange, and the octets it is made of: a restart makes it again."""

    __slots__ = ("_private", "method", "public", "seed")

    def __init__(self, method: KeyExchangeMethod, seed: bytes) -> None:
        self._private: PrivateKey = key_exchange_for(method).generate(seed)
        self.public = self._private.public
        self.method = method
        self.seed = seed

    def exchange(self, peer_public: bytes) -> bytes:
        """The shared secret, or `InvalidKeyExchange`."""
        return self._private.exchange(peer_public)


def shared_secret(
    payloads: tuple[Payload, ...], half: PrivateKey | None, group: GroupChoice | None
) -> bytes:
    """What an answer to our KE payload gives; nothing where the chosen suite has no group."""
    exchanged = find(payloads, KeyExchange)
    choice = only(payloads, SecurityAssociation).proposals[0]
    groups = [one.id for one in choice.of_type(TransformType.KE) if one.id]
    if not groups:
        if exchanged is not None:
            raise InvalidSyntax("a KE payload where no group was chosen")
        return b""
    if exchanged is None or half is None or group is None:
        raise InvalidSyntax("the responder chose a group, and there is no KE payload of it")
    if not exchanged.method == group.method == groups[0]:
        raise InvalidSyntax("the responder's KE payload is of another group than ours")
    return half.exchange(exchanged.data)


def private_key(entropy: Entropy, method: KeyExchangeMethod) -> Half:
    """A fresh private key of a group; never used twice."""
    return Half(method, entropy.octets(key_exchange_for(method).secret_octets))


@lru_cache(maxsize=_REMEMBERED_GROUPS)
def is_slow(method: KeyExchangeMethod) -> bool:
    """Whether an exchange in this group is worth a worker."""
    if method is KeyExchangeMethod.NONE or not supported(Transform(TransformType.KE, method)):
        return False
    return key_exchange_for(method).is_slow


def group_of(octets: bytes) -> KeyExchangeMethod:
    """The group of the KE payload of a message in clear; NONE where it has none.

    No more than a look: the message is read, with all that may be wrong in it, by its step.
    """
    if len(octets) < HEADER_LENGTH:
        return KeyExchangeMethod.NONE
    at, kind = HEADER_LENGTH, octets[_NEXT_PAYLOAD_AT]
    while kind and at + _KE_HEAD.size <= len(octets):
        following, length, group = _KE_HEAD.unpack_from(octets, at)
        if kind == PayloadType.KE:
            return KeyExchangeMethod(group)
        at, kind = at + max(length, 1), following
    return KeyExchangeMethod.NONE


def answer_exchange(
    entropy: Entropy, method: KeyExchangeMethod, theirs: KeyExchange | None
) -> tuple[tuple[KeyExchange, ...], bytes]:
    """A responder's KE payload for the chosen group, and the shared secret; neither without one.

    Raises InvalidKePayload where the peer's is of another group, InvalidSyntax where it is no
    public value (RFC 7296 section 1.3).
    """
    if method == KeyExchangeMethod.NONE:
        return (), b""
    if theirs is None or theirs.method != method:
        raise InvalidKePayload(f"{method.name} is wanted", method.to_bytes(2, "big"))
    private = private_key(entropy, method)
    try:
        shared = private.exchange(theirs.data)
    except InvalidKeyExchange as fault:
        raise InvalidSyntax(f"the KE payload is invalid: {fault}") from None
    return (KeyExchange(method, private.public),), shared
