"""The IKE SAs of one association, and the keys that are recorded of them."""

from __future__ import annotations

from dataclasses import replace

from ikeactors.protocol.actions import ForgetSpi, RecordIkeKeys, RegisterSpi
from ikeactors.protocol.events import DeletionRequested, RekeyRequested
from ikeactors.protocol.ikev2.ike_sas import FORGOTTEN_AFTER, RETIRED_FOR
from tests.pair import Pair


def test_keys_are_recorded_only_where_it_is_asked_for() -> None:
    pair = Pair()
    pair.west.association.settings = replace(pair.west_settings, record_keys=True)
    pair.establish()
    pair.give(pair.west, RekeyRequested())
    pair.settle()
    recorded = [one for one in pair.west.actions if isinstance(one, RecordIkeKeys)]
    assert len(recorded) == 2
    assert recorded[0].sk_ei.hex() not in repr(recorded)
    assert not [one for one in pair.east.actions if isinstance(one, RecordIkeKeys)]


def test_the_former_ike_sa_answers_its_delete_for_a_while() -> None:
    pair = Pair().establish()
    former = pair.east.association.ike_sa
    pair.give(pair.west, RekeyRequested())
    for _ in range(3):
        deletion = pair.flights[0]
        pair.deliver(deletion)
    pair.drop()
    pair.pass_time(FORGOTTEN_AFTER - 1, deliver=False)
    pair.drop()
    pair.give(pair.east, deletion.datagram)
    assert len(pair.flights) == 1
    assert pair.east.association.ike_sas.find(former.spis.ours) is former
    pair.pass_time(2, deliver=False)
    assert pair.east.association.ike_sas.find(former.spis.ours) is None


def test_a_former_ike_sa_that_the_peer_never_deletes_is_forgotten() -> None:
    pair = Pair().establish()
    former = pair.east.association.ike_sa
    pair.give(pair.west, RekeyRequested())
    pair.deliver(pair.flights[0])
    pair.drop()
    pair.pass_time(RETIRED_FOR - 1, deliver=False)
    assert pair.east.association.ike_sas.find(former.spis.ours) is former
    pair.pass_time(2, deliver=False)
    assert pair.east.association.ike_sas.find(former.spis.ours) is None


def test_every_spi_that_was_registered_is_forgotten_in_the_end() -> None:
    pair = Pair().establish()
    pair.give(pair.west, RekeyRequested())
    pair.settle()
    pair.give(pair.west, DeletionRequested())
    pair.settle()
    for end in pair.ends():
        registered = {one.spi for one in end.actions if isinstance(one, RegisterSpi)}
        forgotten = {one.spi for one in end.actions if isinstance(one, ForgetSpi)}
        assert registered == forgotten
        assert len(registered) == 2
