"""One configuration in the formats of both kinds of peers, and swanctl's raw answers read."""

from __future__ import annotations

import tomllib

from tests.lab import ikeactors, strongswan
from tests.lab.peer import Child, Sa, Section

SETTINGS: Section = {
    "connections": {
        "gw": {"version": 2, "encap": True, "children": {"net": {"local_ts": ["10.1.0.0/24"]}}}
    }
}


def test_a_configuration_is_read_back_from_its_toml() -> None:
    assert tomllib.loads("\n".join(ikeactors._lines(SETTINGS, ""))) == SETTINGS


def test_a_configuration_is_written_for_swanctl() -> None:
    words = "".join(strongswan._lines(SETTINGS, "")).split()
    assert " ".join(words) == (
        "connections { gw { version = 2 encap = yes children { net { local_ts = 10.1.0.0/24 } } } }"
    )


def test_swanctls_list_of_sas_is_read() -> None:
    raw = (
        "list-sa event {gw {uniqueid=1 state=ESTABLISHED initiator-spi=07f0 responder-spi=3481"
        " child-sas {net-1 {name=net state=INSTALLED spi-in=55 spi-out=60 bytes-in=252 bytes-out=0"
        " local-ts=[10.1.0.0/24 10.3.0.0/24]}}}}\nlist-sas reply {}\n"
    )
    assert strongswan.read_sas(raw) == [
        Sa("gw", "ESTABLISHED", "07f0", "3481", (Child("net", "INSTALLED", "55", "60", 252, 0),))
    ]
