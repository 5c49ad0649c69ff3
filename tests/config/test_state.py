"""What outlives the process."""

from __future__ import annotations

from ikeactors.config import load

KEY = "0123456789abcdef"


def test_ike_sas_do_by_default(write):
    daemon = load(write("")).daemon
    assert (daemon.store, daemon.stop_action) == ("sqlite", "keep")
    assert daemon.runtime_dir == "/run/ikeactors"


def test_a_store_has_a_key_where_the_operator_has_one(write):
    write(KEY, "store.key")
    text = '[daemon]\nstop_action = "delete"\nstore_key_file = "store.key"\n'
    configuration = load(write(text))
    assert configuration.store_key == KEY.encode()
    assert configuration.daemon.stop_action == "delete"
    assert KEY not in repr(configuration)


def test_a_key_that_is_not_there_is_a_mistake(mistakes_in):
    (mistake,) = mistakes_in('[daemon]\nstore_key_file = "gone"')
    expected = 'ike.toml:2: daemon.store_key_file: "gone": No such file or directory'
    assert mistake == expected


def test_its_place_is_an_absolute_path(mistakes_in):
    (mistake,) = mistakes_in('[daemon]\nruntime_dir = "state"')
    assert mistake == 'ike.toml:2: daemon.runtime_dir: "state": an absolute path expected'
