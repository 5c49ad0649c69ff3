"""Our private key on a token of software, with strongSwan in either role."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.lab.ikeactors import IkeactorsPeer
from tests.lab.namespaces import Gateway, Network, direct
from tests.lab.needs import require
from tests.lab.peer import Section
from tests.lab.pki import Pki, Wanted
from tests.lab.strongswan import StrongswanPeer
from tests.lab.tokens import VARIABLE, SoftToken, moved_to_token, token_section
from tests.lab.traffic import ping
from tests.lab.tunnels import CHILD, CONNECTION, IDENTITIES, connection

pytestmark = pytest.mark.interop


def ends(network: Network, gateway: Gateway, auth: str) -> Section:
    other = "east" if gateway.label == "west" else "west"
    options = {
        "encap": True,
        "local": {"auth": auth, "id": f"{gateway.label}.lab"},
        "remote": {"auth": auth, "id": f"{other}.lab"},
    }
    return connection(network, gateway, options=options)


@pytest.mark.parametrize(
    ("key", "ours", "theirs"),
    [
        ("rsa-2048", "ike:rsa/pkcs1-sha256", "ike:rsa-sha256"),
        ("rsa-2048", "ike:rsa/pss-sha256", "ike:rsa/pss-sha256"),
        ("ecdsa-256", "pubkey", "pubkey"),
    ],
)
def test_a_key_on_a_token_authenticates_us(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, key: str, ours: str, theirs: str
) -> None:
    require("tokens")
    monkeypatch.setenv(VARIABLE, "")
    token = SoftToken(tmp_path / "hsm", "lab")
    pki = Pki(tmp_path / "pki").init(key=key)
    for name in ("west", "east"):
        pki.issue(name, Wanted([f"{name}.lab"], key, "root"))
    moved_to_token(pki.directory / "west", "west", token, "0a")
    with direct() as network:
        here = {
            **ends(network, network.west, ours),
            "secrets": {"card": token_section("lab", "0a")},
        }
        there = ends(network, network.east, theirs)
        folders = {name: pki.directory / name for name in ("west", "east")}
        with (
            StrongswanPeer(network.east, there, IDENTITIES, credentials=folders["east"]) as charon,
            IkeactorsPeer(network.west, here, IDENTITIES, credentials=folders["west"]) as daemon,
        ):
            for first in (daemon, charon):
                first.up(CONNECTION, CHILD[4])
                assert ping(network.west, network.east) == 3
                first.down(CONNECTION)
            assert daemon.json("statistics")["tokens"]["signed"] == 2
