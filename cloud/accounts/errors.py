"""Why somebody is not let in."""

from cloud.errors import CloudError


class SignInNeeded(CloudError):
    """Nobody known asks: 401. One text for every cause, so that it tells nothing."""

    def __init__(self, detail: str = "sign in, or send a valid token") -> None:
        super().__init__(detail)


class NotAllowed(CloudError):
    """Somebody known asks for what that role or token may not: 403."""


class Wait(CloudError):
    """Too many wrong passwords: 429."""

    def __init__(self, seconds: int) -> None:
        super().__init__(f"too many wrong passwords: try again in {seconds} s")
        self.seconds = seconds


class Crowded(CloudError):
    """Too many sign-ins at once: 503."""
