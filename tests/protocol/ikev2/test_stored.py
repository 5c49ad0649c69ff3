"""Checkpoints as octets."""

from __future__ import annotations

from dataclasses import replace
from ipaddress import ip_address

import msgpack
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ikeactors.kernel.requests import (
    CopyDscp,
    Encapsulation,
    HeaderCopying,
    HwOffload,
    Lifetime,
    Mark,
)
from ikeactors.protocol.ikev2.checkpoint import SavedRequest
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
        read_checkpoint(msgpack.packb((SCHEMA + 1, "whatever that is")))


@pytest.mark.parametrize("value", [None, (), (0,), (1, "text"), ("text", 1), (0, 1, "text")])
def test_what_is_no_checkpoint_is_refused(value: object) -> None:
    with pytest.raises(Unrestorable, match="this is no checkpoint"):
        read_checkpoint(msgpack.packb(value))


@pytest.mark.parametrize("rows", [(), ("text",), ((), (), (), (), (), b"")])
def test_rows_that_are_not_what_they_should_be_are_refused(rows: tuple[object, ...]) -> None:
    with pytest.raises(Unrestorable, match="no checkpoint"):
        read_checkpoint(msgpack.packb((SCHEMA, *rows)))


def test_what_is_rare_is_kept_too() -> None:
    """Each field of each class, also those that a row does not name."""
    pair = Pair().establish()
    plain = pair.west.association.checkpoint(pair.now)
    (child,), (ike_sa,) = plain.children, plain.ike_sas
    sa = replace(
        child.inbound,
        encapsulation=Encapsulation(4500, 4501),
        mark=Mark(1, 3),
        output_mark=Mark(2, 3),
        if_id=7,
        selectors=(child.local_ts[0], child.remote_ts[0]),
        copying=HeaderCopying(df=False, dscp=CopyDscp.NO),
        tfc_padding=1400,
        offload=HwOffload.AUTO,
        cpi=9,
        lifetime=Lifetime(1, 2, 3, 4, 5, 6),
    )
    request = SavedRequest(3, 36, (b"octets",), b"under way", (child.local_ts[0],), 2)
    checkpoint = replace(
        plain,
        children=(replace(child, inbound=sa, is_outbound_due=True, successor=4),),
        departed=(child,),
        ike_sas=(replace(ike_sa, outstanding=(request,), queue=(b"later",), token=b"token"),),
        early=(1, 2),
        wanted=((3, "net"),),
        rival=(5, b"nonce", b"other"),
        installs=(b"install",),
        extras={"mobike": (True, (ip_address("192.0.2.7"),), (), b"")},
    )
    assert read_checkpoint(write_checkpoint(checkpoint)) == checkpoint


@given(st.binary(max_size=60))
def test_any_octets_are_refused(octets: bytes) -> None:
    with pytest.raises(Unrestorable):
        read_checkpoint(octets)
