import sys
from dataclasses import replace

import pytest

from ikeactors.config import Configuration, ConfigurationFaults, DaemonSettings, load
from ikeactors.config.addresses import EXPECTED
from ikeactors.protocol.settings import Settings

SECRET = '[secrets.psk]\nsecret = "0123456789abcdef"\n'


def test_an_empty_file_is_the_defaults(write):
    configuration = load(write(""))
    assert replace(configuration, warnings=()) == Configuration()
    (warning,) = configuration.warnings
    assert warning.message == "no connection: the daemon has nothing to do"


def test_the_daemon_has_its_section(write):
    text = """
    [daemon]
    listen = ["192.0.2.1", "2001:db8::1"]
    port = 15000
    port_nat_t = 14500
    kernel = "userspace"
    workers = 4
    log_format = "json"
    half_open_timeout = "1m"
    """
    daemon = load(write(text)).daemon
    assert list(map(str, daemon.listen)) == ["192.0.2.1", "2001:db8::1"]
    assert (daemon.port, daemon.port_nat_t, daemon.workers) == (15000, 14500, 4)
    assert (daemon.kernel, daemon.log_format) == ("userspace", "json")
    assert daemon.half_open_timeout == 60.0
    assert daemon.tun_name == DaemonSettings().tun_name


def test_an_association_may_know_connections_and_secrets(write):
    configuration = load(write(SECRET + "[connections.gw.children.net]"))
    assert configuration.settings() == Settings(configuration.connections, configuration.secrets)
    assert configuration.settings(record_keys=True).record_keys


BAD = [
    ("[deamon]", ["ike.toml:1: deamon: unknown key; nearest: daemon"]),
    ("daemon = 5", ["ike.toml:1: daemon: 5: a section expected: [daemon]"]),
    ("[daemon]\nprot = 5", ["ike.toml:2: daemon.prot: unknown key; nearest: port"]),
    ("[daemon]\nport = 0", ["ike.toml:2: daemon.port: 0: out of range: 1 to 65535"]),
    (
        "[daemon]\nport = 4500",
        ["ike.toml:1: daemon.port_nat_t: the same as port: ESP could not be told from IKE"],
    ),
    (
        '[daemon]\ntun_name = "a very long interface name"',
        [
            'ike.toml:2: daemon.tun_name: "a very long interface name": '
            "an interface name has 1 to 15 characters, no space, slash or colon"
        ],
    ),
    (
        '[daemon]\nadmin_socket = "admin.sock"',
        [
            'ike.toml:2: daemon.admin_socket: "admin.sock": '
            "an absolute path of at most 107 octets expected"
        ],
    ),
    (
        '[daemon]\nlog_level = "verbose"',
        [
            'ike.toml:2: daemon.log_level: "verbose": '
            "one of these expected: debug, info, warning, error"
        ],
    ),
    (
        '[connections.gw]\nlocal.id = "b.lab"\nremote.id = "a.lab"',
        [
            "ike.toml:1: connections.gw: no secret for b.lab <-> a.lab: "
            "add one with ids in [secrets.NAME]"
        ],
    ),
    (
        '[connections.gw]\nremote.id = "*.lab"\n'
        '[secrets.x]\nid = "a.org"\nsecret = "0123456789abcdef"',
        [
            "ike.toml:1: connections.gw: no secret for %any <-> *.lab: "
            "add one with ids in [secrets.NAME]"
        ],
    ),
]


@pytest.mark.parametrize(("text", "lines"), BAD)
def test_a_mistake_is_one_line(mistakes_in, text, lines):
    assert mistakes_in(text) == lines


def test_all_mistakes_are_told_at_once_and_in_order(mistakes_in):
    lines = mistakes_in(
        """\
[connections.gw]
proposals = "aes129-sha265-x25519"
remote_addrs = "gw..org"
[connections.gw.children.net]
mode = "tunel"
[connections.b]
version = 1
[daemon]
port = "http"
[secrets.psk]
secret = 5
"""
    )
    assert lines == [
        'ike.toml:2: connections.gw.proposals: "aes129": unknown keyword; nearest: aes192',
        'ike.toml:2: connections.gw.proposals: "sha265": unknown keyword; nearest: sha256',
        f'ike.toml:3: connections.gw.remote_addrs: "gw..org": {EXPECTED}',
        'ike.toml:5: connections.gw.children.net.mode: "tunel": '
        "one of these expected: tunnel, transport, pass, drop; nearest: tunnel",
        "ike.toml:7: connections.b.version: 1: IKEv1 is not available yet: write 2",
        'ike.toml:9: daemon.port: "http": a whole number expected, 1 to 65535',
        "ike.toml:11: secrets.psk.secret: (not shown): text expected, in quotes",
    ]


ANSWERED = '[connections.gw]\nremote_addrs = "192.0.2.2"\n[connections.gw.children.net]\n'
CALLED = f'{ANSWERED}start_action = "start"\n'


@pytest.mark.parametrize(
    ("owner", "message"),
    [
        ("b.lab", "set remote.id: we call 192.0.2.2, and no secret is for this address"),
        ("192.0.2.2", None),
        ("%any", None),
    ],
)
def test_whom_we_call_without_an_identity_needs_a_secret_for_its_address(
    write, mistakes_in, owner, message
):
    text = f'{CALLED}[secrets.x]\nid = "{owner}"\nsecret = "0123456789abcdef"'
    if message is None:
        assert load(write(text)).connections
    else:
        assert mistakes_in(text) == [f"ike.toml:1: connections.gw: {message}"]


def test_who_is_only_called_is_warned(write):
    text = f'{ANSWERED}[secrets.x]\nid = "b.lab"\nsecret = "0123456789abcdef"'
    (warning,) = load(write(text)).warnings
    assert "set remote.id" in str(warning)


def test_without_any_secret_it_is_not_the_identity_that_is_missing(mistakes_in):
    message = "no secret for %any <-> 192.0.2.2: add one with ids in [secrets.NAME]"
    assert mistakes_in(CALLED) == [f"ike.toml:1: connections.gw: {message}"]


TRANSPORT = f'{SECRET}[connections.gw.children.net]\nmode = "transport"\n[daemon]\nkernel = '


def test_transport_mode_is_the_kernels_alone(write, mistakes_in, tmp_path):
    key = "connections.gw.children.net.mode"
    message = 'transport mode needs the kernel\'s data plane, not kernel = "userspace"'
    assert mistakes_in(f'{TRANSPORT}"userspace"') == [f"ike.toml:4: {key}: {message}"]
    (warning,) = load(write(f'{TRANSPORT}"auto"')).warnings
    assert str(warning).endswith(f"{key}: transport mode fails where the kernel has no IPsec")
    assert not load(write(f'{TRANSPORT}"xfrm"')).warnings


def test_ah_is_the_kernels_alone(mistakes_in):
    text = TRANSPORT.replace('mode = "transport"', 'ah_proposals = "sha256"')
    key = "connections.gw.children.net.ah_proposals"
    message = 'AH needs the kernel\'s data plane, not kernel = "userspace"'
    assert mistakes_in(f'{text}"userspace"') == [f"ike.toml:4: {key}: {message}"]


def test_included_files_are_merged(write):
    write(SECRET, "conf.d/psk.toml")
    write("[connections.b.children.net]", "conf.d/b.toml")
    configuration = load(
        write('include = ["conf.d/*.toml"]\n[daemon]\nworkers = 1\n[connections.a.children.net]')
    )
    assert [connection.name for connection in configuration.connections] == ["a", "b"]
    assert len(configuration.secrets) == 1
    assert configuration.daemon.workers == 1


def test_what_is_defined_in_two_files_is_a_mistake(write, mistakes_in, tmp_path):
    text = SECRET + "[connections.gw.children.net]\n[daemon]\nworkers = 1\n"
    write(text, "conf.d/a.toml")
    assert mistakes_in('include = ["conf.d/*.toml"]\n' + text) == [
        "conf.d/a.toml:1: secrets.psk: defined already in ike.toml:2",
        "conf.d/a.toml:3: connections.gw: defined already in ike.toml:4",
        "conf.d/a.toml:4: daemon: defined already in ike.toml:5",
    ]


def test_a_file_that_cannot_be_read_does_not_hide_the_mistakes_of_the_others(write, mistakes_in):
    write("[connections\n", "broken.toml")
    lines = mistakes_in(
        'include = ["broken.toml"]\n[connections.gw]\nversion = 1\n[connections.gw.children.net]'
    )
    assert lines == [
        "ike.toml:3: connections.gw.version: 1: IKEv1 is not available yet: write 2",
        "broken.toml:1: no valid TOML: Expected ']' at the end of a table declaration, column 13",
    ]


def test_a_missing_file_is_a_mistake_of_its_own(tmp_path):
    with pytest.raises(ConfigurationFaults) as caught:
        load(tmp_path / "gone.toml")
    assert str(caught.value) == f"{tmp_path}/gone.toml: No such file or directory"
    assert [mistake.line for mistake in caught.value.mistakes] == [0]


def many(count: int) -> str:
    return "".join(
        f"""
[connections.c{number}]
remote_addrs = ["10.{number // 250}.{number % 250}.1"]
local.id = "hub.lab"
remote.id = "c{number}.lab"
[connections.c{number}.children.net]
remote_ts = ["10.{number // 250}.{number % 250}.0/24"]
[secrets.c{number}]
ids = ["hub.lab", "c{number}.lab"]
secret = "secret of connection {number}"
"""
        for number in range(count)
    )


def calls_to_load(path) -> int:
    """How many functions are called: work that another machine would count the same."""
    calls = 0

    def count(_frame, event, _argument):
        nonlocal calls
        calls += event in ("call", "c_call")

    before = sys.getprofile()
    sys.setprofile(count)
    try:
        load(path)
    finally:
        sys.setprofile(before)
    return calls


def test_a_thousand_connections_take_ten_times_the_work_of_a_hundred(write):
    hundred, thousand = write(many(100), "hundred.toml"), write(many(1000), "thousand.toml")
    load(hundred)
    assert calls_to_load(thousand) < 10.5 * calls_to_load(hundred)
    assert len(load(thousand).connections) == 1000
