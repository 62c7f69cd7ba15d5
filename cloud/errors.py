"""The service's errors, sorted by what the caller does.

CloudError
├── SettingsError      refuse to start: says which key, and what to write instead
├── StoreError
│   ├── StoreBusy      try again: locked, timed out, away
│   ├── StoreFull      stop taking telemetry until there is room
│   └── StoreCorrupt   refuse to start: says which file, and how to mend it
├── NotFound           the thing asked for is not there (or not yours): 404
├── Conflict           somebody else changed it meanwhile, or the state forbids it: 409/412
└── Refused            the request is wrong; names the field: 422
"""


class CloudError(Exception):
    """Base of all errors of the service."""


class SettingsError(CloudError):
    """The settings are wrong; the text names file, line and key."""


class StoreError(CloudError):
    """A store did not do what was asked."""


class StoreBusy(StoreError):
    """Try again."""


class StoreFull(StoreError):
    """No room left; the text names the path and the bytes."""


class StoreCorrupt(StoreError):
    """The stored bytes contradict their checksum; the text names the file and the way out."""


class NotFound(CloudError):
    """There is no such thing."""


class Conflict(CloudError):
    """The thing changed meanwhile, or its state forbids the change."""


class Refused(CloudError):
    """The request is wrong. `field` is a JSON pointer into it."""

    def __init__(self, field: str, detail: str) -> None:
        super().__init__(f"{field}: {detail}")
        self.field = field
        self.detail = detail
