"""What the guest runs: all checks, or those of the parts named on the command line."""

from __future__ import annotations

import sys

from tests.realkernel.guest import (
    backend,
    compressing,
    everywhere,
    features,
    interfaces,
    moving,
    needs,
    overlapping,
    quickstart,
    reconciling,
    restart,
    same,
    sharing,
    strongswan,
    traps,
)

PARTS = {
    "quickstart": quickstart,
    "backend": backend,
    "features": features,
    "interfaces": interfaces,
    "needs": needs,
    "overlapping": overlapping,
    "sharing": sharing,
    "same": same,
    "everywhere": everywhere,
    "strongswan": strongswan,
    "restart": restart,
    "moving": moving,
    "traps": traps,
    "compressing": compressing,
    "reconciling": reconciling,
}
NAMES = tuple(name for part in PARTS.values() for name in part.NAMES)

if __name__ == "__main__":
    for name in sys.argv[1:] or PARTS:
        PARTS[name].run()
