"""Scripts at up and down: their environment, which is that of strongSwan's, and how they are run.

No shell is in between. What a peer has said of itself is in variables that scripts must quote.
"""

from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import suppress
from itertools import product

import trio

from ikeactors.iana import ProtocolId
from ikeactors.kernel.requests import Mark
from ikeactors.protocol.actions import FollowChildSa
from ikeactors.wire.selectors import TrafficSelector

# Ours: a script adds some rules or routes. One that takes longer waits for something.
TIME_LIMIT = 30.0
# Ours: what is kept of a script's words, for the log.
MAX_WORDS = 2000

_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
_VERSION = "1.1"
_CHUNK = 4096


class ScriptFailed(Exception):
    """A script ended with an error, or was ended; the text says how."""


def environments(verb: str, action: FollowChildSa) -> Iterator[dict[str, str]]:
    """What a script is told: it runs once for each pair of selectors of one address family."""
    for local, remote in product(action.local_ts, action.remote_ts):
        if local.start.version == remote.start.version:
            yield {
                **_of_child(action),
                "PLUTO_VERB": _verb(verb, local, action),
                **_of_end("MY", local),
                **_of_end("PEER", remote),
            }


async def run_script(
    path: str, environment: Mapping[str, str], time_limit: float = TIME_LIMIT
) -> None:
    """Run a program to its end. Raises `ScriptFailed`."""
    try:
        process = await trio.lowlevel.open_process(
            [path],
            env=dict(environment),
            cwd="/",
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    except OSError as error:
        raise ScriptFailed(f"it cannot be run: {error.strerror}") from None
    words = bytearray()
    try:
        with trio.move_on_after(time_limit) as patience:
            await _listen(process, words)
            await process.wait()
    finally:
        # Also what it has left behind, which may still hold its output.
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        with trio.CancelScope(shield=True):
            await process.wait()
            assert process.stdout is not None
            await process.stdout.aclose()
    if patience.cancelled_caught:
        raise ScriptFailed(f"it was killed after {time_limit:.0f} s")
    if process.returncode:
        said = words.decode("ascii", "backslashreplace").strip()
        raise ScriptFailed(f"exit status {process.returncode}: {said or 'it said nothing'}")


async def _listen(process: trio.Process, words: bytearray) -> None:
    assert process.stdout is not None
    while chunk := await process.stdout.receive_some(_CHUNK):
        words += chunk[: MAX_WORDS - len(words)]


def _of_child(action: FollowChildSa) -> dict[str, str]:
    settings = action.settings
    found = {
        "PATH": _PATH,
        "PLUTO_VERSION": _VERSION,
        "PLUTO_CONNECTION": settings.name,
        "PLUTO_IKE_CONNECTION": action.connection,
        "PLUTO_REQID": str(action.reqid),
        "PLUTO_PROTO": "ah" if action.protocol == ProtocolId.AH else "esp",
        "PLUTO_UNIQUEID": str(action.number),
        "PLUTO_ME": str(action.local.address),
        "PLUTO_MY_ID": action.local_id,
        "PLUTO_PEER": str(action.remote.address),
        "PLUTO_PEER_ID": action.remote_id,
    }
    for name, mark in (("IN", settings.mark_in), ("OUT", settings.mark_out)):
        found |= {} if mark is None else {f"PLUTO_MARK_{name}": _mark(mark)}
    for name, if_id in (("IN", settings.if_id_in), ("OUT", settings.if_id_out)):
        found |= {f"PLUTO_IF_ID_{name}": str(if_id)} if if_id else {}
    if action.encapsulated:
        found["PLUTO_UDP_ENC"] = str(action.remote.port)
    return found


def _of_end(whose: str, selector: TrafficSelector) -> dict[str, str]:
    """The network that holds the selector, its protocol, and its port where there is one only."""
    differing = (int(selector.start) ^ int(selector.end)).bit_length()
    length = selector.start.max_prefixlen - differing
    network = int(selector.start) >> differing << differing
    port = selector.start_port if selector.start_port == selector.end_port else 0
    return {
        f"PLUTO_{whose}_CLIENT": f"{type(selector.start)(network)}/{length}",
        f"PLUTO_{whose}_PROTOCOL": str(selector.protocol),
        f"PLUTO_{whose}_PORT": str(port),
    }


def _verb(verb: str, local: TrafficSelector, action: FollowChildSa) -> str:
    is_host = local.start == local.end == action.local.address
    version = "-v6" if local.start.version == 6 else ""
    return f"{verb}-{'host' if is_host else 'client'}{version}"


def _mark(mark: Mark) -> str:
    return f"{mark.value}/0x{mark.mask:08x}"
