"""Files and folders are there whole or not at all, take nothing else's place, and leave nothing behind."""

import errno
import os
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from mobile_sdk.errors import SettingError
from mobile_sdk.system.atomic_files import replacing, replacing_folder, write_bytes, write_text
from mobile_sdk.system.regular_file import read_regular
from mobile_sdk.system.temporary_folder import PREFIX, locked_folder, own_folder, scratch_folder


def make_socket(path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as listening:
        before = Path.cwd()
        os.chdir(path.parent)  # the path of a socket is short
        try:
            listening.bind(path.name)
        finally:
            os.chdir(before)


SPECIAL: dict[str, Callable[[Path], object]] = {
    "a FIFO": os.mkfifo,
    "a socket": make_socket,
    "a folder": Path.mkdir,
    "a device": lambda path: path.symlink_to("/dev/null"),
}


@pytest.mark.parametrize("kind", SPECIAL)
@pytest.mark.parametrize("behind_a_link", [False, True])
def test_nothing_but_a_file_is_ever_replaced_by_a_file(kind: str, behind_a_link: bool, tmp_path: Path) -> None:
    special = tmp_path / "special"
    SPECIAL[kind](special)
    given = special
    if behind_a_link:
        given = tmp_path / "link"
        given.symlink_to(special)
    before = special.lstat()
    with pytest.raises(SettingError, match=f"expected a file or nothing at {given}, found {kind}"):
        write_text(given, "new")
    with pytest.raises(OSError, match="instead of a file"):
        read_regular(given)
    after = special.lstat()
    assert (after.st_ino, after.st_mode) == (before.st_ino, before.st_mode)
    assert given.is_symlink() or not behind_a_link
    assert {path.name for path in tmp_path.iterdir()} <= {"special", "link"}


@pytest.mark.parametrize("there", [False, True])
def test_behind_a_link_the_target_is_replaced_and_the_link_stays(there: bool, tmp_path: Path) -> None:
    target, link = tmp_path / "elsewhere" / "target", tmp_path / "link"
    if there:
        write_text(target, "old")
    link.symlink_to("elsewhere/target")
    write_text(link, "new")
    assert link.is_symlink() and target.read_text("utf-8") == "new" and not target.is_symlink()
    assert [path.name for path in target.parent.iterdir()] == ["target"]


@pytest.mark.parametrize(("mask", "file_mode", "folder_mode"), [(0o077, 0o600, 0o700), (0o002, 0o664, 0o775)])
def test_modes_are_what_the_umask_leaves(mask: int, file_mode: int, folder_mode: int, tmp_path: Path) -> None:
    before = os.umask(mask)
    try:
        write_bytes(tmp_path / "new" / "file", b"")
        with replacing_folder(tmp_path / "folder") as unfinished:
            (unfinished / "inner").mkdir(parents=True)
            (unfinished / "inner" / "file").write_bytes(b"")
    finally:
        os.umask(before)
    for path in ("new/file", "folder/inner/file"):
        assert (tmp_path / path).stat().st_mode & 0o777 == file_mode
    for path in ("new", "folder", "folder/inner"):
        assert (tmp_path / path).stat().st_mode & 0o777 == folder_mode


def interrupt(half: Path) -> None:
    write_text(half, "half")
    raise KeyboardInterrupt


def test_an_error_leaves_what_was_there(tmp_path: Path) -> None:
    write_text(tmp_path / "file", "old")
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder" / "old").touch()
    with pytest.raises(KeyboardInterrupt), replacing(tmp_path / "file") as unfinished:
        interrupt(unfinished)
    with pytest.raises(KeyboardInterrupt), replacing_folder(tmp_path / "folder") as unfinished:
        interrupt(unfinished / "file")
    assert (tmp_path / "file").read_text("utf-8") == "old"
    assert [path.name for path in (tmp_path / "folder").iterdir()] == ["old"]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["file", "folder"]


def test_a_folder_is_never_put_in_the_place_of_a_file_or_a_link(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    (tmp_path / "there").mkdir()
    (tmp_path / "link").symlink_to("there")
    for name in ("file", "link"):
        with pytest.raises(SettingError, match="a folder or nothing"), replacing_folder(tmp_path / name) as unfinished:
            unfinished.mkdir()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["file", "link", "there"]


@pytest.mark.parametrize("name", ["old", "new", "a" * 255])
def test_every_name_of_a_file_or_folder_can_be_written(name: str, tmp_path: Path) -> None:
    write_text(tmp_path / "files" / name, "")
    for content in ("first", "second"):
        with replacing_folder(tmp_path / name) as unfinished:
            unfinished.mkdir()
            (unfinished / content).touch()
    assert [path.name for path in (tmp_path / name).iterdir()] == ["second"]


HOLD = """
import sys
from pathlib import Path
from mobile_sdk.system.temporary_folder import own_folder
with own_folder(Path(sys.argv[1])) as folder:
    (folder / "half").touch()
    print(folder, flush=True)
    sys.stdin.read()
"""


@pytest.fixture
def working(tmp_path: Path) -> Iterator[tuple[subprocess.Popen[str], Path]]:
    """A process that has a folder of its own in `tmp_path`, and that folder."""
    command = [sys.executable, "-c", HOLD, str(tmp_path)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        yield process, Path(process.stdout.readline().strip())
        process.kill()


def test_what_a_killed_process_left_is_cleared_by_the_next_and_a_living_ones_is_not(
    working: tuple[subprocess.Popen[str], Path], tmp_path: Path
) -> None:
    process, folder = working
    write_text(tmp_path / "file", "")
    assert (folder / "half").is_file(), "its process is at work"
    process.send_signal(signal.SIGKILL)
    process.wait()
    assert (folder / "half").is_file()
    write_text(tmp_path / "file", "")
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


def test_folders_of_others_are_never_cleared(tmp_path: Path) -> None:
    others = [tmp_path / name for name in (".file.abcdefgh", f"{PREFIX}notes-of-mine", "mobile-sdk-abcdefgh", ".git")]
    for other in others:
        other.mkdir()
    with own_folder(tmp_path) as mine, own_folder(tmp_path) as second:
        assert mine.is_dir() and second.is_dir() and mine != second
    assert sorted(tmp_path.iterdir()) == sorted(others)


def test_a_folder_of_ones_own_takes_folders_and_files(tmp_path: Path) -> None:
    with own_folder(tmp_path) as own:  # it is locked: waiting for it would never end
        for _ in range(2):
            with replacing_folder(own / "model.mlpackage") as unfinished:
                unfinished.mkdir()
                write_text(unfinished / "weights", "1")
        assert (own / "model.mlpackage" / "weights").read_text() == "1"
        write_text(own / "file", "2")


def test_scratch_folders_lie_among_the_temporary_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    with scratch_folder() as folder:
        assert folder.parent == tmp_path
    assert list(tmp_path.iterdir()) == []


def test_a_locked_folder_is_anothers(tmp_path: Path) -> None:
    with locked_folder(tmp_path), pytest.raises(BlockingIOError), locked_folder(tmp_path):
        pass
    with locked_folder(tmp_path):
        pass


def test_a_folder_is_replaced_in_one_that_is_locked(tmp_path: Path) -> None:
    with locked_folder(tmp_path):  # as a training does, here or in another process, for hours
        for text in ("first", "second"):
            with replacing_folder(tmp_path / "folder") as unfinished:
                unfinished.mkdir()
                (unfinished / text).touch()
        assert [path.name for path in (tmp_path / "folder").iterdir()] == ["second"]


def test_an_old_folder_comes_back_where_the_new_one_cannot_take_its_place(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder" / "old").touch()
    rename = Path.rename

    def full(self: Path, target: Path) -> Path:
        if self.parent.name == "new":
            raise OSError(errno.ENOSPC, "No space left on device")
        return rename(self, target)

    monkeypatch.setattr(Path, "rename", full)
    with pytest.raises(OSError, match="No space"), replacing_folder(tmp_path / "folder") as unfinished:
        unfinished.mkdir()
    assert [path.name for path in (tmp_path / "folder").iterdir()] == ["old"]


def test_of_many_that_write_one_folder_at_once_one_is_left_whole(tmp_path: Path) -> None:
    failures: list[BaseException] = []

    def write(number: int) -> None:
        try:
            for _ in range(5):
                with replacing_folder(tmp_path / "folder") as unfinished:
                    unfinished.mkdir()
                    for name in "ab":
                        (unfinished / name).write_text(str(number), encoding="utf-8")
        except BaseException as error:  # noqa: BLE001  of a thread: told below
            failures.append(error)

    threads = [threading.Thread(target=write, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not failures
    assert len({path.read_text("utf-8") for path in (tmp_path / "folder").iterdir()}) == 1
    assert [path.name for path in tmp_path.iterdir()] == ["folder"]


def test_reading_ends_at_the_limit_and_names_the_file(tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.write_bytes(b"1234")
    assert read_regular(file, at_most=4) == b"1234"
    with pytest.raises(OSError, match=r"4 bytes where at most 3 are read.*file"):
        read_regular(file, at_most=3)
    with pytest.raises(FileNotFoundError):
        read_regular(tmp_path / "none")
