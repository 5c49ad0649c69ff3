"""From the arguments to an exit code: the one place where faults become words on stderr."""

from __future__ import annotations

import argparse
import errno
import json
import os
import sys
import textwrap
from collections.abc import Sequence

from ikeactors.actors.printable import printable
from ikeactors.admin.client import DaemonUnreachable
from ikeactors.admin.vocabulary import ErrorCode, RequestRefused
from ikeactors.cli.local import daemon
from ikeactors.cli.usage import parser
from ikeactors.errors import Fault

DONE = 0
FAILED = 1
UNREACHABLE = 3
# 128 and the number of SIGINT or SIGPIPE, as shells have it.
INTERRUPTED = 130
PIPE_CLOSED = 141

_PARAGRAPH = 4096
_WIDTH = 100


# What a full disk, a closed terminal and a closed descriptor say.
_CANNOT_WRITE = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO, errno.EBADF})


class NoOutput(Fault):
    """What was found out cannot be told."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command."""
    options = parser().parse_args(arguments)
    try:
        code = _run(options)
    except Fault as fault:
        return _explain(fault, in_json=options.json)
    except KeyboardInterrupt:
        return INTERRUPTED
    except BrokenPipeError:
        # Whoever read us has seen enough.
        _write_no_more()
        return PIPE_CLOSED
    except OSError as error:
        if error.errno not in _CANNOT_WRITE:
            raise
        _write_no_more()
        return _explain(NoOutput(f"standard output: {error.strerror}"), in_json=False)
    return code


def _run(options: argparse.Namespace) -> int:
    """The command itself. A daemon has nothing to print; others have not told what they found."""
    is_closed = sys.stdout is None
    if is_closed:
        # It takes the free descriptor, so that no socket is mistaken for standard output.
        sys.stdout = open(os.devnull, "w", encoding="utf-8")  # noqa: SIM115 - for good
    code: int = options.run(options)
    sys.stdout.flush()
    if is_closed and options.run is not daemon:
        raise NoOutput("standard output is closed")
    return code


def _write_no_more() -> None:
    """Python's last flush must not complain."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _explain(fault: Fault, in_json: bool) -> int:
    code = fault.code if isinstance(fault, RequestRefused) else None
    if in_json and not isinstance(fault, NoOutput):
        word = code.value if code else _word(fault)
        print(json.dumps({"ok": False, "error": {"code": word, "text": str(fault)}}))
    else:
        lines = [_folded(printable(line, _PARAGRAPH)) for line in str(fault).splitlines()]
        print("ikeactors:", "\n".join(lines), file=sys.stderr)
    if isinstance(fault, DaemonUnreachable) or code is ErrorCode.NOT_PERMITTED:
        return UNREACHABLE
    return FAILED


def _folded(line: str) -> str:
    """A line for whoever reads it: people want it folded, `grep` does not."""
    return textwrap.fill(line, _WIDTH, break_long_words=False) if sys.stderr.isatty() else line


def _word(fault: Fault) -> str:
    return "unreachable" if isinstance(fault, DaemonUnreachable) else "failed"
