"""The example of docs/testing.rst."""

from ikeactors.protocol.events import RekeyRequested
from tests.pair import Pair


def test_a_child_sa_is_rekeyed() -> None:
    pair = Pair().establish()
    pair.trace.clear()

    pair.give(pair.west, RekeyRequested("net"))
    pair.settle()

    assert pair.trace == [
        "--> HDR, SK {N(REKEY_SA), SA, Ni, TSi, TSr}",
        "<-- HDR, SK {SA, Nr, TSi, TSr}",
        "--> HDR, SK {D}",
        "<-- HDR, SK {D}",
    ]
    pair.pass_time(10.0)
    pair.assert_mirrored()
