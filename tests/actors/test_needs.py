"""What a configuration needs of a kernel, asked of kernels that have it or have not."""

from __future__ import annotations

import errno
import os
from collections.abc import Callable

from ikeactors.actors.needs import Lack, lacks, needs
from ikeactors.config.proposals import ah_proposals, esp_proposals, templates
from ikeactors.iana import Encr, ProtocolId
from ikeactors.kernel.compression import IPCOMP
from ikeactors.kernel.netlink import Acknowledgement
from ikeactors.kernel.requests import Mode, SaRequest
from ikeactors.kernel.xfrm_refusals import refusal_of
from ikeactors.protocol.settings import AddressPattern, ChildSettings, ConnectionSettings
from tests.fakes.sas import EAST

Takes = Callable[[SaRequest], int]


class Kernel:
    """Says to each SA what `takes` says, 0 or an errno."""

    def __init__(self, takes: Takes) -> None:
        self._takes = takes
        self.asked: list[SaRequest] = []

    def try_sa(self, request: SaRequest) -> None:
        self.asked.append(request)
        number = self._takes(request)
        if number:
            raise refusal_of(Acknowledgement(number), request)


def child(name: str = "net", proposals: str = "aes128gcm16", **changes: object) -> ChildSettings:
    """A child with these ESP proposals."""
    esp = templates(ProtocolId.ESP, esp_proposals(proposals))
    return ChildSettings(name, esp_proposals=esp, **changes)  # type: ignore[arg-type]


def connection(*children: ChildSettings, **changes: object) -> ConnectionSettings:
    """A connection over IPv4 with these children."""
    there = (AddressPattern(EAST, EAST),)
    return ConnectionSettings("gw", remote_addrs=there, children=children, **changes)  # type: ignore[arg-type]


def test_every_alternative_is_asked_for_with_and_without_udp() -> None:
    found = needs([connection(child(proposals="aes128-aes256-sha256-sha512-x25519-esn-noesn"))])
    assert len(found) == 2 * 2 * 2 * 2
    assert {need.version for need in found} == {4}
    assert {need.in_udp for need in found} == {False, True}


def test_encap_needs_udp_only_and_ah_never() -> None:
    ah = ChildSettings("ah", ah_proposals=templates(ProtocolId.AH, ah_proposals("sha256")))
    assert {need.in_udp for need in needs([connection(child(), encap=True)])} == {True}
    assert {need.in_udp for need in needs([connection(ah)])} == {False}


def test_compression_is_asked_for_by_itself() -> None:
    found = needs([connection(child(ipcomp=True))])
    (compression,) = [need for need in found if need.compressed]
    assert str(compression) == "compression in tunnel mode over IPv4"
    assert compression.sa(bytes).protocol == IPCOMP
    assert len(found) == len(needs([connection(child())])) + 1


def test_both_families_are_asked_for_where_the_ends_may_have_both() -> None:
    anybody = ConnectionSettings("any", children=(child(mode=Mode.TRANSPORT),))
    assert {(need.version, need.mode) for need in needs([anybody])} == {
        (4, Mode.TRANSPORT),
        (6, Mode.TRANSPORT),
    }


def test_what_several_children_need_is_asked_once() -> None:
    kernel = Kernel(lambda request: 0)
    assert lacks(kernel, [connection(child("a"), child("b"))], os.urandom) == []
    assert len(kernel.asked) == 2


def test_what_is_missing_is_told_once_with_all_who_need_it() -> None:
    def without_gcm(request: SaRequest) -> int:
        return errno.ENOSYS if request.suite.encr is Encr.AES_GCM_16 else 0

    children = (child("a"), child("b", "aes256gcm16"), child("c", "aes128-sha256"))
    (lack,) = lacks(Kernel(without_gcm), [connection(*children)], os.urandom)
    assert lack == Lack(
        "it lacks an algorithm (CONFIG_CRYPTO_GCM, module gcm)",
        (
            "ESP:AES_GCM_16_128/NO_ESN in tunnel mode over IPv4",
            "ESP:AES_GCM_16_128/NO_ESN in tunnel mode over UDP and IPv4",
            "ESP:AES_GCM_16_256/NO_ESN in tunnel mode over IPv4",
            "ESP:AES_GCM_16_256/NO_ESN in tunnel mode over UDP and IPv4",
        ),
        ("connections.gw.children.a", "connections.gw.children.b"),
    )
