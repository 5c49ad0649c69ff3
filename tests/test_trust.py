"""Whom the daemon believes, and who checks for it, from its start on or later."""

from __future__ import annotations

from pathlib import Path

import pytest
import trio

from ikeactors.actors.reports import ReportHub
from ikeactors.actors.workers import Workers, run_worker, threads
from ikeactors.config import Configuration, load
from ikeactors.crypto.pki.revocation import RevocationFinding
from ikeactors.trust import Trust, open_trust
from tests.config.test_certificates import CONNECTION, ROOT, WEST
from tests.test_reloading import der, put

SHARED = CONNECTION.replace('"pubkey"', '"psk"') + '[secrets.gw]\nsecret = "0123456789abcdef"\n'
CHAIN = (der(WEST), der(ROOT))
WORKERS = Workers(threads(1))
AN_HOUR_LATER = WEST.certificate.not_valid_before_utc.timestamp() + 3600


def configured(directory: Path, text: str) -> Configuration:
    put(directory, WEST)
    path = directory / "ike.toml"
    state = directory / "state"
    path.write_text(f'[daemon]\nstate_directory = "{state}"\n{text}')
    path.chmod(0o600)
    return load(path)


def trust_of(configuration: Configuration) -> Trust:
    hub = ReportHub(lambda: 0.0)
    return open_trust(configuration, nobody, WORKERS, hub, lambda: AN_HOUR_LATER)


async def nobody(name: str) -> list:
    return []


async def findings(trust: Trust) -> tuple[RevocationFinding, ...]:
    send, receive = trio.open_memory_channel[tuple[RevocationFinding, ...]](1)
    trust.check(CHAIN, send.send_nowait)
    with trio.fail_after(5):
        return await receive.receive()


async def test_certificates_that_come_later_are_checked(
    tmp_path: Path, nursery: trio.Nursery
) -> None:
    """A daemon of pre-shared keys begins to check when it has read the first certificates."""
    trust = trust_of(configured(tmp_path, SHARED))
    nursery.start_soon(run_worker, WORKERS)
    for child in trust.children():
        nursery.start_soon(child.start)
    await trio.testing.wait_all_tasks_blocked()
    (found,) = await findings(trust)
    assert "this daemon checks no certificates" in found.text
    assert "revocation" not in trust.statistics()
    trust.replace(configured(tmp_path, CONNECTION))
    (found,) = await findings(trust)
    assert found.text.startswith("CN=west: whether it is revoked is not known")
    assert trust.statistics()["revocation"]
    fetched: list[tuple[str, ...]] = []
    trust.look_up(((bytes(20), "ftp://x/"),), lambda found, failures: fetched.append(failures))
    with trio.fail_after(5):
        while not fetched:
            await trio.testing.wait_all_tasks_blocked()
    assert "http" in fetched[0][0]


@pytest.mark.parametrize("text", [SHARED, CONNECTION])
async def test_statistics_go_by_the_clock_that_is_given(tmp_path: Path, text: str) -> None:
    trust = trust_of(configured(tmp_path, text))
    shown = trust.statistics().get("certificates", ())
    assert isinstance(shown, tuple)
    assert {one.days_left for one in shown} <= {364, 365}
