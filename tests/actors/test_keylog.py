"""Lines for Wireshark, and the files they are written to."""

from __future__ import annotations

import os
import re
import stat
from pathlib import Path

import pytest
import trio
import trio.testing

from ikeactors.actors.keylog import (
    QUEUE_LIMIT,
    KeyLog,
    KeyLogRefused,
    esp_line,
    ike_line,
    run_key_log,
)
from ikeactors.crypto.suite import IkeSuite
from ikeactors.iana import Encr, Integ, KeyExchangeMethod, Prf
from ikeactors.protocol.actions import RecordIkeKeys
from tests.fakes.sas import CBC, GCM, sa


def keys(encr: Encr = Encr.AES_GCM_16, integ: Integ = Integ.NONE) -> RecordIkeKeys:
    suite = IkeSuite(encr, 128, integ, Prf.HMAC_SHA2_256, KeyExchangeMethod.CURVE25519)
    integ_key = b"" if integ == Integ.NONE else b"\xaa" * 4
    return RecordIkeKeys(b"\x01" * 8, b"\x02" * 8, suite, b"\xe1", b"\xe2", integ_key, integ_key)


@pytest.mark.parametrize(
    ("encr", "integ", "names"),
    [
        (
            Encr.AES_GCM_16,
            Integ.NONE,
            '"AES-GCM-128 with 16 octet ICV [RFC5282]",,,"NONE [RFC4306]"',
        ),
        (
            Encr.AES_CBC,
            Integ.HMAC_SHA2_256_128,
            '"AES-CBC-128 [RFC3602]",aaaaaaaa,aaaaaaaa,"HMAC_SHA2_256_128 [RFC4868]"',
        ),
    ],
)
def test_an_ike_sa_is_a_line_of_the_decryption_table(encr: Encr, integ: Integ, names: str) -> None:
    expected = f"0101010101010101,0202020202020202,e1,e2,{names}\n"
    assert ike_line(keys(encr, integ)) == expected


def test_an_esp_sa_is_a_line_of_its_table() -> None:
    gcm, cbc = esp_line(sa(0xC0FFEE01)), esp_line(sa(suite=CBC))
    assert re.fullmatch(
        r'"IPv4","10\.77\.0\.1","10\.77\.0\.2","0xc0ffee01",'
        r'"AES-GCM with 16 octet ICV \[RFC4106\]","0x[0-9a-f]{40}","NULL",""\n',
        gcm,
    )
    assert re.search(
        r'"AES-CBC \[RFC3602\]","0x[0-9a-f]{64}","HMAC-SHA-256-128 \[RFC4868\]","0x[0-9a-f]{64}"',
        cbc,
    )


async def written(log: KeyLog, *paths: Path) -> list[str]:
    """What stands in the files once all is written."""
    async with trio.open_nursery() as nursery:
        nursery.start_soon(run_key_log, log)
        with trio.fail_after(5):
            while log.statistics().waiting:
                await trio.sleep(0.001)
        nursery.cancel_scope.cancel()
    return [path.read_text() for path in paths]


async def test_a_directory_gets_both_files_for_the_owner_alone(tmp_path: Path) -> None:
    log = KeyLog(tmp_path)
    log.record_ike(keys())
    log.record_esp([sa(1), sa(2)])
    ike, esp = await written(log, tmp_path / "ikev2_decryption_table", tmp_path / "esp_sa")
    assert (ike.count("\n"), esp.count("\n")) == (1, 2)
    for path in tmp_path.iterdir():
        assert stat.S_IMODE(path.stat().st_mode) == 0o600


async def test_a_file_is_appended_to_and_closed_to_others(tmp_path: Path) -> None:
    place = tmp_path / "keys"
    place.write_text("before\n")
    place.chmod(0o644)
    log = KeyLog(place)
    log.record_ike(keys())
    log.record_esp([sa(suite=GCM)])
    ike, esp = await written(log, place, tmp_path / "keys.esp")
    assert ike.startswith("before\n0101")
    assert esp.count("\n") == 1
    assert stat.S_IMODE(place.stat().st_mode) == 0o600


async def test_a_full_queue_drops_and_counts(tmp_path: Path) -> None:
    log = KeyLog(tmp_path)
    for _ in range(QUEUE_LIMIT + 3):
        log.record_ike(keys())
    statistics = log.statistics()
    assert (statistics.waiting, statistics.dropped) == (QUEUE_LIMIT, 3)


async def test_a_link_in_the_place_of_the_file_is_not_followed(tmp_path: Path) -> None:
    log = KeyLog(tmp_path)
    (tmp_path / "ikev2_decryption_table").unlink()
    (tmp_path / "ikev2_decryption_table").symlink_to(tmp_path / "elsewhere")
    log.record_ike(keys())
    with pytest.raises(OSError, match="symbolic links"):
        await run_key_log(log)
    assert not (tmp_path / "elsewhere").exists()


def test_both_files_are_there_before_the_first_key(tmp_path: Path) -> None:
    log = KeyLog(tmp_path / "keys")
    assert (log.ike_path, log.esp_path) == (tmp_path / "keys", tmp_path / "keys.esp")
    for path in (log.ike_path, log.esp_path):
        assert path.read_text() == ""
        assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_where_no_keys_can_be_written_it_is_said_at_once(tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(tmp_path / "elsewhere")
    (tmp_path / "keys.esp").mkdir()
    os.mkfifo(tmp_path / "pipe")
    refusals = {
        tmp_path / "gone/keys": f"there is no folder {tmp_path}/gone; make it, with mode 0700",
        tmp_path / "link": f"{tmp_path}/link cannot be written: it is a symbolic link",
        tmp_path / "keys": f"{tmp_path}/keys.esp cannot be written: Is a directory",
        tmp_path / "pipe": f"{tmp_path}/pipe cannot be written: No such device or address",
        Path("/dev/null"): "/dev/null is no regular file",
    }
    for place, text in refusals.items():
        with pytest.raises(KeyLogRefused) as refused:
            KeyLog(place)
        assert str(refused.value).startswith(f"--key-log: {text}")


def test_a_line_that_wireshark_cannot_read_is_a_comment() -> None:
    """One unknown name would cost it the whole table."""
    suite = IkeSuite(
        Encr.CHACHA20_POLY1305, None, Integ.NONE, Prf.HMAC_SHA2_256, KeyExchangeMethod.CURVE25519
    )
    line = ike_line(RecordIkeKeys(b"\x01" * 8, b"\x02" * 8, suite, b"\xe1", b"\xe2", b"", b""))
    assert line.startswith("# 0101")
