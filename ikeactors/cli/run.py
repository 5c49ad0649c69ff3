"""From the arguments to an exit code: the one place where faults become words on stderr."""

from __future__ import annotations

import json
import os
import sys
import textwrap
from collections.abc import Sequence

from ikeactors.actors.printable import printable
from ikeactors.admin.client import DaemonUnreachable
from ikeactors.admin.vocabulary import ErrorCode, RequestRefused
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


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command."""
    options = parser().parse_args(arguments)
    try:
        code: int = options.run(options)
        sys.stdout.flush()
    except Fault as fault:
        return _explain(fault, in_json=options.json)
    except KeyboardInterrupt:
        return INTERRUPTED
    except BrokenPipeError:
        # Whoever read us has seen enough; Python's last flush must not complain either.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return PIPE_CLOSED
    return code


def _explain(fault: Fault, in_json: bool) -> int:
    code = fault.code if isinstance(fault, RequestRefused) else None
    if in_json:
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
