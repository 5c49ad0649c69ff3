"""What a former version has kept is gone on with by this one.

`data/state-1.db` was written when a checkpoint's objects said what they were (schema 1): by both
ends of a pair, the first of which has just asked to rekey its Child SA.
"""

from __future__ import annotations

import shutil
from pathlib import Path

from ikeactors.actors.keeper import Keeper
from ikeactors.actors.peer_ports import Kept
from ikeactors.actors.store import SqliteStore
from ikeactors.protocol.actions import Report
from ikeactors.protocol.ikev2.stored import SCHEMA, read_checkpoint, write_checkpoint
from tests.actors.test_keeper import at_once
from tests.protocol.restarts import DurablePair

DATA = Path(__file__).with_name("data")
BOOT = "the boot of then"


async def kept_in(name: str, folder: Path) -> list[Kept]:
    """What a daemon finds that is upgraded; the file stays as it was."""
    shutil.copy(DATA / name, folder / "state.db")
    reports: list[Report] = []
    keeper = Keeper(SqliteStore(folder / "state.db", BOOT), reports.append, lambda: 107.0, at_once)
    kept = await keeper.open()
    await keeper.aclose()
    assert not reports
    return kept


async def test_what_the_schema_before_wrote_is_read(tmp_path: Path) -> None:
    west, east = await kept_in("state-1.db", tmp_path)
    assert (west.initiates, east.initiates) == (True, False)
    assert west.children == east.children == ("net",)
    assert west.elapsed == 7.0
    assert west.checkpoint.ike_sas[0].keys == east.checkpoint.ike_sas[0].keys
    (request,) = west.checkpoint.ike_sas[0].outstanding
    assert request.message_id == 2
    assert SCHEMA > 1


async def test_both_ends_go_on_after_an_upgrade_with_what_was_under_way(tmp_path: Path) -> None:
    pair = DurablePair()
    for end, kept in zip(pair.ends(), await kept_in("state-1.db", tmp_path), strict=True):
        (child,) = kept.checkpoint.children
        end.sas.update({one.sa_id: one for one in (child.inbound, child.outbound)})
        pair.saved[end.name] = pair.now, write_checkpoint(kept.checkpoint)
    before = set(pair.west.sas)
    for end in pair.ends():
        assert pair.kill(end)
    pair.hurry()
    pair.settle()
    pair.pass_time(30.0)
    pair.assert_one_pair()
    # The rekeying that was asked for has come about, and nothing else.
    assert not before & set(pair.west.sas)
    assert not any(end.said("ike-sa-established") for end in pair.ends())


async def test_what_is_read_of_it_is_the_same_when_it_is_written_anew(tmp_path: Path) -> None:
    for kept in await kept_in("state-1.db", tmp_path):
        octets = write_checkpoint(kept.checkpoint)
        assert read_checkpoint(octets) == kept.checkpoint
