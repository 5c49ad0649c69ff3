"""Two daemons whose private keys are on a token of software, on real sockets."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.lab.ikeactors import IkeactorsPeer
from tests.lab.namespaces import Gateway, Network, direct
from tests.lab.needs import require
from tests.lab.pki import Pki, Wanted
from tests.lab.tokens import PIN, VARIABLE, SoftToken, moved_to_token, token_section
from tests.lab.traffic import ping
from tests.lab.tunnels import CHILD, CONNECTION, IDENTITIES, connection

pytestmark = pytest.mark.netns

HANDLES = {"west": "01", "east": "02"}


@pytest.fixture
def token(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> SoftToken:
    require("tokens")
    monkeypatch.setenv(VARIABLE, "")
    return SoftToken(tmp_path / "hsm", "lab")


def authorities(folder: Path, token: SoftToken, key: str) -> Pki:
    pki = Pki(folder / "pki").init(key=key)
    for name, handle in HANDLES.items():
        pki.issue(name, Wanted([f"{name}.lab"], key))
        moved_to_token(pki.directory / name, name, token, handle)
    return pki


@contextmanager
def daemon(pki: Pki, network: Network, gateway: Gateway, pin: str = PIN) -> Iterator[IkeactorsPeer]:
    other = "east" if gateway.label == "west" else "west"
    ends = {
        end: {"auth": "pubkey", "id": f"{label}.lab"}
        for end, label in (("local", gateway.label), ("remote", other))
    }
    configuration = {
        **connection(network, gateway, options=ends),
        "secrets": {"card": token_section("lab", HANDLES[gateway.label], pin)},
    }
    folder = pki.directory / gateway.label
    with IkeactorsPeer(gateway, configuration, IDENTITIES, credentials=folder) as peer:
        yield peer


@pytest.mark.parametrize("key", ["rsa-2048", "ecdsa-256", "ed25519"])
def test_keys_on_tokens_authenticate_both_ends(tmp_path: Path, token: SoftToken, key: str) -> None:
    pki = authorities(tmp_path, token, key)
    with (
        direct() as network,
        daemon(pki, network, network.west) as west,
        daemon(pki, network, network.east) as east,
    ):
        west.up(CONNECTION, CHILD[4])
        assert ping(network.west, network.east) == 3
        east.expect_logged("peer-key-checked", "CN=west <- CN=branch authority")
        assert west.json("statistics")["tokens"]["signed"] == 1
        checked = west.attempt("check", str(west.folder / "ikeactors.toml")).stdout
        assert "key 01 of secrets.card" in checked
        assert "is on token 'lab', which has 2 certificates; it can sign by" in checked


def test_a_token_that_comes_later_is_used_then(tmp_path: Path, token: SoftToken) -> None:
    pki = authorities(tmp_path, token, "ecdsa-256")
    folder = token.folder / "tokens"
    inserted = folder.rename(token.folder / "in-a-drawer")
    folder.mkdir()
    with direct() as network, daemon(pki, network, network.west) as west:
        assert west.attempt("up", CONNECTION).returncode == 1
        west.expect_logged("key 01 of secrets.card (token 'lab'", "there is no such token")
        folder.rmdir()
        inserted.rename(folder)
        with daemon(pki, network, network.east):
            west.command("reload-creds")
            west.up(CONNECTION, CHILD[4])


def test_a_responder_with_a_wrong_pin_refuses_and_says_why(
    tmp_path: Path, token: SoftToken
) -> None:
    pki = authorities(tmp_path, token, "ecdsa-256")
    with (
        direct() as network,
        daemon(pki, network, network.west) as west,
        daemon(pki, network, network.east, pin="999999") as east,
    ):
        assert west.attempt("up", CONNECTION).returncode == 1
        west.expect_logged("AUTHENTICATION_FAILED")
        east.expect_logged("authentication-failed", "key 02 of secrets.card", "PIN is wrong")
