"""Who may give commands: signatures over the exact text (Ed25519, RFC 8032).

`cryptography` is imported at the first signed command, so that an agent without one stays small.
"""

from collections.abc import Callable
from pathlib import Path

from edge_agent.errors import SettingsError
from models.contract.ids import key_id
from models.contract.messages import Command

Check = Callable[[Command], str | None]


def checker(key_file: str | None, *, trial: bool) -> Check:
    """Return a check that says why a command is not accepted (None: it is).

    Args:
        key_file: PEM file of the service's public key.
        trial: whether unsigned commands are accepted where there is no key (loopback only).
    """
    if key_file is None:

        def unsigned(_: Command) -> str | None:
            if trial:
                return None
            return "this device has no key: set commands.key_file to the service's public key"

        return unsigned

    def signed(command: Command) -> str | None:
        if command.signature is None:
            return "the command is not signed"
        return _verify(Path(key_file), command)

    return signed


def _verify(path: Path, command: Command) -> str | None:
    from cryptography.exceptions import InvalidSignature  # noqa: PLC0415
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey  # noqa: PLC0415
    from cryptography.hazmat.primitives.serialization import load_pem_public_key  # noqa: PLC0415

    try:
        key = load_pem_public_key(path.read_bytes())
    except (OSError, ValueError) as error:
        raise SettingsError(f"commands.key_file: {path}: {error}") from error
    if not isinstance(key, Ed25519PublicKey):
        raise SettingsError(f"commands.key_file: {path} is not an Ed25519 public key")
    known = key_id(key.public_bytes_raw())
    if command.key != known:
        return f"signed with key {command.key}, this device knows {known}"
    try:
        key.verify(command.signature or b"", command.text.encode())
    except InvalidSignature:
        return "the signature does not fit"
    return None
