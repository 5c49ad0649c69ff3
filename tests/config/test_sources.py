import os

import pytest

from ikeactors.config.mistakes import Mistakes
from ikeactors.config.sources import MAX_FILE_OCTETS, Unreadable, read_documents, read_file


def names(documents):
    return [document.source.path.name for document in documents]


def test_included_files_are_read_in_order_and_once(write):
    write("", "conf.d/b.toml")
    write("", "conf.d/a.toml")
    main = write('include = ["conf.d/*.toml", "conf.d/a.toml", "ike.toml"]')
    mistakes = Mistakes()
    assert names(read_documents(main, mistakes)) == ["ike.toml", "a.toml", "b.toml"]
    assert not mistakes.found


def test_a_pattern_may_match_nothing(write):
    mistakes = Mistakes()
    read_documents(write('include = "conf.d/*.toml"'), mistakes)
    assert not mistakes.found


BAD = [
    ('include = "gone.toml"', ['ike.toml:1: include: "gone.toml": no such file']),
    (
        "include = 5",
        ["ike.toml:1: include: 5: a list of texts expected, or one text with commas"],
    ),
    (
        "[daemon]\nport = \n",
        ['ike.toml:2: no valid TOML: this is no value: text stands in quotes, "psk", column 8'],
    ),
    (
        "[connections.gw]\n[connections.gw]\n",
        ["ike.toml:2: no valid TOML: [connections.gw] is there twice, column 16"],
    ),
    (
        'include = "conf.d/"',
        ['ike.toml:1: include: "conf.d/": a directory; nearest: conf.d/*.toml'],
    ),
    (
        'include = "other.toml"',
        ["other.toml:1: include: only the first file may include"],
    ),
    (
        'include = "latin.toml"',
        ["latin.toml:2: not UTF-8"],
    ),
]


@pytest.mark.parametrize(("text", "expected"), BAD)
def test_what_cannot_be_read_is_told(write, tmp_path, text, expected):
    write('include = "ike.toml"', "other.toml")
    write("", "latin.toml").write_bytes(b"# 1\n# \xe4\n")
    (tmp_path / "conf.d").mkdir()
    mistakes = Mistakes()
    read_documents(write(text), mistakes)
    assert [str(one).replace(f"{tmp_path}/", "") for one in mistakes.found] == expected


def test_a_byte_order_mark_is_no_part_of_the_text(write):
    mistakes = Mistakes()
    (document,) = read_documents(write("\ufeff[daemon]\n"), mistakes)
    assert document.tables == {"daemon": {}}


def test_a_missing_file_and_a_directory_are_told(tmp_path):
    mistakes = Mistakes()
    assert read_documents(tmp_path / "gone.toml", mistakes) == []
    assert read_documents(tmp_path, mistakes) == []
    messages = [one.message for one in mistakes.found]
    assert messages == ["No such file or directory", "Is a directory"]


def test_a_pipe_is_not_waited_for(tmp_path):
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    with pytest.raises(Unreadable, match="not a regular file"):
        read_file(pipe)


@pytest.mark.parametrize("mode", [0o644, 0o640, 0o604, 0o620])
def test_a_file_others_can_read_or_write_is_no_place_for_a_secret(write, mode):
    path = write("x", mode=mode)
    octets, exposure = read_file(path)
    assert octets == b"x"
    assert exposure.of_readers == f"its mode {mode:04o} lets others at it: chmod 600 {path}"


@pytest.mark.parametrize("mode", [0o600, 0o400])
def test_a_file_of_our_own_is_a_place_for_a_secret(write, mode):
    assert read_file(write("x", mode=mode)) == (b"x", ("", ""))


@pytest.mark.skipif(os.geteuid() != 0, reason="only root gives files away")
def test_a_file_of_somebody_else_is_no_place_for_a_secret(write):
    path = write("x")
    os.chown(path, 12345, -1)
    message = f"it belongs to user 12345, who is neither root nor us: chown root {path}"
    assert read_file(path)[1].of_readers == message


def test_a_huge_file_is_not_read(write):
    path = write("")
    os.truncate(path, MAX_FILE_OCTETS + 1)
    with pytest.raises(Unreadable, match="too large"):
        read_file(path)
