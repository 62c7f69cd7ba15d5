"""The agent's errors, sorted by what the caller does.

AgentError
├── SettingsError   refuse to start: says file, line and key, and what to write instead
├── DriverError     try again later: the source did not give readings
└── OutboxError
    ├── OutboxCorrupt  set the file aside and begin a new one
    └── OutboxGone     end: a new start opens what is at its path then
"""


class AgentError(Exception):
    """Base of all errors of the agent."""


class SettingsError(AgentError):
    """The settings are wrong; the text names file, line and key."""


class DriverError(AgentError):
    """A source gave no readings; the text says which and what to look at."""


class OutboxError(AgentError):
    """The outbox did not do what was asked."""


class OutboxCorrupt(OutboxError):
    """The file is not a readable outbox; the text names the file."""


class OutboxGone(OutboxError):
    """The file that is open is no longer the one at its path; what it takes, nobody finds again."""


def first(group: BaseExceptionGroup[BaseException]) -> BaseException:
    """Return the first error inside groups of errors."""
    error: BaseException = group
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    return error
