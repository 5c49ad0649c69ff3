"""Sections of secrets whose keys are on tokens."""

from __future__ import annotations

import pytest

from ikeactors.config import load

BASE = 'type = "token"\nmodule = "/nowhere/module.so"\nhandle = "01:a2"\n'
SIGNING = """
[connections.gw]
remote_addrs = "192.0.2.2"
local = { auth = "pubkey", id = "west.example" }
remote = { auth = "pubkey", id = "east.example" }
[connections.gw.children.net]
"""

BAD = [
    ('type = "token"', "secrets.card.module: missing: a key on a token is found by it"),
    (BASE.replace("01:a2", "xyz"), 'secrets.card.handle: "xyz": the CKA_ID of the key'),
    (BASE.replace("/nowhere", "nowhere"), "an absolute path expected"),
    (BASE + 'secret = "1234"', 'secrets.card.secret: not with type = "token"'),
    (
        BASE + 'pin = "1"\npin_file = "pin"',
        "secrets.card.pin_file: write pin or pin_file, not both",
    ),
    (BASE + 'pin_file = "gone"', "No such file or directory"),
    (BASE + 'pin_file = "open"', "its mode 0644 lets others at it"),
    (BASE + 'pin_file = "empty"', "the PIN is empty"),
    (BASE + 'pin_file = "$CREDENTIALS_DIRECTORY/x"', "systemd has loaded no credentials"),
    (BASE + "pin = 1357", "secrets.card.pin: (not shown): text expected, in quotes"),
    (BASE + "slot = -1", "secrets.card.slot: -1: out of range"),
    ('secret = "0123456789abcdef"\npin = "1"', 'secrets.card.pin: it needs type = "token"'),
]


@pytest.fixture
def files(write):
    write("1357\n", "pin")
    write("1357", "open", mode=0o644)
    write("\n", "empty")


@pytest.mark.parametrize(("text", "message"), BAD)
def test_a_mistake_names_its_option(mistakes_in, files, monkeypatch, text, message):
    monkeypatch.delenv("CREDENTIALS_DIRECTORY", raising=False)
    mistakes = mistakes_in(f"[secrets.card]\n{text}")
    assert any(message in one for one in mistakes), mistakes
    assert not any("1357" in one for one in mistakes)


@pytest.mark.parametrize("pin", ['pin = "1357"', 'pin_file = "pin"', 'pin_file = "loaded"'])
def test_a_token_that_is_not_there_is_a_warning_and_is_looked_for(
    write, files, tmp_path, monkeypatch, pin
):
    monkeypatch.setenv("CREDENTIALS_DIRECTORY", str(tmp_path))
    pin = pin.replace("loaded", "$CREDENTIALS_DIRECTORY/open")
    read = load(write(f'[secrets.card]\n{BASE}slot = 3\ntoken_label = "gw"\n{pin}{SIGNING}'))
    warning = next(str(one) for one in read.warnings if "secrets.card" in str(one))
    assert "key 01a2 of secrets.card (token 'gw', slot 3, module /nowhere/module.so)" in warning
    assert read.tokens is not None
    (missing,) = read.tokens.missing
    assert (missing.pin, missing.handle) == ("1357", b"\x01\xa2")
    assert "1357" not in repr(read)
    assert not read.tokens.has_come()
    assert read.found_on_tokens == ()


def test_no_token_is_asked_where_no_connection_signs(write):
    text = f'[secrets.card]\n{BASE}[secrets.psk]\nsecret = "0123456789abcdef"'
    read = load(write(text))
    assert read.tokens is None
    assert [one.name for one in read.secrets] == ["psk"]
