"""What the guest prints for each check: a line that the host reads.

check <tab> name <tab> ok or failed <tab> detail as JSON
"""

from __future__ import annotations

import json
import sys
import traceback
from collections.abc import Callable

MARK = "check"
_MOST_DETAIL = 4000


def attempt(name: str, check: Callable[[], None]) -> None:
    """Run a check and print what came of it; one that fails leaves the others their turn."""
    try:
        check()
    except Exception:  # noqa: BLE001 - whatever it is, the host is told
        tell(name, "failed", traceback.format_exc()[-_MOST_DETAIL:])
    else:
        tell(name, "ok")


def tell(name: str, verdict: str, detail: str = "") -> None:
    """Print a check's line."""
    sys.stdout.write(f"\n{MARK}\t{name}\t{verdict}\t{json.dumps(detail)}\n")
    sys.stdout.flush()
