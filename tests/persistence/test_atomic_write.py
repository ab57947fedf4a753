"""Files are written whole or not at all: old file or new one, nothing between, nothing left over."""

import os
import signal
import stat
import subprocess
import sys
import threading

import pytest

from sklearn_twins._persistence import _atomic_write as _atomic
from sklearn_twins._persistence._atomic_write import write_atomically

posix = pytest.mark.skipif(os.name != "posix", reason="permissions, links and locks of POSIX")


def names(directory):
    return sorted(path.name for path in directory.iterdir())


def test_new_file_and_replaced_file(tmp_path):
    path = tmp_path / "file"
    write_atomically(path, [b"one ", memoryview(b"two")])
    assert path.read_bytes() == b"one two"
    write_atomically(str(path), iter([b"three"]))
    assert path.read_bytes() == b"three" and names(tmp_path) == ["file"]


def test_nothing_to_write_makes_an_empty_file(tmp_path):
    write_atomically(tmp_path / "file", [])
    assert (tmp_path / "file").read_bytes() == b""


@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt])
@pytest.mark.parametrize("before", [None, b"old"])
def test_failure_leaves_what_was_there(tmp_path, error, before):
    path = tmp_path / "file"
    if before:
        path.write_bytes(before)

    def chunks():
        yield b"half"
        raise error

    with pytest.raises(error):
        write_atomically(path, chunks())
    assert names(tmp_path) == (["file"] if before else [])
    assert not before or path.read_bytes() == before


def test_data_are_on_disk_before_the_name_and_the_name_after(tmp_path, monkeypatch):
    order = []
    sync, replace = os.fsync, os.replace

    def fsync(descriptor):
        order.append("directory" if stat.S_ISDIR(os.fstat(descriptor).st_mode) else "file")
        sync(descriptor)

    monkeypatch.setattr(_atomic.os, "fsync", fsync)
    monkeypatch.setattr(_atomic.os, "replace", lambda *paths: order.append("rename") or replace(*paths))
    write_atomically(tmp_path / "file", [b"x"])
    assert order == (["file", "rename", "directory"] if os.name == "posix" else ["file", "rename"])


@posix
@pytest.mark.parametrize("umask", [0o022, 0o077])
def test_permissions(tmp_path, umask):
    path = tmp_path / "file"
    before = os.umask(umask)
    try:
        write_atomically(path, [b"x"])
        assert stat.S_IMODE(path.stat().st_mode) == 0o666 & ~umask
        path.chmod(0o640)
        write_atomically(path, [b"y"])
        assert stat.S_IMODE(path.stat().st_mode) == 0o640, "a file that is replaced keeps its own"
    finally:
        os.umask(before)


@posix
def test_link_is_followed(tmp_path):
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "elsewhere" / "file")
    write_atomically(tmp_path / "link", [b"x"])
    assert (tmp_path / "link").is_symlink() and (tmp_path / "elsewhere" / "file").read_bytes() == b"x"


def test_refused_paths(tmp_path):
    with pytest.raises(IsADirectoryError, match="directory"):
        write_atomically(tmp_path, [b"x"])
    with pytest.raises(FileNotFoundError):
        write_atomically(tmp_path / "missing" / "file", [b"x"])
    assert names(tmp_path) == []


@posix
def test_devices_and_pipes_are_not_replaced(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(OSError, match="device or a pipe"):
        write_atomically(tmp_path / "pipe", [b"x"])
    assert names(tmp_path) == ["pipe"]


def test_long_name(tmp_path):
    write_atomically(tmp_path / ("ä" * 120), [b"x"])
    assert names(tmp_path) == ["ä" * 120]


@posix
@pytest.mark.slow
def test_killed_writer_is_swept_by_the_next(tmp_path):
    path = tmp_path / "file"
    path.write_bytes(b"old")
    code = (
        "import sys, time; from sklearn_twins._persistence._atomic_write import write_atomically\n"
        "def chunks():\n    yield b'half' * 10000\n    print('ready', flush=True)\n    time.sleep(60)\n"
        "write_atomically(sys.argv[1], chunks())"
    )
    writer = subprocess.Popen([sys.executable, "-c", code, str(path)], stdout=subprocess.PIPE)
    assert writer.stdout.readline() == b"ready\n"
    write_atomically(path, [b"beside"])
    assert len(names(tmp_path)) == 2 and path.read_bytes() == b"beside", "a living writer's file is left alone"
    writer.send_signal(signal.SIGKILL)
    writer.communicate()
    assert len(names(tmp_path)) == 2
    write_atomically(tmp_path / "other", [b"x"])
    assert len(names(tmp_path)) == 3, "another file's is left alone"
    write_atomically(path, [b"new"])
    assert names(tmp_path) == ["file", "other"] and path.read_bytes() == b"new"


def test_files_that_only_look_alike_stay(tmp_path):
    for name in (".file.tmp", ".file.backup00.tmp", ".file.0123456.tmp", "file.01234567.tmp"):
        (tmp_path / name).write_bytes(b"x")
    before = names(tmp_path)
    write_atomically(tmp_path / "file", [b"x"])
    assert names(tmp_path) == sorted([*before, "file"])


def test_writers_of_one_file_at_once(tmp_path):
    path, contents = tmp_path / "file", [bytes([i]) * 100_000 for i in range(8)]
    threads = [threading.Thread(target=write_atomically, args=(path, [content])) for content in contents]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert path.read_bytes() in contents and names(tmp_path) == ["file"]
