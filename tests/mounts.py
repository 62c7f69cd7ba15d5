"""File systems that are mounted for a test, and no longer than its process lives."""

import subprocess
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest

#: mounts at $0, and unmounts when its input ends: also where who gave that was killed
KEEPER = """PATH=$PATH:/usr/sbin:/sbin
mount "$@" "$0" 2>&1 || exit
echo; cat; umount "$0" || { umount -l "$0"; exit 1; }"""


@contextmanager
def mounted(place: Path, *words: str) -> Iterator[Path]:
    """Mount at a place what `mount` is told in words; `OSError` where it cannot be."""
    command = ["sh", "-c", KEEPER, str(place), *words]
    pipe = subprocess.PIPE
    with subprocess.Popen(command, stdin=pipe, stdout=pipe, start_new_session=True) as keeper:
        assert keeper.stdin
        assert keeper.stdout
        if said := keeper.stdout.readline().strip():
            raise OSError(said.decode())
        try:
            yield place
        finally:
            keeper.stdin.close()
            assert keeper.wait() == 0, f"{place} was still in use"


@contextmanager
def small_disk(place: Path, size: str) -> Iterator[Path]:
    """Mount an empty disk of that size, or skip the test."""
    with ExitStack() as stack:
        try:
            stack.enter_context(mounted(place, "-t", "tmpfs", "-o", f"size={size}", "tmpfs"))
        except OSError as error:
            pytest.skip(f"small disk: skipped, none can be mounted here (needs root): {error}")
        yield place
