"""The commands that need no running daemon: being one, and checking a configuration.

They import the daemon only when they run: `ikeactors status` has to be quick.
"""

from __future__ import annotations

import argparse
import secrets
import sys
from collections.abc import Iterable, Sequence
from dataclasses import asdict, replace
from functools import partial
from typing import TYPE_CHECKING

from ikeactors.actors.printable import printable
from ikeactors.cli.tables import print_document

if TYPE_CHECKING:
    from ikeactors.actors.needs import Lack
    from ikeactors.config import Configuration, ConfigurationFaults, Mistake

_PARAGRAPH = 1024
# Of what a kernel lacks: alternatives multiply. `--json` has all.
_MOST_LINES = 6


def daemon(options: argparse.Namespace) -> int:
    """Be the daemon, in the foreground, until told to stop."""
    import trio

    from ikeactors.config import load
    from ikeactors.daemon import run_daemon
    from ikeactors.parts import Options

    configuration = load(options.config)
    _warn(configuration.warnings)
    if options.log_level is not None:
        settings = replace(configuration.daemon, log_level=options.log_level)
        configuration = replace(configuration, daemon=settings)
    given = Options(key_log=options.key_log, load=partial(load, options.config))
    trio.run(run_daemon, configuration, given, notify_ready)
    return 0


def check(options: argparse.Namespace) -> int:
    """Tell every mistake in a configuration."""
    from ikeactors.config import ConfigurationFaults, load

    try:
        configuration = load(options.config)
    except ConfigurationFaults as faults:
        return _tell_mistakes(options, faults)
    found = lacks_of(configuration) if options.kernel else []
    if options.json:
        document = {"ok": not found, "mistakes": []}
        document["warnings"] = list(map(asdict, configuration.warnings))
        document["tokens"] = list(configuration.found_on_tokens)
        document |= {"kernel": list(map(asdict, found))} if options.kernel else {}
        print_document(document)
        return 1 if found else 0
    _warn(configuration.warnings)
    count = len(configuration.connections)
    print(f"{options.config}: no mistakes; {count} connection{'' if count == 1 else 's'}")
    for text in configuration.found_on_tokens:
        print(printable(text, _PARAGRAPH))
    if options.kernel:
        _tell_lacks(configuration, found)
    return 1 if found else 0


def lacks_of(configuration: Configuration) -> list[Lack]:
    """What the running kernel lacks of what a configuration needs."""
    from ikeactors.actors.needs import Lack, lacks
    from ikeactors.actors.probing import open_xfrm
    from ikeactors.actors.xfrm_interfaces import why_no_interfaces
    from ikeactors.kernel.requests import KernelRefusal

    if configuration.daemon.kernel == "userspace":
        return []
    try:
        backend = open_xfrm()
    except KernelRefusal as refusal:
        return [Lack(str(refusal), (), ())]
    try:
        found = lacks(backend, configuration.connections, secrets.token_bytes)
    finally:
        backend.close()
    names = tuple(f"interfaces.{one.name}" for one in configuration.interfaces)
    reason = why_no_interfaces() if names else ""
    return [*found, Lack(reason, ("an XFRM interface",), names)] if reason else found


def _tell_lacks(configuration: Configuration, found: Sequence[Lack]) -> None:
    if configuration.daemon.kernel == "userspace":
        print("kernel: not asked, for the user space carries ESP")
    elif not found:
        print("kernel: has all that is needed")
    for lack in found:
        print(f"kernel: {printable(lack.reason, _PARAGRAPH)}")
        _tell_some(lack.what, "")
        _tell_some(lack.needed_by, "needed by ")


def _tell_some(lines: Sequence[str], prefix: str) -> None:
    for line in lines[:_MOST_LINES]:
        print(f"  {prefix}{printable(line, _PARAGRAPH)}")
    if len(lines) > _MOST_LINES:
        print(f"  {prefix}{len(lines) - _MOST_LINES} more")


def notify_ready() -> None:
    """Tell systemd that the daemon serves, where systemd has started it."""
    from ikeactors.actors.service_manager import tell_service_manager

    tell_service_manager("READY=1")


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
