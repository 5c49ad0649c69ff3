"""Several identities of an end (RFC 4739) and post-quantum keys (RFC 8784), against strongSwan."""

from __future__ import annotations

import shutil
from collections.abc import Iterator

import pytest

from tests.interop.test_certificates import ENDS, IKEACTORS, STRONGSWAN, Lab
from tests.lab.ikeactors import IkeactorsPeer
from tests.lab.namespaces import Network, direct
from tests.lab.peer import Section
from tests.lab.pki import Pki, Wanted
from tests.lab.strongswan import StrongswanPeer
from tests.lab.traffic import ping
from tests.lab.tunnels import connection_settings

pytestmark = pytest.mark.interop

PPK = "a key that no quantum computer will find"

# How each end proves its identities, ours and strongSwan's: "key" or "psk". As initiator strongSwan
# begins with a pre-shared key only where the responder's first message proves all that it has.
ROUNDS = {
    "psk-key": (("psk", "key"), ("key", "psk")),
    "key-psk": (("key", "psk"), ("key",)),
    "key-key": (("key", "key"), ("key",)),
    "one-two": (("psk",), ("key", "key")),
}
# What is configured at our end and strongSwan's: the key, and whether it is required.
KEYS = {
    "ppk": (True, True),
    "optional": (True, False),
}


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    pki = Pki(tmp_path_factory.mktemp("pki")).init()
    for name in ROUNDS:
        for end in ENDS:
            for place in (1, 2):
                who = identity(name, end, place)
                folder = pki.issue(who, Wanted([who]))
                shutil.copytree(folder, pki.directory / "all" / end, dirs_exist_ok=True)
    owners = [identity(name, end, place) for name in ROUNDS for end in ENDS for place in (1, 2)]
    owners += [identity(name, end, 1) for name in KEYS for end in ENDS]
    with direct() as network:
        theirs, ours = (configuration(network, end) for end in (STRONGSWAN, IKEACTORS))
        folders = {end: pki.directory / "all" / end for end in ENDS}
        with (
            StrongswanPeer(network.east, theirs, owners, credentials=folders[STRONGSWAN]) as charon,
            IkeactorsPeer(network.west, ours, owners, credentials=folders[IKEACTORS]) as daemon,
        ):
            yield Lab(network, daemon, charon)


@pytest.mark.parametrize("initiator", ENDS)
@pytest.mark.parametrize("name", ROUNDS)
def test_all_identities_of_an_end_are_proven(lab: Lab, name: str, initiator: str) -> None:
    lab.up(name, initiator)
    assert ping(lab.network.west, lab.network.east) == 3
    lab.down(name)


@pytest.mark.parametrize("initiator", ENDS)
@pytest.mark.parametrize("name", KEYS)
def test_a_post_quantum_key_is_mixed_in(lab: Lab, name: str, initiator: str) -> None:
    lab.up(name, initiator)
    assert ping(lab.network.west, lab.network.east) == 3
    lab.daemon.expect_logged("the keys hold the post-quantum pre-shared key lab-ppk")
    lab.down(name)


def configuration(network: Network, end: str) -> Section:
    gateway, other = (network.west, STRONGSWAN) if end == IKEACTORS else (network.east, IKEACTORS)
    common = connection_settings(network, gateway, options={"encap": True})
    del common["local"], common["remote"]  # type: ignore[attr-defined]
    connections = {name: {**common, **sides(name, end, other)} for name in ROUNDS} | {
        name: {
            **common,
            "local": {"auth": "psk", "id": identity(name, end, 1)},
            "remote": {"auth": "psk", "id": identity(name, other, 1)},
            "ppk_id": "lab-ppk",
            "ppk_required": required[ENDS.index(end)],
        }
        for name, required in KEYS.items()
    }
    ppk = {"ids": ["lab-ppk"], "type": "ppk"} if end == IKEACTORS else {"id": "lab-ppk"}
    secret = PPK if end == IKEACTORS else f'"{PPK}"'
    return {"connections": connections, "secrets": {"ppk-lab": {**ppk, "secret": secret}}}


def sides(name: str, end: str, other: str) -> Section:
    methods = dict(zip(ENDS, ROUNDS[name], strict=True))
    return {
        f"{side}{place}": proof(name, who, place, method, ours=side == "local")
        for side, who in (("local", end), ("remote", other))
        for place, method in enumerate(methods[who], 1)
    }


def proof(name: str, end: str, place: int, method: str, *, ours: bool) -> Section:
    who = identity(name, end, place)
    if method == "psk":
        return {"auth": "psk", "id": who}
    return {"auth": "pubkey", "id": who, **({"certs": [f"{who}.pem"]} if ours else {})}


def identity(name: str, end: str, place: int) -> str:
    return f"{name}-{place}.{end}.lab"
