"""A command and how far it is. Pure values; see the device contract for the wire."""

from typing import Any, Final, Literal, Protocol

import msgspec

Op = Literal["snapshot", "log", "capture", "selftest", "network"]
#: queued: sent, and no word from the device yet. It is never said to be delivered without one.
CommandState = Literal["queued", "accepted", "done", "failed", "refused", "expired"]
OPEN: Final[tuple[CommandState, ...]] = ("queued", "accepted")
Key = tuple[int | str, ...]


class Asked(msgspec.Struct, frozen=True, kw_only=True):
    """What somebody wants to know of a machine's device, and until when it is worth an answer."""

    machine: str
    device: str
    op: Op
    args: dict[str, Any]
    expires_ns: int
    actor: str


class CommandRow(Asked, frozen=True, kw_only=True):
    """A command as it stands. `status` follows HTTP; `answered_ns` is by the device's clock."""

    id: str
    recorded_ns: int
    version: int
    state: CommandState
    status: int | None
    text: str | None
    result: dict[str, Any]
    answered_ns: int | None
    heard_ns: int | None


class Answered(msgspec.Struct, frozen=True, kw_only=True):
    """A device's word on a command, as the journal has it; `heard_ns` is when it arrived."""

    n: int
    device: str
    id: str
    state: CommandState
    status: int
    text: str | None
    result: dict[str, Any]
    at_ns: int
    heard_ns: int


class CommandStore(Protocol):
    """Keeps commands. Each method is one transaction."""

    def command_add(self, asked: Asked) -> CommandRow:
        """Keep a new command; `NotFound` for an unknown machine."""
        ...

    def command(self, command_id: str) -> CommandRow:
        """Return one command."""
        ...

    def commands(
        self, *, machine: str, after: Key | None = None, limit: int = 100
    ) -> tuple[list[CommandRow], Key | None]:
        """List a machine's commands, newest first."""
        ...

    def commands_open(self) -> list[CommandRow]:
        """Return those that wait for a word or a result, oldest first."""
        ...

    def commands_answered(self, answers: list[Answered]) -> int:
        """Take devices' words; one about no command, or of another device, changes nothing.

        An end is never taken back, but a device that answers late corrects an expiry.
        """
        ...

    def command_expire(self, command_id: str, text: str) -> None:
        """End an open command that nobody answered in time."""
        ...
