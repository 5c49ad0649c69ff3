"""XFRM interfaces: what they are configured to be, and what is said of mistakes."""

from __future__ import annotations

from ipaddress import ip_interface

from ikeactors.config import load
from ikeactors.kernel.interfaces import Interface

HEAD = """
[connections.gw]
remote_addrs = "192.0.2.2"
[connections.gw.children.net]
if_id_in = 7
if_id_out = 7
[secrets.x]
secret = "0123456789abcdef"
"""


def test_an_interface_has_a_number_and_addresses(write):
    configuration = load(
        write(
            HEAD
            + """
            [interfaces.ipsec7]
            if_id = 7
            mtu = 1400
            addresses = ["10.9.0.1/30", "fd09::1/64"]
            device = "wan"
            routes = false
            """
        )
    )
    addresses = (ip_interface("10.9.0.1/30"), ip_interface("fd09::1/64"))
    assert configuration.interfaces == (Interface("ipsec7", 7, 1400, addresses, "wan", False),)
    assert configuration.warnings == ()


def test_an_interface_is_computed_and_routed_by_default(write):
    configuration = load(write(HEAD + "[interfaces.ipsec7]\nif_id = 7\n"))
    assert configuration.interfaces == (Interface("ipsec7", 7),)


def test_mistakes_of_interfaces_are_told(mistakes_in):
    told = mistakes_in(
        HEAD
        + """
        [interfaces.none]
        [interfaces."a/b"]
        if_id = 0
        mtu = 60
        addresses = "10.9.0.1/33"
        """
    )
    assert [line.split("interfaces.")[1] for line in told] == [
        "none: an XFRM interface needs an if_id",
        '"a/b": "a/b": an interface name has 1 to 15 characters, no space, slash or colon',
        '"a/b".if_id: 0: out of range: 1 to 4294967295',
        '"a/b".mtu: 60: 0, or at least 68 expected',
        '"a/b".addresses: "10.9.0.1/33": an address with its network expected: "10.0.0.1/24"',
    ]


def test_a_number_has_one_interface(mistakes_in):
    (told,) = mistakes_in(HEAD + "[interfaces.a]\nif_id = 7\n[interfaces.b]\nif_id = 7\n")
    assert "interfaces.b.if_id: 7: interfaces.a has it already" in told


def test_the_user_space_has_no_interfaces(mistakes_in):
    (told,) = mistakes_in('[daemon]\nkernel = "userspace"\n' + HEAD + "[interfaces.a]\nif_id = 7\n")
    assert "interfaces.a: XFRM interfaces need the kernel's data plane" in told
