"""A recording as octets."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ikeactors.protocol.recording.file import Sealer, Unplayable, read, write
from tests.protocol.recording.pairs import Reel, recorded_pair

KEY, SALT = b"a key of the operator's", bytes(32)


def lived() -> Reel:
    pair, west, _ = recorded_pair()
    pair.establish()
    return west


def parts(reel: Reel, end: str = "the end") -> list[bytes]:
    """The head and the records."""
    assert reel.beginning is not None
    sealer = Sealer(KEY, SALT, "1.2.3")
    records = [reel.beginning, *reel.steps, *([end] if end else [])]
    return [sealer.head, *(sealer.seal(write(record)) for record in records)]


def test_what_is_sealed_is_read() -> None:
    reel = lived()
    recording = read(b"".join(parts(reel)), KEY)
    assert recording.software == "1.2.3"
    assert recording.beginning == reel.beginning
    assert list(recording.steps) == reel.steps
    assert recording.end == "the end"


def test_nothing_secret_is_in_clear() -> None:
    octets = b"".join(parts(lived()))
    for secret in (b"a secret of thirty-two", b"west.example", b"gw"):
        assert secret not in octets


def test_of_a_file_that_is_cut_off_what_is_before_stands() -> None:
    reel = lived()
    whole = b"".join(parts(reel))
    for cut in (1, 100, len(parts(reel)[-1]) + 1):
        recording = read(whole[:-cut], KEY)
        assert recording.end == ""
        assert len(recording.steps) in (len(reel.steps), len(reel.steps) - 1)


def test_another_key_opens_nothing() -> None:
    with pytest.raises(Unplayable, match="record 0: another key, or other octets"):
        read(b"".join(parts(lived())), b"another key")


def test_records_cannot_be_left_out_or_put_in_another_order() -> None:
    head, beginning, first, second, *_ = parts(lived())
    for octets in (head + beginning + second, head + first, head + beginning + second + first):
        with pytest.raises(Unplayable):
            read(octets, KEY)


@pytest.mark.parametrize(
    "octets", [b"", b"text", b"ikeactors recording 1\n", b"ikeactors recording 1\n\0\0\0\1\xc1"]
)
def test_what_is_no_recording_is_refused(octets: bytes) -> None:
    with pytest.raises(Unplayable):
        read(octets, KEY)


@given(st.binary(max_size=80))
def test_any_octets_behind_a_head_are_refused(octets: bytes) -> None:
    with pytest.raises(Unplayable):
        read(Sealer(KEY, SALT, "1").head + octets, KEY)
