import pytest

from ikeactors.config import ConfigurationFaults, load
from ikeactors.config.identities import identity_pattern
from ikeactors.config.secrets import KnownSecrets
from ikeactors.protocol.settings import Secret
from ikeactors.wire.identities import Identity

GOOD = [
    ('secret = "sixteen octets!!"', b"sixteen octets!!"),
    ('secret = "0x00112233445566778899aabbccddeeff"', bytes(range(0, 256, 17))),
    ('secret = "0sAAECAwQFBgcICQoLDA0ODw=="', bytes(range(16))),
    ('secret = "schl\u00fcssel mit umlaut"', "schl\u00fcssel mit umlaut".encode()),
    (f'secret = "{"long " * 40}"', b"long " * 40),
    ('secret_file = "psk"', b"0x of a file is text\n"),
]

BAD = [
    ("", "secrets.psk.secret: missing: write secret or secret_file"),
    ('secret = ""', "secrets.psk.secret: the secret is empty"),
    ("secret = 1234", "secrets.psk.secret: (not shown): text expected, in quotes"),
    ('secret = "0s!"', "secrets.psk.secret: base64 expected after 0s"),
    (
        'secret = "0x123"',
        "secrets.psk.secret: an even number of hexadecimal digits expected after 0x",
    ),
    (
        'secret = "swordfish"\nsecret_file = "psk"',
        "secrets.psk.secret_file: write secret or secret_file, not both",
    ),
    ('secret_file = ""', 'secrets.psk.secret_file: "": the name of a file expected'),
    ('secret_file = "gone"', 'secrets.psk.secret_file: "gone": No such file or directory'),
    (
        'secret_file = "open"',
        'secrets.psk.secret_file: "open": its mode 0644 lets others at it: chmod 600 open',
    ),
    ('secret_file = "empty"', "secrets.psk.secret_file: the secret is empty"),
    ('sekret = "swordfish"', "secrets.psk.sekret: unknown key; nearest: secret"),
    (
        'secret = "0123456789abcdef"\nid = "a"\nids = ["b"]',
        "secrets.psk: write id or ids, not both",
    ),
    ('secret = "0123456789abcdef"\nids = ["a", "A*"]', None),
]


@pytest.fixture
def files(write):
    write("0x of a file is text\n\n", "psk")
    write("exposed swordfish", "open", mode=0o644)
    write("\n", "empty")


@pytest.mark.parametrize(("text", "octets"), GOOD)
def test_a_secret_is_text_hexadecimal_base64_or_a_file(write, files, text, octets):
    (secret,) = load(write(f"[secrets.psk]\n{text}")).secrets
    assert secret == Secret("psk", (), octets)


@pytest.mark.parametrize(("text", "message"), BAD)
def test_a_wrong_secret_is_told_and_never_shown(mistakes_in, files, text, message):
    lines = mistakes_in(f"[secrets.psk]\n{text}")
    assert not any("swordfish" in line for line in lines)
    if message is not None:
        found = [line.partition(": ")[2] for line in lines]
        assert message in found


@pytest.mark.parametrize("text", ['secrets = "swordfish"', '[secrets]\npsk = "swordfish"'])
def test_a_secret_in_the_wrong_place_is_not_shown(mistakes_in, text):
    (line,) = mistakes_in(text)
    assert "swordfish" not in line
    assert "a section expected" in line


def test_a_secret_in_an_exposed_configuration_is_refused(write, mistakes_in, tmp_path):
    text = '[secrets.psk]\nsecret = "0123456789abcdef"'
    path = write(f'include = "conf.d/*"\n{text}', "conf.d/psk.toml", mode=0o640)
    path.write_text(text)
    (line,) = mistakes_in('include = "conf.d/*"')
    assert line == (
        "conf.d/psk.toml:2: secrets.psk.secret: the file holds a secret, "
        "but its mode 0640 lets others at it: chmod 600 conf.d/psk.toml"
    )


def test_an_exposed_configuration_may_name_a_file(write, files):
    path = write('[secrets.psk]\nsecret_file = "psk"', mode=0o644)
    assert load(path).secrets


def test_a_configuration_that_everybody_may_write_names_no_secret(write, files, tmp_path):
    path = write('[secrets.psk]\nsecret_file = "psk"', mode=0o646)
    with pytest.raises(ConfigurationFaults, match=f"mode 0646 .* chmod o-w {path}"):
        load(path)


def test_a_weak_secret_is_a_warning_that_does_not_show_it(write, tmp_path):
    warning, _ = load(write('[secrets.psk]\nsecret = "swordfish"')).warnings
    expected = "ike.toml:1: secrets.psk: a key of 9 octets can be guessed: take 16"
    assert str(warning) == f"{tmp_path}/{expected}"


def test_owners_are_one_or_several(write):
    text = """
    [secrets]
    one = {id = "a.lab", secret = "0123456789abcdef"}
    dn = {id = "C=DE, O=lab, CN=a", secret = "0123456789abcdef"}
    several = {ids = ["a.lab", "*.org", "%any"], secret = "0123456789abcdef"}
    """
    owners = {secret.name: secret.owners for secret in load(write(text)).secrets}
    assert owners["one"] == (identity_pattern("a.lab"),)
    assert owners["dn"] == (identity_pattern("C=DE, O=lab, CN=a"),)
    assert owners["several"] == tuple(map(identity_pattern, ("a.lab", "*.org", "%any")))


def test_two_secrets_for_the_same_identities_are_a_mistake(mistakes_in):
    lines = mistakes_in(
        '[secrets.one]\nids = ["a", "b"]\nsecret = "0123456789abcdef"\n'
        '[secrets.two]\nids = ["b", "a"]\nsecret = "fedcba9876543210"\n'
    )
    assert lines == ["ike.toml:4: secrets.two: it is for the same identities as secrets.one"]


def test_the_repr_of_a_configuration_shows_no_secret(write):
    configuration = load(write('[secrets.psk]\nsecret = "0123456789abcdef"'))
    assert "0123456789abcdef" not in repr(configuration)
    assert b"0123456789abcdef".hex() not in repr(configuration)


@pytest.mark.parametrize(
    ("owners", "peer", "served"),
    [
        ((), "b.lab", True),
        ((), "%any", True),
        (("a.lab", "b.lab"), "B.lab", True),
        (("a.lab", "b.lab"), "c.lab", False),
        (("*.lab",), "c.lab", True),
        (("a.lab",), "*.lab", True),
        (("a.lab",), "*.org", False),
        (("a.lab",), "%any", True),
    ],
)
def test_a_peer_is_served_by_a_secret_that_may_be_its(owners, peer, served):
    known = KnownSecrets()
    known.add(Secret("psk", tuple(map(identity_pattern, owners)), b"k"))
    assert known.serve(identity_pattern(peer)) is served


def test_without_secrets_nobody_is_served():
    assert not KnownSecrets().serve(identity_pattern("%any"))


def test_what_is_said_to_be_served_is_found_by_the_core(write):
    text = '[secrets.psk]\nids = ["*.lab", "a@b"]\nsecret = "0123456789abcdef"'
    settings = load(write(text)).settings()
    us = Identity.from_text("us")
    for name in ("x.lab", "a@b", "x.org", "A@B"):
        peer = Identity.from_text(name)
        known = KnownSecrets()
        known.add(settings.secrets[0])
        found = settings.secret_for(us, peer) is not None
        assert found is known.serve(identity_pattern(name))


PPK = "x" * 32


def test_a_post_quantum_key_is_called_by_its_ids(write) -> None:
    """(RFC 8784 section 5.1)"""
    text = f"""
[secrets.quantum]
type = "ppk"
ids = ["ppk.example", "@#0102"]
secret = "{PPK}"
[secrets.psk]
secret = "{PPK}"
[connections.gw]
ppk_id = "ppk.example"
ppk_required = true
[connections.gw.children.net]
"""
    configuration = load(write(text))
    settings = configuration.settings()
    assert settings.ppk_for(b"ppk.example") == settings.ppk_for(b"\x01\x02") == PPK.encode()
    assert settings.ppk_for(b"other") is None
    assert settings.has_ppks
    assert configuration.connections[0].ppk_required
    assert not configuration.warnings


def test_a_post_quantum_key_is_no_pre_shared_key(mistakes_in) -> None:
    key = f'[secrets.q]\ntype = "ppk"\nids = "a.example"\nsecret = "{PPK}"\n'
    text = f"{key}[connections.gw.children.net]"
    assert any("no secret for" in line for line in mistakes_in(text))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ('secret = "x"', "a ppk is called by its ids: write them, without asterisks"),
        ('secret = "x"\nids = "*.a.example"', "a ppk is called by its ids"),
        ('secret = "x"\nids = "twice"', "it is for the same identities as secrets.first"),
    ],
)
def test_a_post_quantum_key_has_one_name_at_least(mistakes_in, options: str, message: str) -> None:
    first = f'[secrets.first]\ntype = "ppk"\nids = "twice"\nsecret = "{PPK}"\n'
    lines = mistakes_in(f'{first}[secrets.q]\ntype = "ppk"\n{options}\n[connections.gw.children.n]')
    assert any(message in line for line in lines)
