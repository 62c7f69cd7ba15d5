"""What can be wrong with a message, sorted by what the reader does about it.

    ContractError
    ├── BadTopic          the topic is not one of ours: set the message aside
    └── BadPayload        the envelope cannot be read: set the message aside

A single broken column is not an error but a value (`messages.BrokenColumn`): its samples are set
aside and the rest of the batch is kept.
"""

from enum import StrEnum


class Reason(StrEnum):
    """Why something was set aside. The strings are part of the contract: they go into receipts."""

    BAD_TOPIC = "bad-topic"
    UNREADABLE = "unreadable"
    TOO_LARGE = "too-large"
    TOO_DEEP = "too-deep"
    VERSION = "version"
    WRONG_TYPE = "wrong-type"
    WRONG_LENGTH = "wrong-length"
    SEQ_CONFLICT = "seq-conflict"
    UNKNOWN_DEVICE = "unknown-device"
    UNKNOWN_DICTIONARY = "unknown-dictionary"
    QUOTA = "quota"


class ContractError(Exception):
    """Base of everything that a message can be wrong in."""

    def __init__(self, reason: Reason, detail: str) -> None:
        super().__init__(f"{reason}: {detail}")
        self.reason = reason
        self.detail = detail


class BadTopic(ContractError):
    """The topic does not follow `pm/1/{tenant}.{device}/{up|down}/…`."""

    def __init__(self, detail: str) -> None:
        super().__init__(Reason.BAD_TOPIC, detail)


class BadPayload(ContractError):
    """The envelope cannot be read; the whole message is set aside."""
