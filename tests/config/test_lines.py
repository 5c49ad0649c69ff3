import tomllib

from ikeactors.config.lines import key_lines

TEXT = '''\
include = ["a.toml"]
[connections.gw]
proposals = [
  "aes128-sha256-x25519",
  "x = y",
]
local.id = "a"
"quoted key" = 1
[connections."b.lab".children]
net.mode = "tunnel"
[ secrets . 'psk' ]
secret = """
[daemon]
port = 1
"""
id = "a"
'''


def test_keys_and_sections_have_the_line_they_are_first_on():
    tomllib.loads(TEXT)
    assert key_lines(TEXT) == {
        ("include",): 1,
        ("connections",): 2,
        ("connections", "gw"): 2,
        ("connections", "gw", "proposals"): 3,
        ("connections", "gw", "local"): 7,
        ("connections", "gw", "local", "id"): 7,
        ("connections", "gw", "quoted key"): 8,
        ("connections", "b.lab"): 9,
        ("connections", "b.lab", "children"): 9,
        ("connections", "b.lab", "children", "net"): 10,
        ("connections", "b.lab", "children", "net", "mode"): 10,
        ("secrets",): 11,
        ("secrets", "psk"): 11,
        ("secrets", "psk", "secret"): 12,
        ("secrets", "psk", "id"): 16,
    }


def test_a_key_that_is_no_toml_is_taken_as_it_stands():
    assert key_lines('"\\q" = 1') == {('"\\q"',): 1}
