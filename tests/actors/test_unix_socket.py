"""The admin socket's file and who is at its other end."""

from __future__ import annotations

import os
import socket
import stat
from pathlib import Path

import pytest

from ikeactors.actors.unix_socket import ControlSocketUnusable, caller_of, open_listener


def mode_of(path: Path) -> int:
    return stat.S_IMODE(path.lstat().st_mode)


def test_the_socket_is_for_owner_and_group_and_so_is_its_directory(tmp_path: Path) -> None:
    listener = open_listener(tmp_path / "run" / "admin.sock", os.getegid())

    assert mode_of(listener.path) == 0o660
    assert mode_of(listener.path.parent) == 0o750
    listener.close()
    assert not listener.path.exists()


def test_the_umask_is_left_as_it_was(tmp_path: Path) -> None:
    before = os.umask(0o022)
    try:
        open_listener(tmp_path / "admin.sock").close()
        assert os.umask(0o022) == 0o022
    finally:
        os.umask(before)


def test_a_directory_that_is_there_keeps_its_mode(tmp_path: Path) -> None:
    tmp_path.chmod(0o755)
    open_listener(tmp_path / "admin.sock").close()

    assert mode_of(tmp_path) == 0o755


def test_a_stale_socket_is_replaced(tmp_path: Path) -> None:
    path = tmp_path / "admin.sock"
    with socket.socket(socket.AF_UNIX) as dead:
        dead.bind(str(path))

    listener = open_listener(path)
    with socket.socket(socket.AF_UNIX) as client:
        client.connect(str(path))
    listener.close()


def test_a_living_daemon_keeps_its_socket(tmp_path: Path) -> None:
    path = tmp_path / "admin.sock"
    first = open_listener(path)

    with pytest.raises(ControlSocketUnusable, match="another daemon is listening"):
        open_listener(path)
    assert path.exists()
    first.close()


def test_a_file_that_is_no_socket_is_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "admin.sock"
    path.write_text("precious")

    with pytest.raises(ControlSocketUnusable, match="no socket"):
        open_listener(path)
    assert path.read_text() == "precious"


def test_a_path_beyond_the_limit_of_the_system_is_refused_in_words(tmp_path: Path) -> None:
    with pytest.raises(ControlSocketUnusable, match="admin socket"):
        open_listener(tmp_path / ("x" * 200))


def test_the_caller_is_who_the_kernel_says() -> None:
    ours, theirs = socket.socketpair(socket.AF_UNIX)
    with ours, theirs:
        caller = caller_of(ours)

    assert (caller.pid, caller.uid, caller.gid) == (os.getpid(), os.getuid(), os.getgid())
    assert os.getgid() in caller.groups
    assert set(os.getgroups()) <= caller.groups
