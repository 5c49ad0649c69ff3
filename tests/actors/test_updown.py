"""Scripts at up and down: what they are told, and what becomes of those that fail or hang."""

from __future__ import annotations

from dataclasses import replace
from ipaddress import ip_address
from pathlib import Path

import pytest

from ikeactors.actors import updown
from ikeactors.actors.updown import ScriptFailed, environments, run_script
from ikeactors.iana import ProtocolId
from ikeactors.kernel.requests import Mark
from ikeactors.protocol.actions import FollowChildSa
from ikeactors.protocol.events import Endpoint
from ikeactors.protocol.settings import ChildSettings
from tests.fakes.sas import selector

ACTION = FollowChildSa(
    connection="gw",
    settings=ChildSettings("net", updown="/x"),
    number=3,
    local=Endpoint(ip_address("192.0.2.1"), 4500),
    remote=Endpoint(ip_address("192.0.2.2"), 4501),
    local_id="west",
    remote_id="east; rm -rf /",
    local_ts=(selector("10.1.0.0/16", 6, (80, 80)),),
    remote_ts=(selector("10.2.0.0/24"),),
    protocol=ProtocolId.ESP,
    reqid=7,
    encapsulated=False,
)


def script(tmp_path: Path, text: str) -> str:
    path = tmp_path / "script"
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(0o755)
    return str(path)


def test_a_script_is_told_what_strongswans_is():
    (told,) = environments("up", ACTION)
    del told["PATH"]
    assert told == {
        "PLUTO_VERSION": "1.1",
        "PLUTO_VERB": "up-client",
        "PLUTO_CONNECTION": "net",
        "PLUTO_IKE_CONNECTION": "gw",
        "PLUTO_REQID": "7",
        "PLUTO_PROTO": "esp",
        "PLUTO_UNIQUEID": "3",
        "PLUTO_ME": "192.0.2.1",
        "PLUTO_MY_ID": "west",
        "PLUTO_MY_CLIENT": "10.1.0.0/16",
        "PLUTO_MY_PROTOCOL": "6",
        "PLUTO_MY_PORT": "80",
        "PLUTO_PEER": "192.0.2.2",
        "PLUTO_PEER_ID": "east; rm -rf /",
        "PLUTO_PEER_CLIENT": "10.2.0.0/24",
        "PLUTO_PEER_PROTOCOL": "0",
        "PLUTO_PEER_PORT": "0",
    }


def test_marks_interfaces_and_udp_are_told_where_there_are_any():
    settings = ChildSettings(
        "net", mark_in=Mark(5), mark_out=Mark(6, 0xFF), if_id_in=7, if_id_out=8
    )
    (told,) = environments("up", replace(ACTION, settings=settings, encapsulated=True))
    assert (told["PLUTO_MARK_IN"], told["PLUTO_MARK_OUT"]) == ("5/0xffffffff", "6/0x000000ff")
    assert (told["PLUTO_IF_ID_IN"], told["PLUTO_IF_ID_OUT"]) == ("7", "8")
    assert told["PLUTO_UDP_ENC"] == "4501"


def test_it_runs_for_each_pair_of_one_family():
    action = replace(
        ACTION,
        local_ts=(selector("192.0.2.1/32"), selector("fd01::/64")),
        remote_ts=(selector("10.2.0.0/24"), selector("10.3.0.0/24"), selector("fd02::/64")),
    )
    told = [(one["PLUTO_VERB"], one["PLUTO_PEER_CLIENT"]) for one in environments("down", action)]
    assert told == [
        ("down-host", "10.2.0.0/24"),
        ("down-host", "10.3.0.0/24"),
        ("down-client-v6", "fd02::/64"),
    ]


async def test_a_script_has_its_environment_and_nothing_else(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    path = script(tmp_path, f'echo "$PLUTO_PEER_ID" > {tmp_path}/out; env >> {tmp_path}/out')
    monkeypatch.setenv("IKEACTORS_TEST", "1")
    (told,) = environments("up", ACTION)
    await run_script(path, told)
    lines = (tmp_path / "out").read_text().splitlines()
    assert lines[0] == "east; rm -rf /"
    assert not any("IKEACTORS_TEST" in line for line in lines)


async def test_a_failure_is_told_with_what_the_script_said(tmp_path: Path):
    path = script(tmp_path, "echo no such rule >&2; exit 3")
    with pytest.raises(ScriptFailed, match="exit status 3: no such rule"):
        await run_script(path, {})


async def test_a_script_that_is_not_there_is_told(tmp_path: Path):
    with pytest.raises(ScriptFailed, match="No such file"):
        await run_script(str(tmp_path / "none"), {})


async def test_a_script_that_says_too_much_is_heard_to_its_end(tmp_path: Path):
    path = script(tmp_path, "head -c 1000000 /dev/zero; exit 1")
    with pytest.raises(ScriptFailed) as caught:
        await run_script(path, {})
    assert len(str(caught.value)) < 5 * updown.MAX_WORDS


async def test_a_script_that_hangs_is_killed_with_what_it_started(
    tmp_path: Path,
):
    path = script(tmp_path, f"sleep 987 & echo $! > {tmp_path}/pid; wait")
    with pytest.raises(ScriptFailed, match="killed after"):
        await run_script(path, {"PATH": "/bin:/usr/bin"}, time_limit=0.5)
    pid = int((tmp_path / "pid").read_text())
    state = Path(f"/proc/{pid}/stat")
    assert not state.exists() or state.read_text().split()[2] == "Z"
