"""Checkpoints as octets."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ikeactors.protocol.encoding import encode
from ikeactors.protocol.ikev2.stored import (
    SCHEMA,
    Unrestorable,
    read_checkpoint,
    write_checkpoint,
)
from tests.pair import Pair


def test_what_is_written_is_read() -> None:
    pair = Pair().establish()
    for end in pair.ends():
        checkpoint = end.association.checkpoint(pair.now)
        assert read_checkpoint(write_checkpoint(checkpoint)) == checkpoint


def test_a_newer_schema_is_refused() -> None:
    with pytest.raises(Unrestorable, match="a newer version"):
        read_checkpoint(encode((SCHEMA + 1, "whatever that is")))


@pytest.mark.parametrize("value", [None, (), (SCHEMA, "text"), ("text", 1)])
def test_what_is_no_checkpoint_is_refused(value: object) -> None:
    with pytest.raises(Unrestorable, match="this is no checkpoint"):
        read_checkpoint(encode(value))


@given(st.binary(max_size=60))
def test_any_octets_are_refused(octets: bytes) -> None:
    with pytest.raises(Unrestorable):
        read_checkpoint(octets)
