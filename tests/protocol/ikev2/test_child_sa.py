"""A Child SA as requests to the data plane: SAs, policies, marks, interfaces."""

from __future__ import annotations

from dataclasses import replace

from ikeactors.kernel.requests import CopyDscp, Direction, HeaderCopying, Mark, PolicyAction
from ikeactors.protocol.ikev2.child_sa import ChildState
from tests.pair import EAST, WEST, Pair, child, connection, mirrored, opposite


def test_both_directions_are_asked_for() -> None:
    pair = Pair().establish()
    (ours,) = pair.west.association.children
    assert (ours.inbound.source, ours.inbound.destination) == (EAST.address, WEST.address)
    assert (ours.outbound.source, ours.outbound.destination) == (WEST.address, EAST.address)
    assert ours.inbound.direction is Direction.IN
    assert ours.inbound.encr_key != ours.outbound.encr_key
    assert ours.inbound.reqid == ours.outbound.reqid == ours.reqid
    assert ours.state is ChildState.INSTALLED
    assert {one.direction for one in pair.west.policies} == set(Direction)


def test_marks_interfaces_reqid_and_priority_go_through() -> None:
    special = child(
        mark_in=Mark(1), mark_out=Mark(2), if_id_in=3, reqid=77, priority=9, replay_window=128
    )
    pair = Pair(
        connection(children=(special,), if_id_in=8, if_id_out=8),
        opposite(connection(children=(child(),))),
    ).establish()
    (ours,) = pair.west.association.children
    assert (ours.inbound.mark, ours.outbound.mark) == (None, Mark(2))
    assert (ours.inbound.if_id, ours.outbound.if_id) == (3, 8)
    assert ours.inbound.replay_window == 128
    by_direction = {one.direction: one for one in pair.west.policies}
    assert by_direction[Direction.IN].mark == by_direction[Direction.FWD].mark == Mark(1)
    assert by_direction[Direction.OUT].if_id == 8
    assert {one.reqid for one in pair.west.policies} == {77}
    assert {one.priority for one in pair.west.policies} == {9}


def test_what_packets_are_marked_with_and_what_headers_copy_goes_through() -> None:
    copying = HeaderCopying(df=False, ecn=False, dscp=CopyDscp.YES)
    marks = {"mark_in": Mark(1), "set_mark_in": Mark(3), "set_mark_out": Mark(4)}
    special = child(mark_in_sa=True, copying=copying, **marks)
    pair = Pair(
        connection(children=(special,)), opposite(connection(children=(child(),)))
    ).establish()
    (ours,) = pair.west.association.children
    assert ours.inbound.mark == Mark(1)
    assert (ours.inbound.output_mark, ours.outbound.output_mark) == (Mark(3), Mark(4))
    assert ours.inbound.copying == ours.outbound.copying == copying


def test_what_is_forwarded_into_the_tunnel_passes_where_it_is_asked_for() -> None:
    special = child(policies_fwd_out=True, priority=9)
    pair = Pair(
        connection(children=(special,)), opposite(connection(children=(child(),)))
    ).establish()
    (passing,) = [one for one in pair.west.policies if one.action is PolicyAction.PASS]
    (outbound,) = [one for one in pair.west.policies if one.direction is Direction.OUT]
    assert passing == replace(outbound, direction=Direction.FWD, action=PolicyAction.PASS)


def test_a_child_may_go_without_policies() -> None:
    bare = child(policies=False)
    pair = Pair(connection(children=(bare,))).establish()
    assert not pair.west.policies
    assert len(pair.west.sas) == 2
    assert mirrored(bare).policies is False


def test_what_the_data_plane_has_is_known() -> None:
    pair = Pair().establish()
    (ours,) = pair.west.association.children
    assert set(ours.installed_sas) == set(pair.west.sas)
    assert list(ours.installed_policies) == pair.west.policies
    ours.refused()
    assert ours.installed_sas == ()
    assert ours.installed_policies == ()
