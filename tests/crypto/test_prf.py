"""PRFs and prf+ against published vectors and against prf+'s definition."""

from __future__ import annotations

import hashlib
import hmac

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ikeactors import iana
from ikeactors.crypto.prf import OPT_IN_PRF, prf_for, prf_plus
from ikeactors.errors import UnsupportedAlgorithm
from tests.crypto.published import named_vectors

ALL = (
    iana.Prf.HMAC_MD5,
    iana.Prf.HMAC_SHA1,
    iana.Prf.AES128_XCBC,
    iana.Prf.HMAC_SHA2_256,
    iana.Prf.HMAC_SHA2_384,
    iana.Prf.HMAC_SHA2_512,
    iana.Prf.AES128_CMAC,
)


@pytest.mark.parametrize(("name", "vector"), named_vectors("prf.toml"))
def test_every_prf_gives_the_published_outputs(name: str, vector: dict[str, bytes]) -> None:
    """(RFC 4868 section 2.7.2)"""
    prf = prf_for(iana.Prf[name])
    assert prf.compute(vector["key"], vector["data"]) == vector["output"]


@pytest.mark.parametrize(("id_", "name"), [(1, "md5"), (2, "sha1")])
def test_the_old_hmacs_agree_with_the_standard_library(id_: int, name: str) -> None:
    expected = hmac.new(b"key", b"data", getattr(hashlib, name)).digest()
    assert prf_for(iana.Prf(id_)).compute(b"key", b"data") == expected


@pytest.mark.parametrize("algorithm", ALL)
@given(key=st.binary(max_size=80), seed=st.binary(max_size=80), length=st.integers(0, 300))
def test_prf_plus_is_its_definition(
    algorithm: iana.Prf, key: bytes, seed: bytes, length: int
) -> None:
    """(RFC 7296 section 2.13)"""
    prf = prf_for(algorithm)
    expected, block = b"", b""
    for number in range(1, 32):
        block = prf.compute(key, block + seed + bytes([number]))
        expected += block
    assert prf_plus(prf, key, seed, length) == expected[:length]


@pytest.mark.parametrize("algorithm", ALL)
def test_prf_plus_ends_at_255_blocks(algorithm: iana.Prf) -> None:
    prf = prf_for(algorithm)
    longest = 255 * prf.output_octets
    assert len(prf_plus(prf, b"key", b"seed", longest)) == longest
    with pytest.raises(ValueError, match="cannot give"):
        prf_plus(prf, b"key", b"seed", longest + 1)


@pytest.mark.parametrize("algorithm", ALL)
def test_lengths_are_those_of_the_output(algorithm: iana.Prf) -> None:
    prf = prf_for(algorithm)
    assert prf.key_octets == prf.output_octets == len(prf.compute(b"key", b"data"))


@pytest.mark.parametrize("number", [0, 3, 9, 1024])
def test_an_unknown_prf_is_unsupported(number: int) -> None:
    with pytest.raises(UnsupportedAlgorithm, match="PRF"):
        prf_for(iana.Prf(number))


def test_md5_is_opt_in() -> None:
    assert {iana.Prf.HMAC_MD5} == OPT_IN_PRF
