"""Two daemons that authenticate by certificates, on real sockets."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.lab.ikeactors import IkeactorsPeer
from tests.lab.namespaces import Gateway, Network, direct
from tests.lab.peer import Section
from tests.lab.pki import Pki, Wanted
from tests.lab.traffic import ping
from tests.lab.tunnels import CHILD, CONNECTION, IDENTITIES, connection

pytestmark = pytest.mark.netns


@contextmanager
def daemons(pki: Pki, auth: str) -> Iterator[tuple[Network, IkeactorsPeer, IkeactorsPeer]]:
    with direct() as network:
        peers = [
            IkeactorsPeer(one, side(network, one, auth), IDENTITIES, credentials=folder)
            for one, folder in (
                (network.west, pki.directory / "west"),
                (network.east, pki.directory / "east"),
            )
        ]
        with peers[0] as west, peers[1] as east:
            yield network, west, east


def side(network: Network, local: Gateway, auth: str) -> Section:
    ends = {end: {"auth": auth, "id": f"{label}.lab"} for end, label in labels(local).items()}
    return connection(network, local, options=ends)


def labels(local: Gateway) -> dict[str, str]:
    return {"local": local.label, "remote": "east" if local.label == "west" else "west"}


def authorities(folder: Path, key: str, **wanted: object) -> Pki:
    pki = Pki(folder).init(key=key)
    for name in ("west", "east"):
        pki.issue(name, Wanted([f"{name}.lab"], key, **wanted))  # type: ignore[arg-type]
    return pki


@pytest.mark.parametrize(("key", "auth"), [("rsa-2048", "pubkey"), ("mldsa65", "mldsa65")])
def test_certificates_of_a_chain_authenticate_both_ends(
    tmp_path: Path, key: str, auth: str
) -> None:
    """ML-DSA's certificates take a dozen fragments."""
    with daemons(authorities(tmp_path, key), auth) as (network, west, east):
        west.up(CONNECTION, CHILD[4])
        assert ping(network.west, network.east) == 3
        for daemon, name in ((west, "east"), (east, "west")):
            path = f"CN={name} <- CN=branch authority <- CN=root authority"
            daemon.expect_logged("peer-key-checked", path)


def test_a_certificate_that_has_expired_is_refused_with_its_dates(tmp_path: Path) -> None:
    pki = authorities(tmp_path, "ecdsa-256", days=0.0001)
    with daemons(pki, "pubkey") as (_, west, east):
        assert west.attempt("up", CONNECTION).returncode == 1
        east.expect_logged("CN=west: certificate has expired", "valid from")
