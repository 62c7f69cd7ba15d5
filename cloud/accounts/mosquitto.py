"""What Mosquitto reads: its password file, its access lists, its configuration. Pure texts.

The user name of a device is its identity `tenant.device`, which is one level of its topics and,
by `use_username_as_clientid`, its client id: two lines give each device exactly its own topics,
and none can throw another one off the broker by taking its client id.
"""

import base64
import hashlib
import re
import secrets
from typing import Final

from cloud.errors import Refused
from models.contract import topics
from models.contract.errors import BadTopic

ITERATIONS: Final = 101  #: Mosquitto's own figure; the passwords are random, not chosen by people
SALT_BYTES: Final = 12
HASH_BYTES: Final = 64
SERVICE: Final = "forewarn"  #: user name of the service on its own listener
_LINE: Final = re.compile(r"^([^:\n]+):", re.MULTILINE)

DEVICES_ACL: Final = f"""\
# A device writes below its own up/ and reads below its own down/; %u is its user name.
pattern write {topics.ROOT}/%u/up/#
pattern read {topics.ROOT}/%u/down/#
"""
SERVICE_ACL: Final = f"""\
# The service reads what devices send and writes what they get.
user {SERVICE}
topic read {topics.ROOT}/+/up/#
topic write {topics.ROOT}/+/down/#
"""
CONFIGURATION: Final = """\
# Mosquitto 2 for forewarn: TLS on every listener, nobody without a password.
# `forewarn device setup` writes this file with its certificates, passwords and access lists.

per_listener_settings true
log_dest stderr

# Bounds. What overflows a queue is sent again by the devices' outboxes.
max_packet_size 1048576
max_inflight_messages 1024
max_queued_messages 10000
max_queued_bytes 67108864
persistence false

# Devices, from anywhere.
listener {device_port}
certfile {folder}/broker.pem
keyfile {folder}/broker.key
tls_version tlsv1.2
allow_anonymous false
password_file {folder}/devices.passwd
acl_file {folder}/devices.acl
use_username_as_clientid true

# The service, from this computer.
listener {service_port} 127.0.0.1
certfile {folder}/broker.pem
keyfile {folder}/broker.key
tls_version tlsv1.2
allow_anonymous false
password_file {folder}/service.passwd
acl_file {folder}/service.acl
"""


def configuration(folder: str, device_port: int = 8883, service_port: int = 8884) -> str:
    """Return the broker's configuration with its files in `folder`."""
    values = {"folder": folder, "device_port": device_port, "service_port": service_port}
    return CONFIGURATION.format(**values)


def check_identity(device: str) -> str:
    """Return `tenant.device`; `Refused` says how one is written."""
    tenant, dot, name = device.partition(".")
    try:
        topics.Topic(tenant, name if dot else "", "up", ("birth",))
    except BadTopic as error:
        raise Refused(
            "/device",
            f"'{device}': write tenant.device, each of a-z, 0-9 and '-', at most 31 characters",
        ) from error
    return device


def new_password() -> str:
    """Return a new password: 256 random bits."""
    return secrets.token_urlsafe(32)


def password_line(user: str, password: str, salt: bytes | None = None) -> str:
    """Return a line of the password file, as `mosquitto_passwd` writes it (PBKDF2-SHA512)."""
    salt = secrets.token_bytes(SALT_BYTES) if salt is None else salt
    made = hashlib.pbkdf2_hmac("sha512", password.encode(), salt, ITERATIONS, HASH_BYTES)
    parts = (base64.b64encode(part).decode() for part in (salt, made))
    return f"{user}:$7${ITERATIONS}${'$'.join(parts)}"


def users(text: str) -> list[str]:
    """Return the users of a password file."""
    return _LINE.findall(text)


def with_user(text: str, line: str) -> str:
    """Return a password file with a line instead of, or after, those that are there."""
    user = line.partition(":")[0]
    return without_user(text, user) + line + "\n"


def without_user(text: str, user: str) -> str:
    """Return a password file without a user."""
    kept = [one for one in text.splitlines() if one and one.partition(":")[0] != user]
    return "".join(f"{one}\n" for one in kept)
