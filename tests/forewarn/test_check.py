from pathlib import Path

import pytest

from forewarn.__main__ import main


def test_each_file_is_judged_by_its_kind(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    files = ["deploy/edge.toml", "deploy/cloud.toml", "models/profiles/centrifugal-pump.toml"]
    assert main(["check", *files]) == 0
    said = capsys.readouterr().out
    for path, kind in zip(files, ("edge", "cloud", "profile"), strict=True):
        assert f"{path}: fine ({kind} settings)" in said
    unread = tmp_path / "edge.toml"
    unread.write_bytes(b"\xff")
    for kind in ("edge", "cloud", "profile"):
        assert main(["check", "--kind", kind, str(unread)]) == 1
        assert capsys.readouterr().err == f"{unread}: is not UTF-8 text (byte 0)\n"
