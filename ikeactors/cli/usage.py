"""What may be typed: the commands, their options, and what `--help` says of them."""

from __future__ import annotations

import argparse
import os
import re
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import TypeAlias

from ikeactors import __version__
from ikeactors.admin.vocabulary import LEVELS
from ikeactors.cli import commands, local, verifying

DEFAULT_SOCKET = Path("/run/ikeactors/admin.sock")
DEFAULT_CONFIGURATION = Path("/etc/ikeactors/ikeactors.toml")
SOCKET_VARIABLE = "IKEACTORS_SOCKET"

Run = Callable[[argparse.Namespace], int]

_DURATION = re.compile(r"(\d+(?:\.\d+)?)(s|m|h|d)?", re.ASCII)
_SECONDS = {None: 1, "s": 1, "m": 60, "h": 3600, "d": 86400}


def parser() -> argparse.ArgumentParser:
    """All that may be typed."""
    whole = argparse.ArgumentParser(
        prog="ikeactors",
        description="An IKE daemon, and what steers it.",
        epilog="Exit codes: 0 done, 1 failed, 2 wrong usage, 3 the daemon cannot be reached.",
    )
    whole.add_argument("--version", action="version", version=f"ikeactors {__version__}")
    _add_socket(whole, Path(os.environ.get(SOCKET_VARIABLE) or DEFAULT_SOCKET))
    words = whole.add_subparsers(metavar="COMMAND", required=True)
    for add in (_add_local, _add_queries, _add_operations):
        add(words)
    return whole


def _add_socket(to: argparse.ArgumentParser, default: object) -> None:
    to.add_argument(
        "--socket",
        type=Path,
        metavar="PATH",
        default=default,
        help=f"the daemon's admin socket (${SOCKET_VARIABLE}, {DEFAULT_SOCKET})",
    )


def duration(text: str) -> float:
    """Seconds, from "90", "30s", "5m", "1h" or "2d"."""
    match = _DURATION.fullmatch(text)
    if match is None:
        raise argparse.ArgumentTypeError(f"{text!r}: a duration is like 30s, 5m, 1h or 2d")
    return float(match[1]) * _SECONDS[match[2]]


# argparse has no public name for what add_subparsers returns.
_Words: TypeAlias = "argparse._SubParsersAction[argparse.ArgumentParser]"


def _add_local(words: _Words) -> None:
    daemon = _word(words, "daemon", local.daemon, "run the daemon in the foreground")
    daemon.add_argument("--config", type=Path, metavar="FILE", default=DEFAULT_CONFIGURATION)
    daemon.add_argument(
        "--key-log",
        type=Path,
        metavar="PLACE",
        help="write all keys for Wireshark, into a directory (ikev2_decryption_table and esp_sa) "
        "or into the files PLACE (IKE) and PLACE.esp: whoever reads them reads all traffic",
    )
    daemon.add_argument("--log-level", choices=LEVELS, help="instead of the configured one")
    _add_verify(words)
    check = _word(words, "check", local.check, "tell every mistake in a configuration")
    check.add_argument(
        "config", type=Path, metavar="FILE", nargs="?", default=DEFAULT_CONFIGURATION
    )
    check.add_argument(
        "--kernel",
        action="store_true",
        help="ask the running kernel, as root, whether it has all that the configuration needs",
    )


def _add_verify(words: _Words) -> None:
    verify = _word(
        words,
        "verify",
        verifying.verify,
        "what a connection would say of a certificate, and why; exits with 1 where it refuses it, "
        "with 2 where there is nothing to examine",
    )
    verify.add_argument(
        "certificates",
        type=Path,
        metavar="CERT",
        nargs="+",
        help="files, PEM or DER: the peer's own, then those it sends along",
    )
    verify.add_argument("--for", dest="connection", metavar="CONNECTION", required=True)
    verify.add_argument("--config", type=Path, metavar="FILE", default=DEFAULT_CONFIGURATION)
    verify.add_argument(
        "--round",
        type=_positive,
        metavar="N",
        help="of a peer that proves several identities, which one; the first with a certificate",
    )
    verify.add_argument("--id", metavar="IDENTITY", help="whom the peer says it is")
    verify.add_argument(
        "--at", type=_instant, metavar="2027-01-31", help="on another day than today"
    )


def _positive(text: str) -> int:
    if not text.isdecimal() or not int(text):
        raise argparse.ArgumentTypeError(f"{text!r}: a number from 1 expected")
    return int(text)


def _instant(text: str) -> datetime:
    """A day, or a day and a time, in UTC."""
    try:
        instant = datetime.fromisoformat(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(f"{text!r}: a day is like 2027-01-31") from error
    return instant if instant.tzinfo else instant.replace(tzinfo=UTC)


def _add_queries(words: _Words) -> None:
    status = _word(words, "status", commands.status, "the daemon and its tunnels, up or down")
    status.add_argument("connection", metavar="NAME", nargs="?", default="")
    listed = _word(words, "list", commands.listing, "connections as configured, or SAs")
    listed.add_argument("what", choices=("conns", "sas"))
    listed.add_argument("connection", metavar="CONNECTION", nargs="?", default="")
    events = _word(words, "events", commands.events, "what happens, as it happens")
    events.add_argument(
        "--filter",
        action="append",
        metavar="NAME",
        default=[],
        help='names of events, patterns as "ike-sa-*" too; may be given several times',
    )
    events.add_argument("--connection", metavar="CONNECTION", default="")
    events.add_argument("--level", choices=LEVELS, default="info")
    _word(words, "statistics", commands.statistics, "what every part of the daemon counts")
    _word(
        words,
        "kernel",
        commands.kernel,
        "what the kernel holds against what it should hold; differences are mended by themselves",
    )
    _word(words, "version", commands.version, "our version and the daemon's")


def _add_operations(words: _Words) -> None:
    up = _word(words, "up", commands.up, "bring up a connection or a child, and wait for it")
    _add_target(up)
    up.add_argument("--verbose", "-v", action="store_true", help="show every step")
    down = _word(words, "down", commands.down, "take down a connection or a child")
    _add_target(down)
    down.add_argument("--spi", metavar="HEX", help="only the Child SA with this inbound SPI")
    rekey = _word(words, "rekey", commands.rekey, "rekey the Child SAs of a connection, or a child")
    _add_target(rekey)
    which = rekey.add_mutually_exclusive_group()
    which.add_argument("--ike", action="store_true", help="the IKE SA instead")
    which.add_argument(
        "--reauth", action="store_true", help="a new IKE SA in its place, authenticated anew"
    )
    which.add_argument("--spi", metavar="HEX", help="only the Child SA with this inbound SPI")
    for word, run, text in (
        ("install", commands.install, "have the next packet bring up a child; pass or drop again"),
        ("uninstall", commands.uninstall, "no longer; Child SAs that are up stay"),
    ):
        _word(words, word, run, text).add_argument("name", metavar="NAME")
    level = _word(
        words, "log-level", commands.log_level, "log more or less, at once; alone: show how much"
    )
    level.add_argument("level", metavar="LEVEL", choices=(*LEVELS, "default"), nargs="?")
    level.add_argument("connection", metavar="CONNECTION", nargs="?", default="")
    _word(
        words,
        "reload-creds",
        commands.reload_creds,
        "read keys, certificates, CRLs and secrets again; no tunnel goes down",
    )
    stop = _word(words, "stop", commands.stop, "end the daemon; its tunnels stay for the next one")
    stop.add_argument(
        "--flush", action="store_true", help="take them down first, whatever stop_action says"
    )


def _add_target(word: argparse.ArgumentParser) -> None:
    word.add_argument("name", metavar="NAME", help="CONNECTION, CONNECTION/CHILD or CHILD")
    word.add_argument(
        "--timeout",
        type=duration,
        metavar="30s",
        default=30.0,
        help="how long to wait for the end; 0 is for ever",
    )


def _word(words: _Words, name: str, run: Run, text: str) -> argparse.ArgumentParser:
    word = words.add_parser(name, help=text, description=text)
    word.add_argument("--json", action="store_true", help="for programs: JSON")
    # Behind the command as well as before it; what is not said here leaves that alone.
    _add_socket(word, argparse.SUPPRESS)
    word.set_defaults(run=run)
    return word
