"""The commands that need no running daemon: being one, and checking a configuration.

They import the daemon only when they run: `ikeactors status` has to be quick.
"""

from __future__ import annotations

import argparse
import os
import socket
import sys
from collections.abc import Iterable
from dataclasses import asdict, replace
from typing import TYPE_CHECKING

from ikeactors.actors.printable import printable
from ikeactors.cli.tables import print_document

if TYPE_CHECKING:
    from ikeactors.config import ConfigurationFaults, Mistake

_NOTIFY_VARIABLE = "NOTIFY_SOCKET"
_PARAGRAPH = 1024


def daemon(options: argparse.Namespace) -> int:
    """Be the daemon, in the foreground, until told to stop."""
    import trio

    from ikeactors.config import load
    from ikeactors.daemon import Options, run_daemon

    configuration = load(options.config)
    _warn(configuration.warnings)
    if options.log_level is not None:
        settings = replace(configuration.daemon, log_level=options.log_level)
        configuration = replace(configuration, daemon=settings)
    trio.run(run_daemon, configuration, Options(key_log=options.key_log), notify_ready)
    return 0


def check(options: argparse.Namespace) -> int:
    """Tell every mistake in a configuration."""
    from ikeactors.config import ConfigurationFaults, load

    try:
        configuration = load(options.config)
    except ConfigurationFaults as faults:
        return _tell_mistakes(options, faults)
    if options.json:
        warnings = list(map(asdict, configuration.warnings))
        return print_document({"ok": True, "mistakes": [], "warnings": warnings})
    _warn(configuration.warnings)
    count = len(configuration.connections)
    print(f"{options.config}: no mistakes; {count} connection{'' if count == 1 else 's'}")
    return 0


def notify_ready() -> None:
    """Tell systemd that the daemon serves, where systemd has started it (sd_notify)."""
    name = os.environ.get(_NOTIFY_VARIABLE)
    if not name:
        return
    # A name that begins with "@" is in Linux's abstract namespace.
    address = "\0" + name[1:] if name.startswith("@") else name
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as notification:
        notification.connect(address)
        notification.send(b"READY=1")


def _tell_mistakes(options: argparse.Namespace, faults: ConfigurationFaults) -> int:
    mistakes = faults.mistakes
    if options.json:
        found, warnings = list(map(asdict, mistakes)), list(map(asdict, faults.warnings))
        print_document({"ok": False, "mistakes": found, "warnings": warnings})
        return 1
    _warn(faults.warnings)
    for mistake in mistakes:
        print(printable(str(mistake), _PARAGRAPH))
    count = len(mistakes)
    print(f"{options.config}: {count} mistake{'' if count == 1 else 's'}", file=sys.stderr)
    return 1


def _warn(warnings: Iterable[Mistake]) -> None:
    for warning in warnings:
        print(f"warning: {printable(str(warning), _PARAGRAPH)}", file=sys.stderr)
