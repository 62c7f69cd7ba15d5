from pathlib import Path

import pytest

from edge_agent import aside
from edge_agent.command_file import ASIDE, CommandFile, CommandFileError, Kept

PAGE = 4096
COMMANDS = 300  #: more than SQLite keeps in memory


def filled(path: Path) -> CommandFile:
    file = CommandFile(path)
    for i in range(COMMANDS):
        text = "y" * 300
        kept = Kept(
            id=f"i{i}", op="x", text=text, expires_ns=2**62, step="accepted", answer=b"z" * 300
        )
        assert file.add(kept, 1)
    return file


def damage(path: Path) -> bytes:
    """Leave the first page and overwrite the rest."""
    whole = path.read_bytes()
    damaged = whole[:PAGE] + b"\xff" * (len(whole) - PAGE)
    path.write_bytes(damaged)
    return damaged


def test_a_file_whose_first_page_is_sound_is_set_aside_too(tmp_path: Path) -> None:
    path = tmp_path / "commands.db"
    filled(path).close()
    damaged = damage(path)
    file = CommandFile(path)
    assert file.get("i1") is None
    assert file.at("accepted") == []
    file.close()
    assert (tmp_path / "commands.db.unreadable").read_bytes() == damaged


def test_damage_that_is_found_while_it_is_open_sets_it_aside(tmp_path: Path) -> None:
    path = tmp_path / "commands.db"
    filled(path).close()
    file = CommandFile(path)
    damage(path)
    with pytest.raises(CommandFileError, match="malformed"):
        file.at("accepted")
    assert file.at("accepted") == []
    assert file.add(Kept(id="n", op="x", text="", expires_ns=9, step="accepted", answer=b""), 1)
    file.close()
    assert (tmp_path / "commands.db.unreadable").exists()


def test_the_same_command_twice_leaves_the_file_as_it_is(tmp_path: Path) -> None:
    file = filled(tmp_path / "commands.db")
    kept = file.get("i1")
    assert kept is not None
    with pytest.raises(CommandFileError, match="UNIQUE"):
        file.add(kept, 1)
    assert len(file.at("accepted")) == COMMANDS
    file.close()


def test_each_damaged_file_is_kept(tmp_path: Path) -> None:
    path = tmp_path / "commands.db"
    for text in (b"first", b"second", b"third"):
        path.write_bytes(text * 1000)
        CommandFile(path).close()
        path.unlink()
    kept = [one.read_bytes() for one in sorted(tmp_path.glob("commands.db.unreadable*"))]
    assert kept == [b"first" * 1000, b"second" * 1000, b"third" * 1000]


def test_of_many_damaged_files_the_newest_are_kept(tmp_path: Path) -> None:
    path = tmp_path / "commands.db"
    for n in range(aside.KEPT + 3):
        path.write_bytes(b"damage %d" % n * 1000)
        CommandFile(path).close()
    kept = [one.path.read_bytes()[:8] for one in aside.found(path)]
    assert kept == [b"damage %d" % n for n in range(3, aside.KEPT + 3)]


def test_large_damaged_files_are_kept_alone(tmp_path: Path) -> None:
    path = tmp_path / "commands.db"
    for n in range(2):
        path.write_bytes(b"damage %d" % n * (ASIDE // 8))
        CommandFile(path).close()
    kept = [one.read_bytes()[:8] for one in tmp_path.glob("commands.db.unreadable*")]
    assert kept == [b"damage 1"]
