"""The service's signature under its commands (Ed25519, RFC 8032)."""

from pathlib import Path

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from cloud.durable import write_whole
from cloud.errors import SettingsError
from models.contract.ids import key_id
from models.contract.messages import Command


class Signer:
    """One key of this installation, made at the first start."""

    def __init__(self, folder: Path) -> None:
        path = folder / "command.key"
        if not path.exists():
            _make(path)
        try:
            key = serialization.load_pem_private_key(path.read_bytes(), password=None)
        except (OSError, ValueError, UnsupportedAlgorithm) as error:
            raise SettingsError(f"{path}: not a private key; restore it from a backup") from error
        if not isinstance(key, Ed25519PrivateKey):
            raise SettingsError(f"{path}: not an Ed25519 key; restore it from a backup")
        self._key = key
        public = key.public_key()
        self.key_id = key_id(public.public_bytes_raw())
        #: what devices are given as `commands.key_file`
        self.public_file = folder / "command-key.pem"
        pem = public.public_bytes(
            serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
        )
        if not self.public_file.exists():
            write_whole(self.public_file, pem)
            self.public_file.chmod(0o644)
        elif self.public_file.read_bytes() != pem:  # any 32 bytes are a key
            raise SettingsError(
                f"{path}: {self.public_file.name} beside it is not its public half; restore both "
                "from a backup, or delete that one if the key was changed on purpose"
            )

    def sign(self, text: str) -> Command:
        """Return a command with its signature."""
        return Command(text=text, key=self.key_id, signature=self._key.sign(text.encode()))


def _make(path: Path) -> None:
    pem = Ed25519PrivateKey.generate().private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
    write_whole(path, pem)
