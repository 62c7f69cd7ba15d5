"""What a bad disk does to a file: flipped bits, cuts, pages of zeros or in each other's place."""

from collections.abc import Iterator

PAGE = 4096


def flips(content: bytes, count: int) -> Iterator[tuple[str, bytes]]:
    """Yield the content with one bit flipped, at `count` places spread over all of it."""
    step = max(1, len(content) // count)
    for n, at in enumerate(range(0, len(content), step)):
        damaged = bytearray(content)
        damaged[at] ^= 1 << n * 5 % 8
        yield f"bit {n * 5 % 8} of byte {at}", bytes(damaged)


def losses(content: bytes, page: int = PAGE) -> Iterator[tuple[str, bytes]]:
    """Yield the content cut off, with a page of zeros, and with two pages exchanged."""
    for part in (0, 1, 2, 3):
        at = len(content) * part // 4
        yield f"cut at {at}", content[:at]
        at = at // page * page
        yield f"zeros from {at}", content[:at] + bytes(page) + content[at + page :]
    yield "without the last byte", content[:-1]
    size = min(page, len(content) // 4)
    yield "two pages exchanged", swapped(content, size, 2 * size, size)


def swapped(content: bytes, one: int, two: int, size: int) -> bytes:
    """Return the content with so many bytes from two places on in each other's place."""
    damaged = bytearray(content)
    damaged[one : one + size] = content[two : two + size]
    damaged[two : two + size] = content[one : one + size]
    return bytes(damaged)


def damages(content: bytes, count: int) -> Iterator[tuple[str, bytes]]:
    """Yield `flips` and `losses`."""
    yield from flips(content, count)
    yield from losses(content)
