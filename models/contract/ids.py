"""Identifiers. UUIDv7 (RFC 9562, 5.7) from a time and random bytes that the caller brings."""

import uuid


def uuid7(unix_ns: int, entropy: bytes) -> str:
    """Return the UUIDv7 of a time in ns and 10 random bytes, as text."""
    ms = unix_ns // 1_000_000
    value = (ms & (1 << 48) - 1) << 80 | int.from_bytes(entropy[:10], "big")
    value = value & ~(0xF << 76) | 0x7 << 76
    value = value & ~(0x3 << 62) | 0x2 << 62
    return str(uuid.UUID(int=value))


def key_id(public: bytes) -> str:
    """Return the 8 hex digits that name a raw public key of 32 bytes."""
    # a device without keys never needs it, and it is 0.7 MB there
    from hashlib import blake2b  # noqa: PLC0415

    return blake2b(public, digest_size=4).hexdigest()
