"""What is sealed on disk."""

from __future__ import annotations

import pytest

from ikeactors.crypto.at_rest import AtRest
from ikeactors.errors import IntegrityFailed

SALT = bytes(range(32))


def test_what_is_sealed_is_opened_under_the_same_number() -> None:
    sealed = AtRest(b"secret", SALT, "test").seal(7, b"plaintext", b"head")
    assert b"plaintext" not in sealed
    assert AtRest(b"secret", SALT, "test").open(7, sealed, b"head") == b"plaintext"


@pytest.mark.parametrize(
    ("secret", "salt", "purpose", "number", "associated"),
    [
        (b"another", SALT, "test", 7, b"head"),
        (b"secret", bytes(32), "test", 7, b"head"),
        (b"secret", SALT, "another", 7, b"head"),
        (b"secret", SALT, "test", 8, b"head"),
        (b"secret", SALT, "test", 7, b"tail"),
    ],
)
def test_with_anything_else_it_stays_closed(
    secret: bytes, salt: bytes, purpose: str, number: int, associated: bytes
) -> None:
    sealed = AtRest(b"secret", SALT, "test").seal(7, b"plaintext", b"head")
    with pytest.raises(IntegrityFailed):
        AtRest(secret, salt, purpose).open(number, sealed, associated)
