"""A file system that a killed test leaves mounted would make every later run end with an error."""

import subprocess
import sys
from pathlib import Path

from tests.mounts import small_disk

MOUNT = """
import sys
from pathlib import Path
from tests.mounts import small_disk
with small_disk(Path(sys.argv[1]), "1m"):
    print(flush=True)
    sys.stdin.read()
"""


def test_what_is_mounted_ends_with_its_test(tmp_path: Path) -> None:
    with small_disk(tmp_path, "1m") as disk:
        assert disk.is_mount()
    assert not tmp_path.is_mount()


def test_what_is_mounted_ends_with_a_process_that_is_killed(tmp_path: Path) -> None:
    with small_disk(tmp_path, "1m"):
        pass  # else it is skipped
    pipe = subprocess.PIPE
    command = [sys.executable, "-c", MOUNT, str(tmp_path)]
    root = Path(__file__).parents[1]
    with subprocess.Popen(command, cwd=root, stdin=pipe, stdout=pipe, stderr=pipe) as killed:
        assert killed.stdout
        assert killed.stderr
        assert killed.stdout.readline() == b"\n"
        assert tmp_path.is_mount()
        killed.kill()
        assert killed.stderr.read() == b""  # ends when also who unmounts has ended
    assert not tmp_path.is_mount()
