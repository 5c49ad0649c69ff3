"""Which tests are left to `tools/test --thorough`: more of the same kind, at the price of minutes.

Each row names a file and a part of a test's name; what it leaves out has a sibling that stays.
"""

from __future__ import annotations

from tests.realkernel.guest import everywhere, moving, overlapping

THOROUGH = (
    # Each seventh of these kills stays.
    ("simulation/test_kills.py", "at_each_step"),
    # The other order of nonces, and strongSwan as the initiator of the IKE SA.
    ("interop/test_crossing.py", "falling"),
    ("interop/test_crossing.py", "strongswan-ordered"),
    # ChaCha20 is like GCM; CBC stays with IPv4, GCM with both.
    ("interop/test_lifecycle.py", "chacha"),
    ("interop/test_lifecycle.py", "cbc-ipv6"),
    ("interop/test_soak.py", "[strongswan-"),
    ("interop/test_soak.py", "-strongswan to ikeactors]"),
    ("interop/test_soak.py", "one_of_each[strongswan"),
    ("interop/test_mobike.py", "[initiator-strongswan"),
    ("interop/test_mobike.py", "[responder-ikeactors"),
    # It takes half a minute of waiting; the protocol's and the simulation's tests have it too.
    ("interop/test_auth_lifetime.py", "reauthenticate["),
    ("netns/test_key_log.py", "[cbc"),
    ("netns/test_lifecycle.py", "leave_one[ipv6]"),
)
# Parts of what the virtual machine checks.
THOROUGH_PARTS = (everywhere, moving, overlapping)


def is_thorough(node: str) -> bool:
    """Whether a test, by its pytest node, is one of these."""
    if "realkernel/test_realkernel.py" in node:
        return any(f"[{name}]" in node for part in THOROUGH_PARTS for name in part.NAMES)
    return any(file in node and part in node for file, part in THOROUGH)
