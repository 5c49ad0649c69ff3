"""An association as data, in each of its phases, without secrets."""

from __future__ import annotations

import pytest

from tests.pair import PSK, Pair
from tests.protocol.phases import PHASES

STATES = {
    "initiated": ("connecting", "fresh"),
    "half_open": ("connecting", "half-open"),
    "authenticating": ("authenticating", "half-open"),
    "answered": ("authenticating", "established"),
    "established": ("established", "established"),
    "deleting_ike": ("deleting", "established"),
    "rekeyed_ike": ("established", "established"),
}


@pytest.mark.parametrize("phase", STATES)
def test_every_phase_has_its_word(phase: str) -> None:
    pair = PHASES[phase]()
    states = tuple(end.association.snapshot(pair.now).state for end in pair.ends())
    assert states == STATES[phase]


def test_an_established_association_shows_what_it_is() -> None:
    pair = Pair().establish()
    pair.pass_time(100)
    snapshot = pair.west.association.snapshot(pair.now)
    assert snapshot.connection == "gw"
    assert snapshot.age == 100
    assert snapshot.original_initiator
    assert snapshot.suite == "AES_GCM_16_128/PRF_HMAC_SHA2_256/CURVE_25519"
    (child,) = snapshot.children
    assert (child.name, child.state, child.mode) == ("net", "installed", "tunnel")
    assert child.local_ts == ("10.1.0.0/16",)
    assert child.age == 100
    assert {sa_id.spi for sa_id in child.sa_ids} == {child.spi_in, child.spi_out}
    theirs = pair.east.association.snapshot(pair.now)
    assert (theirs.spi_i, theirs.spi_r) == (snapshot.spi_i, snapshot.spi_r)
    assert (theirs.children[0].spi_out, theirs.children[0].spi_in) == (child.spi_in, child.spi_out)


def test_a_snapshot_has_no_secret() -> None:
    pair = Pair().establish()
    text = repr(pair.west.association.snapshot(pair.now))
    keys = pair.west.association.ike_sa.keys
    for secret in (PSK, keys.sk_d, keys.sk_ei, *(sa.encr_key for sa in pair.west.sas.values())):
        assert secret.hex() not in text
        assert repr(secret)[2:-1] not in text
