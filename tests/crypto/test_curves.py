"""Elliptic curves against published exchanges, and the points that are refused."""

from __future__ import annotations

import pytest

from ikeactors.crypto.curves import CURVES, Ecp, EcpKey, Montgomery
from ikeactors.errors import InvalidKeyExchange
from ikeactors.iana import KeyExchangeMethod
from tests.crypto.published import named_vectors

BY_ID = {curve.id: curve for curve in CURVES}
ECPS = [curve for curve in CURVES if isinstance(curve, Ecp)]

# u coordinates of small order on Curve25519, little-endian (RFC 7748 section 7 warns of them).
LOW_ORDER_25519 = [
    0,
    1,
    325606250916557431795983626356110631294008115727848805560023387167927233504,
    39382357235489614581723060781553021112529911719440698176882885853963445705823,
    2**255 - 20,
    2**255 - 19,
    2**255 - 18,
]
LOW_ORDER_448 = [0, 1, 2**448 - 2**224 - 2, 2**448 - 2**224 - 1, 2**448 - 2**224]


def ecp_key(curve: Ecp, secret: bytes) -> EcpKey:
    """The key of a published secret: the seed that `generate` reduces to it."""
    seed = int.from_bytes(secret, "big") - 1
    return curve.generate(seed.to_bytes(curve.secret_octets, "big"))


@pytest.mark.parametrize(("name", "vector"), named_vectors("ecp.toml"))
def test_ecp_gives_the_published_exchanges(name: str, vector: dict[str, bytes]) -> None:
    """(RFC 5903 section 8)"""
    curve = BY_ID[KeyExchangeMethod[name]]
    assert isinstance(curve, Ecp)
    initiator = ecp_key(curve, vector["secret_i"])
    responder = ecp_key(curve, vector["secret_r"])
    assert initiator.public == vector["public_i"]
    assert responder.public == vector["public_r"]
    assert initiator.exchange(responder.public) == vector["shared"]
    assert responder.exchange(initiator.public) == vector["shared"]


@pytest.mark.parametrize(("name", "vector"), named_vectors("montgomery.toml"))
def test_curve25519_and_448_give_the_published_exchanges(
    name: str, vector: dict[str, bytes]
) -> None:
    """(RFC 8031 appendix A)"""
    curve = BY_ID[KeyExchangeMethod[name]]
    initiator = curve.generate(vector["secret_i"])
    responder = curve.generate(vector["secret_r"])
    assert initiator.public == vector["public_i"]
    assert responder.public == vector["public_r"]
    assert initiator.exchange(responder.public) == vector["shared"]
    assert responder.exchange(initiator.public) == vector["shared"]


@pytest.mark.parametrize("curve", ECPS, ids=lambda curve: curve.id.name)
def test_a_point_off_the_curve_is_refused(curve: Ecp) -> None:
    """(RFC 6989 section 2.3)"""
    key = curve.generate(bytes(curve.secret_octets))
    half = curve.public_octets // 2
    too_large = b"\xff" * half
    good = key.public
    for bad in (
        bytes(curve.public_octets),
        good[:-1] + bytes([good[-1] ^ 1]),
        good[half:] + good[:half],
        too_large + good[half:],
        good[:half] + too_large,
    ):
        with pytest.raises(InvalidKeyExchange, match="not a point"):
            key.exchange(bad)


@pytest.mark.parametrize("curve", ECPS, ids=lambda curve: curve.id.name)
def test_every_seed_makes_a_private_key(curve: Ecp) -> None:
    order = curve.curve.group_order
    for reduced in (0, order - 2, order - 1, order):
        curve.generate(reduced.to_bytes(curve.secret_octets, "big"))
    curve.generate(b"\xff" * curve.secret_octets)


@pytest.mark.parametrize("value", LOW_ORDER_25519)
def test_points_of_low_order_on_curve25519_are_refused(value: int) -> None:
    """(RFC 7748 section 6.1)"""
    refuses_low_order(KeyExchangeMethod.CURVE25519, value.to_bytes(32, "little"))


@pytest.mark.parametrize("value", LOW_ORDER_448)
def test_points_of_low_order_on_curve448_are_refused(value: int) -> None:
    """(RFC 7748 section 6.2)"""
    refuses_low_order(KeyExchangeMethod.CURVE448, value.to_bytes(56, "little"))


def refuses_low_order(method: KeyExchangeMethod, public: bytes) -> None:
    curve = BY_ID[method]
    with pytest.raises(InvalidKeyExchange, match="all-zero"):
        curve.generate(bytes(range(curve.secret_octets))).exchange(public)


def test_a_value_of_curve25519_that_is_not_canonical_is_accepted() -> None:
    """(RFC 8031 section 3.2)"""
    curve = BY_ID[KeyExchangeMethod.CURVE25519]
    assert isinstance(curve, Montgomery)
    key, peer = curve.generate(bytes(32)), curve.generate(bytes(range(32)))
    with_high_bit = peer.public[:-1] + bytes([peer.public[-1] | 0x80])
    assert key.exchange(with_high_bit) == key.exchange(peer.public)
