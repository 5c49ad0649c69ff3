"""The commands that talk to a running daemon."""

from __future__ import annotations

import argparse
import json
import re
import sys
from collections.abc import Mapping

from ikeactors import __version__
from ikeactors.actors.printable import printable
from ikeactors.admin.client import Client, Message
from ikeactors.cli.tables import print_document, print_table
from ikeactors.cli.words import (
    connection_rows,
    event_line,
    expiry_lines,
    kernel_head,
    kernel_rows,
    sa_lines,
    statistics_lines,
    status_head,
    status_lines,
)

# The daemon ends a request when its time is over; this much later we stop believing that it lives.
GRACE = 10.0

_ARROWS = {"message-sent": "-->", "message-received": "<--"}
_TALKATIVE = frozenset({"debug"})


def status(options: argparse.Namespace) -> int:
    """The daemon, and every tunnel that is or should be."""
    with Client(options.socket) as client:
        daemon, streamed = client.listing("status", {"connection": options.connection})
    tunnels, sas = streamed.get("tunnels", []), streamed.get("sas", [])
    if options.json:
        return print_document({"daemon": daemon, "tunnels": tunnels, "sas": sas})
    if not options.connection:
        print(status_head(daemon))
        for line in expiry_lines(daemon):
            print(line)
    for line in status_lines(tunnels, sas):
        print(line)
    return 0


def listing(options: argparse.Namespace) -> int:
    """Connections or SAs."""
    with Client(options.socket) as client:
        _, streamed = client.listing(f"list-{options.what}", {"connection": options.connection})
    found = streamed.get(options.what, [])
    if options.json:
        return print_document({options.what: found})
    if options.what == "sas":
        for line in sa_lines(found):
            print(line)
        return 0
    print_table(("connection", "local", "remote", "auth", "children"), connection_rows(found))
    return 0


def statistics(options: argparse.Namespace) -> int:
    """What every part of the daemon counts."""
    with Client(options.socket) as client:
        counted = client.ask("statistics")
    if options.json:
        return print_document(counted)
    for line in statistics_lines(counted):
        print(line)
    return 0


def kernel(options: argparse.Namespace) -> int:
    """The data plane against what should be there; what differs is mended by itself."""
    with Client(options.socket) as client:
        summary, streamed = client.listing("kernel")
    differences = streamed.get("differences", [])
    if options.json:
        return print_document({**summary, "differences": differences})
    print(kernel_head(summary))
    print_table(("", "wanted", "missing", "orphans", "replaced", "foreign"), kernel_rows(summary))
    if differences:
        rows = [[str(one[key]) for key in ("what", "state", "text")] for one in differences]
        print()
        print_table(("what", "state", "entry"), rows)
    return 0


def version(options: argparse.Namespace) -> int:
    """Our version, which is always known, and the daemon's."""
    if not options.json:
        print(f"ikeactors {__version__}", flush=True)
    with Client(options.socket) as client:
        daemon = client.ask("version")
    if options.json:
        return print_document({"client": __version__, "daemon": daemon})
    words = ("version", "python", "system")
    print(f"daemon {', '.join(f'{word} {daemon[word]}' for word in words)}")
    return 0


def events(options: argparse.Namespace) -> int:
    """What happens, until interrupted."""
    arguments = {
        "names": options.filter,
        "connection": options.connection,
        "level": options.level,
    }
    with Client(options.socket) as client:
        for event in client.events(arguments):
            print(json.dumps(event) if options.json else event_line(event), flush=True)
    print("ikeactors: the daemon ended the subscription", file=sys.stderr)
    return 1


def up(options: argparse.Namespace) -> int:
    """Bring up a connection or a child."""
    try:
        return _operation(options, "up", {}, "is up", verbose=options.verbose)
    except KeyboardInterrupt:
        name = printable(options.name)
        text = f"{name}: the daemon goes on trying; to stop it: ikeactors down {name}"
        print(f"\nikeactors: {text}", file=sys.stderr)
        raise


def down(options: argparse.Namespace) -> int:
    """Take down a connection or a child."""
    return _operation(options, "down", _spi(options), "is down")


def rekey(options: argparse.Namespace) -> int:
    """Rekey Child SAs, or an IKE SA, or make a new one of it."""
    if options.reauth:
        return _operation(options, "rekey", {"reauth": True}, "is reauthenticated")
    return _operation(options, "rekey", {"ike": options.ike, **_spi(options)}, "is rekeyed")


def log_level(options: argparse.Namespace) -> int:
    """Log more or less; without a level, show the levels there are."""
    arguments = {"level": options.level, "connection": options.connection}
    with Client(options.socket) as client:
        if options.level is None:
            daemon, _ = client.listing("status")
            levels = _map(daemon["log_levels"])
        else:
            levels = client.ask("log-level", arguments)
    if options.json:
        return print_document(levels)
    print_table(("connection", "level"), [(name, str(level)) for name, level in levels.items()])
    return 0


def reload_creds(options: argparse.Namespace) -> int:
    """Have keys and certificates read again."""
    with Client(options.socket) as client:
        result = client.ask("reload-creds")
    if options.json:
        return print_document(result)
    print(printable(str(result["text"])))
    return 0


def install(options: argparse.Namespace) -> int:
    """Have packets bring children up; put shunts in force again."""
    return _policies(options, "install")


def uninstall(options: argparse.Namespace) -> int:
    """Take traps and shunts out of force."""
    return _policies(options, "uninstall")


def _policies(options: argparse.Namespace, command: str) -> int:
    with Client(options.socket) as client:
        result = client.ask(command, {"name": options.name})
    if options.json:
        return print_document(result)
    names = result[f"{command}ed"]
    assert isinstance(names, list)
    listed = ", ".join(printable(str(one)) for one in names)
    print(f"{command}ed: {listed}" if names else f"nothing to {command}")
    return 0


def stop(options: argparse.Namespace) -> int:
    """End the daemon."""
    with Client(options.socket) as client:
        result = client.ask("stop", {"flush": options.flush})
    if options.json:
        return print_document(result)
    print("the daemon is stopping")
    return 0


def _operation(
    options: argparse.Namespace,
    command: str,
    arguments: Mapping[str, object],
    done: str,
    verbose: bool = False,
) -> int:
    """Ask for something that takes its time; tell what happens on the way."""

    def tell(report: Message) -> None:
        if options.json:
            return
        line = _progress_line(report, verbose)
        if line:
            print(line, flush=True)

    everything = {"name": options.name, "timeout": options.timeout, **arguments}
    patience = options.timeout + GRACE if options.timeout else None
    with Client(options.socket) as client:
        result = client.ask(command, everything, tell, patience)
    if options.json:
        return print_document({"ok": True, "result": result})
    print(f"{printable(options.name)} {done}")
    sas = result["sas"]
    assert isinstance(sas, list)
    for line in sa_lines(sas):
        print(line)
    return 0


def _progress_line(report: Message, verbose: bool) -> str:
    """The messages in the RFC's notation, and whatever else is worth a line."""
    text = printable(str(report["text"]), 1024)
    text = text if verbose else shortened(text)
    arrow = _ARROWS.get(str(report["name"]))
    if arrow is not None:
        return text if text.startswith(arrow) else f"{arrow} {text}"
    if not verbose and report["level"] in _TALKATIVE:
        return ""
    return f"    {text}"


def shortened(text: str) -> str:
    """A sentence whose lists of algorithms show their first; --verbose and --json have them all."""
    return _LONG_LIST.sub(r"\1/...", text)


# A suite has up to four; a proposal with more than six has alternatives.
_LONG_LIST = re.compile(r"\b([A-Z0-9_-]+(?:/[A-Z0-9_-]+){2})(?:/[A-Z0-9_-]+){4,}")


def _map(value: object) -> dict[str, object]:
    assert isinstance(value, dict)
    return value


def _spi(options: argparse.Namespace) -> dict[str, object]:
    return {} if options.spi is None else {"spi": options.spi}
