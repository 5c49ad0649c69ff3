"""AES-XCBC-MAC against its RFC; CMAC is the library's and is tested as a PRF."""

from __future__ import annotations

import pytest

from ikeactors.crypto.aes_macs import xcbc_mac
from tests.crypto.published import vectors


@pytest.mark.parametrize("vector", vectors("aes-xcbc-mac.toml"))
def test_xcbc_gives_the_published_macs(vector: dict[str, bytes]) -> None:
    """(RFC 3566 section 4.6)"""
    assert xcbc_mac(vector["key"], vector["data"]) == vector["mac"]
