"""The one thread that writes to the ledger, as its users see it."""

from collections.abc import Awaitable, Callable
from typing import Protocol, TypeVar

T = TypeVar("T")


class Submit(Protocol):
    """Runs a ledger write on the one writer thread and returns its result."""

    def __call__(self, work: Callable[[], T], /) -> Awaitable[T]:
        """Run `work` after what was submitted before it."""
        ...
