"""What is told of a certificate without a daemon."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from ikeactors.cli import main
from tests.actors.test_validation import zones as zones
from tests.lab.pki import Pki, Wanted
from tests.lab.zones import Zones

CONFIGURATION = """
[daemon]
credentials = "{folder}/west"

[connections.gw]
remote_addrs = "10.77.0.2"
local = {{ auth = "pubkey", id = "west.lab" }}
remote = {{ auth = "pubkey", id = "east.lab" }}
children.net.remote_ts = "10.2.0.0/24"

[connections.users]
local = {{ auth = "pubkey", id = "west.lab" }}
remote = {{ auth = "ecdsa-384", id = "*@lab.example", eku = "require" }}
children.net.remote_ts = "10.2.0.0/24"

[connections.address]
local = {{ auth = "pubkey", id = "west.lab" }}
remote = {{ auth = "pubkey", id = "10.77.0.2" }}
children.net.remote_ts = "10.2.0.0/24"

[connections.named]
local = {{ auth = "pubkey", id = "west.lab" }}
remote = {{ auth = "pubkey", id = "east.lab", certs = "../../east/x509/east.pem" }}
children.net.remote_ts = "10.2.0.0/24"

[connections.office]
local = {{ auth = "pubkey", id = "west.lab" }}
remote1 = {{ auth = "psk", id = "b.lab" }}
remote2 = {{ auth = "pubkey", id = "east.lab" }}
children.net.remote_ts = "10.2.0.0/24"

[connections.psk]
local.id = "a.lab"
remote.id = "b.lab"
children.net.remote_ts = "10.2.0.0/24"

[secrets.lab]
ids = ["a.lab", "b.lab"]
secret = "a secret of many characters"
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    pki = Pki(tmp_path_factory.mktemp("pki")).init()
    pki.issue("west", Wanted(["west.lab"]))
    pki.issue("east", Wanted(["east.lab", "10.77.0.2"]))
    pki.issue("server", Wanted(["east.lab", "eve@elsewhere.example"], usages=["serverAuth"]))
    path = pki.directory / "ike.toml"
    path.touch(mode=0o600)
    path.write_text(CONFIGURATION.format(folder=pki.directory))
    return pki.directory


def verify(folder: Path, name: str, connection: str, *more: str) -> int:
    certificate = str(folder / f"{name}/x509/{name}.pem")
    config = str(folder / "ike.toml")
    return main(["verify", certificate, "--for", connection, "--config", config, *more])


def test_every_step_is_told_of_a_certificate_that_is_accepted(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert verify(folder, "east", "gw") == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].startswith("CN=east,O=ikeactors lab, valid from 2")
    assert "CN=root authority" in lines[2]
    assert [line[:24].split("  ")[1].strip() for line in lines[3:-1]] == [
        *("connection", "identity", "key usage", "extended key usage", "kind of key"),
        *("path", "address blocks", "authorities"),
    ]
    assert all(line.startswith("ok  ") for line in lines[3:-1])
    assert lines[-1] == "gw would accept east.lab"


def test_every_fault_is_told_with_what_would_be_accepted(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert verify(folder, "server", "users") == 1
    out = capsys.readouterr().out
    assert "NO  connection          it is for *@lab.example" in out
    assert "CN=server: its extended key usage has serverAuth only; ipsecIKE is asked for" in out
    assert "its key (ecdsa-256) is not one of ecdsa-384" in out
    assert "CN=branch authority: its key (ecdsa-256) is weaker than ecdsa-384 demands" in out
    assert out.endswith("users would refuse east.lab: 4 checks failed\n")


def test_another_day_may_be_asked_for(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for connection in ("gw", "named"):
        assert verify(folder, "east", connection) == 0
        assert verify(folder, "east", connection, "--at", "2100-01-31") == 1
        out = capsys.readouterr().out
        assert any(line.startswith("NO ") and "valid from" in line for line in out.splitlines())


def test_an_address_holds_for_packets_from_there(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert verify(folder, "east", "address") == 0
    assert "from packets of 10.77.0.2 alone (match_address)" in capsys.readouterr().out


def test_the_identity_may_be_told(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert verify(folder, "east", "gw", "--id", "west.lab") == 1
    out = capsys.readouterr().out
    assert "NO  connection" in out
    assert "does not hold the identity west.lab" in out


@pytest.mark.parametrize("more", [(), ("--round", "2")])
def test_of_several_identities_one_is_examined(
    folder: Path, capsys: pytest.CaptureFixture[str], more: tuple[str, ...]
) -> None:
    """(RFC 4739 section 1)"""
    assert verify(folder, "east", "office", *more) == 0
    assert "office would accept east.lab" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("name", "passed", "words"),
    [
        ("gw.lab", True, "gw.lab is 192.0.2.1, by DNSSEC: packets have to be from there"),
        ("gw.unsigned.lab", False, '(dnssec = "require")'),
    ],
)
def test_what_dnssec_proves_of_the_name_is_told(
    zones: Zones,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    name: str,
    passed: bool,
    words: str,
) -> None:
    pki = Pki(tmp_path / "lab").init()
    pki.issue("west", Wanted(["west.lab"]))
    pki.issue("east", Wanted([name]))
    path = pki.directory / "ike.toml"
    path.touch(mode=0o600)
    path.write_text(f"""
[daemon]
credentials = "{pki.directory}/west"
dns_servers = "127.0.0.1@{zones.port}"
dnssec_anchors = "{zones.anchor_file}"
[connections.gw]
local = {{ auth = "pubkey", id = "west.lab" }}
remote = {{ auth = "pubkey", id = "{name}", dnssec = "require" }}
children.net.remote_ts = "10.2.0.0/24"
""")
    assert verify(pki.directory, "east", "gw") == int(not passed)
    (line,) = (one for one in capsys.readouterr().out.splitlines() if one[4:].startswith("name "))
    assert line.startswith("ok" if passed else "NO")
    assert words in line


def test_for_programs_it_is_a_document(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert verify(folder, "server", "gw", "--json") == 1
    document = json.loads(capsys.readouterr().out)
    assert document["ok"] is False
    failed = [one["check"] for one in document["checks"] if not one["passed"]]
    assert failed == ["extended key usage"]


@pytest.mark.parametrize(
    ("name", "connection", "more", "reason"),
    [
        ("east", "nobody", (), "has no connection nobody; it has gw, users"),
        ("east", "psk", (), "has a pre-shared key"),
        ("east", "office", ("--round", "1"), "has a pre-shared key"),
        ("east", "office", ("--round", "3"), "round 2 is the last of connection office"),
        ("west/../..", "gw", (), "No such file"),
        ("east", "gw", ("--id", "ipv4:x"), "no identity of type"),
        ("east", "gw", ("--config", "/nowhere"), "/nowhere"),
    ],
)
def test_where_there_is_nothing_to_examine_the_reason_is_told(
    folder: Path,
    capsys: pytest.CaptureFixture[str],
    name: str,
    connection: str,
    more: tuple[str, ...],
    reason: str,
) -> None:
    assert verify(folder, name, connection, *more) == 2
    assert reason in capsys.readouterr().err
