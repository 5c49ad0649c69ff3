"""An end that was killed goes on where it was, whatever was under way."""

from __future__ import annotations

from dataclasses import replace

import pytest

from ikeactors.protocol.events import DeletionRequested, Event, RekeyRequested
from ikeactors.protocol.ikev2.association import Association
from ikeactors.protocol.ikev2.stored import Unrestorable, read_checkpoint, write_checkpoint
from tests.pair import PSK, child, connection, esp, ike, opposite, settings_of
from tests.protocol.restarts import DurablePair

PFS = connection(children=(child(esp_proposals=esp("aes128gcm16-x25519")),))
CBC = connection(
    proposals=ike("aes128-sha256-x25519"), children=(child(esp_proposals=esp("aes128-sha256")),)
)
Wishes = tuple[tuple[str, Event], ...]

REKEY_CHILD, REKEY_IKE = RekeyRequested("net"), RekeyRequested()
WISHES: dict[str, Wishes] = {
    "nothing": (),
    "child": (("west", REKEY_CHILD),),
    "child of the responder": (("east", REKEY_CHILD),),
    "child at both": (("west", REKEY_CHILD), ("east", REKEY_CHILD)),
    "ike": (("west", REKEY_IKE),),
    "ike at both": (("west", REKEY_IKE), ("east", REKEY_IKE)),
    "ike against child": (("west", REKEY_IKE), ("east", REKEY_CHILD)),
    "both one after the other": (("west", REKEY_CHILD), ("west", REKEY_IKE)),
}


def run(pair: DurablePair, wishes: Wishes, kill_at: int, victims: tuple[str, ...]) -> bool:
    """Let the wishes come true; after so many events the victims are killed. False: all is over."""
    pair.slow = []
    for name, event in wishes:
        pair.give(getattr(pair, name), event)
    for step in range(200):
        if step == kill_at:
            for name in victims:
                assert pair.kill(getattr(pair, name))
        if pair.slow:
            end, event = pair.slow.pop(0)
            pair.give(end, event)
        elif pair.flights:
            pair.deliver(pair.flights[0])
        else:
            return step >= kill_at
    raise AssertionError("the two ends do not come to rest")


def agree(pair: DurablePair) -> None:
    """Minutes later there is one IKE SA and one Child SA, the same at both ends."""
    pair.hurry()
    pair.settle()
    pair.pass_time(600.0)
    pair.assert_one_pair()
    west, east = pair.west.association, pair.east.association
    assert west.ike_sa.keys == east.ike_sa.keys
    assert len(tuple(west.ike_sas)) == len(tuple(east.ike_sas)) == 1


@pytest.mark.parametrize("victims", [("west",), ("east",), ("west", "east")], ids="+".join)
@pytest.mark.parametrize("settings", [PFS, CBC], ids=["pfs", "cbc"])
@pytest.mark.parametrize("wishes", WISHES.values(), ids=WISHES)
@pytest.mark.parametrize("forgets", [False, True], ids=["all", "datagrams"])
def test_killed_at_any_step_both_ends_go_on_and_agree(
    wishes: Wishes, settings: object, victims: tuple[str, ...], forgets: bool
) -> None:
    kill_at, goes_on = 0, True
    while goes_on:
        pair = DurablePair(settings)
        pair.forgets = forgets
        pair.establish()
        goes_on = run(pair, wishes, kill_at, victims)
        agree(pair)
        kill_at += 1
    assert kill_at > 0


def test_what_is_idle_goes_on_without_a_word() -> None:
    pair = DurablePair().establish()
    before, sent = {end.name: set(end.sas) for end in pair.ends()}, pair.sent
    for end in pair.ends():
        assert pair.kill(end)
        assert set(end.sas) == before[end.name]
        assert [report.details for report in end.said("ike-sa-restored")]
    assert pair.sent == sent
    pair.pass_time(10.0)
    assert pair.sent == sent


def test_timers_go_on_and_what_was_due_meanwhile_is_done_at_once() -> None:
    west = connection(children=(child(rekey_time=100.0, rand_time=0.0),))
    pair = DurablePair(west, opposite(connection(children=(child(rekey_time=0.0),))))
    pair.establish()
    pair.pass_time(40.0)
    pair.kill(pair.west)
    pair.pass_time(59.0)
    assert pair.west.said("child-sa-rekeyed") == []
    pair.pass_time(2.0)
    assert len(pair.west.said("child-sa-rekeyed")) == 1
    pair.now += 500.0
    pair.kill(pair.west)
    pair.pass_time(1.0)
    assert len(pair.west.said("child-sa-rekeyed")) == 2


def test_a_request_that_is_out_goes_out_again_with_the_same_octets() -> None:
    pair = DurablePair().establish()
    pair.give(pair.west, RekeyRequested("net"))
    (lost,) = [flight.datagram.octets for flight in pair.flights]
    pair.drop()
    pair.kill(pair.west)
    pair.to_next_timer()
    assert [flight.datagram.octets for flight in pair.flights] == [lost]


def test_the_answer_that_the_peer_missed_is_repeated() -> None:
    pair = DurablePair().establish()
    pair.give(pair.west, RekeyRequested("net"))
    request = pair.flights[0].datagram
    pair.deliver(pair.flights[0])
    (answer,) = [flight.datagram.octets for flight in pair.flights]
    pair.drop()
    pair.kill(pair.east)
    pair.drop()
    pair.give(pair.east, request)
    assert [flight.datagram.octets for flight in pair.flights] == [answer]


def test_what_the_data_plane_has_lost_is_negotiated_anew() -> None:
    """An SA that is made again would use its IVs again."""
    pair = DurablePair().establish()
    before = pair.west.spis()
    pair.loses_plane = True
    pair.kill(pair.west)
    pair.settle()
    pair.pass_time(30.0)
    assert not before & pair.west.spis()
    assert len(pair.west.said("child-sa-lost")) == 1
    agree(pair)


def test_a_child_that_is_not_configured_any_more_goes_on_until_it_is_lost() -> None:
    pair = DurablePair().establish()
    renamed = replace(pair.west_settings.connections[0], children=(child("other"),))
    pair.west_settings = settings_of(renamed, PSK)
    pair.kill(pair.west)
    pair.pass_time(30.0)
    assert len(pair.west.sas) == 2
    pair.loses_plane = True
    pair.kill(pair.west)
    pair.pass_time(30.0)
    assert pair.west.sas == {}
    assert pair.west.association.established


def test_a_connection_that_is_not_configured_any_more_is_not_restored() -> None:
    pair = DurablePair().establish()
    pair.west_settings = settings_of(connection(children=()), PSK)
    checkpoint = pair.west.association.checkpoint(pair.now)
    gone = replace(checkpoint, connection="gone")
    with pytest.raises(Unrestorable, match="there is no connection gone any more"):
        Association.restored(pair.west_settings, gone, pair._surroundings["west"], 1.0, 0.0)


def test_a_deleted_association_leaves_nothing_durable() -> None:
    pair = DurablePair().establish()
    pair.give(pair.west, DeletionRequested())
    pair.settle()
    assert pair.saved == {}


def test_a_negotiation_of_another_version_is_forgotten_and_starts_again() -> None:
    pair = DurablePair().establish()
    pair.give(pair.west, RekeyRequested("net"))
    saved_at, octets = pair.saved["west"]
    checkpoint = read_checkpoint(octets)
    (ike_sa,) = checkpoint.ike_sas
    (request,) = ike_sa.outstanding
    other = replace(ike_sa, outstanding=(replace(request, inflight=b"of another version"),))
    pair.saved["west"] = saved_at, write_checkpoint(replace(checkpoint, ike_sas=(other,)))
    pair.kill(pair.west)
    pair.settle()
    assert not pair.west.association.ike_sa.requests.outstanding
    pair.pass_time(30.0)
    assert pair.west.association.established


def test_no_secret_of_a_checkpoint_is_shown() -> None:
    pair = DurablePair(PFS).establish()
    pair.give(pair.west, RekeyRequested("net"))
    checkpoint = pair.west.association.checkpoint(pair.now)
    keys = pair.west.association.ike_sa.keys
    for secret in (keys.sk_d, keys.sk_ei, next(iter(pair.west.sas.values())).encr_key):
        assert repr(secret)[2:-1] not in repr(checkpoint)
