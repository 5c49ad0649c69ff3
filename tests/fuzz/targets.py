"""All fuzz targets by name: what `tools/fuzz` runs for long and the suite for a moment."""

from __future__ import annotations

from tests.fuzz.certificates import CERTIFICATES
from tests.fuzz.conversations import CONVERSATIONS
from tests.fuzz.kernel import KERNEL
from tests.fuzz.local import LOCAL
from tests.fuzz.target import Target
from tests.fuzz.wire import WIRE

TARGETS: dict[str, Target] = {
    **WIRE,
    **CERTIFICATES,
    **CONVERSATIONS,
    **KERNEL,
    **LOCAL,
}
