"""A seeded mutator: good messages in, hostile ones out. The same seed gives the same mutants."""

import json
import random
import struct
from collections.abc import Callable, Iterator

from tests.models.contract.corpus import corpus

JUNK = (
    *(b"NaN", b"Infinity", b"-Infinity", b"9e999", b"-1e999", b"1e-999", b"null", b"true", b"-0"),
    *(b"9" * 25, b"9223372036854775807", b"9223372036854775808", b"18446744073709551615", b"0.1"),
    *(b'"\\ud800"', b'"\\udc00\\ud800"', b'"\\u0000"', b"\xff\xfe", b"\xed\xa0\x80", b"\xc0\x80"),
    *(b"[]", b"{}", b"[[", b"]}", b'"', b",", b":", b"[1,2]", b'{"a":1}', b'""', b"\n", b"1.5e3"),
    *(
        b"\x9b\x7f" + b"\xff" * 7,
        b"\x5b\x7f" + b"\xff" * 7,
        b"\xbb" + b"\xff" * 8,
        b"\x9a\xff\xff\xff\xff",
    ),
    *(
        b"\x5f",
        b"\x7f",
        b"\x9f",
        b"\xbf",
        b"\xff",
        b"\xf6",
        b"\xf7",
        b"\xf8\x20",
        b"\xf8\x14",
        b"\xe0",
    ),
    *(
        b"\xf9\x7e\x00",
        b"\xf9\x7c\x00",
        b"\xfb\x7f\xf0" + bytes(6),
        b"\x1b" + b"\xff" * 8,
        b"\x3b" + b"\xff" * 8,
    ),
    *(
        b"\xc2\x49\x01" + bytes(8),
        b"\xc4\x82\x1b\x7f" + b"\xff" * 7 + b"\x01",
        b"\xd8\x1c\x80",
        b"\xd8\x1d\x00",
    ),
    *(
        b"\xc0\x61x",
        b"\xc1\xfb\x7f\xf0" + bytes(6),
        b"\xd8\x23\x61(",
        b"\xd8\x19\x00",
        b"\xd9\x01\x00\x80",
    ),
    *(
        b"\xd8\x56\x48" + bytes(8),
        b"\xd8\x4f\x47" + bytes(7),
        b"\xd8\x53\x50" + bytes(16),
        b"\xd8\x4c\x41\x00",
    ),
)
KEYS = (
    "v",
    "b",
    "s",
    "n",
    "u",
    "t0",
    "m0",
    "cq",
    "dt",
    "dn",
    "d",
    "q",
    "h",
    "dh",
    "boot",
    "stream",
)
VALUES = (
    *("null", "true", "0", "1", "2", "-1", "1.0", "1e0", "9e999", '""', '"x"', "[]", "{}", "[0]"),
    *("65536", "65537", "4294967296", "9223372036854775807", "9223372036854775808", "9" * 30),
    *('"1790000000000000000"', '"2026-02-29T00:00:00Z"', '"2026-12-31T23:59:60Z"', "[0,1.5,2]"),
    *('"0badcafe"', '"0BADCAFE"', '"aaaaaaaa\\n"', '"aaaaaaaa"', "[0,1,2]", '{"temp":[0,1,2]}'),
    *(
        '{"temp":3}',
        '{"temp":4}',
        '{"temp":[0,0]}',
        '{"src":"ptp","err":-1}',
        '{"src":5}',
        "0.0000001",
    ),
)
TOPICS = (
    *("pm/1/acme.gw1/up/t/live", "pm/1/acme.gw1/up/birth", "pm/1/acme.gw1/up/e/gap"),
    *("pm/1/acme.gw1/up/t/other", "pm/1/acme.gw1/up/+", "pm/1/acme/up/t/live", "pm/2/a.b/up/state"),
    *("", "#", "$SYS/broker", "pm/1/a.b.c/up/state", "pm/1/A.b/up/state", "pm/1/a.b/up/state\0"),
    *("pm/1/a.b/sideways/state", "pm/1/a.b/up", "pm/1/a.b/down/ack", "pm/1/a.b/up/e/" + "x" * 300),
)
Mutation = Callable[[random.Random, bytes], bytes]


def flip(rng: random.Random, data: bytes) -> bytes:
    out = bytearray(data)
    for _ in range(rng.choice((1, 1, 1, 2, 4, 8))):
        if out:
            out[rng.randrange(len(out))] ^= 1 << rng.randrange(8)
    return bytes(out)


def put_byte(rng: random.Random, data: bytes) -> bytes:
    at = rng.randrange(len(data) + 1)
    return data[:at] + bytes([rng.randrange(256)]) + data[at + 1 :]


def cut(rng: random.Random, data: bytes) -> bytes:
    return data[: rng.randrange(len(data) + 1)]


def remove(rng: random.Random, data: bytes) -> bytes:
    at = rng.randrange(len(data) + 1)
    return data[:at] + data[at + rng.choice((1, 1, 2, 4, 8, 32)) :]


def repeat(rng: random.Random, data: bytes) -> bytes:
    at = rng.randrange(len(data) + 1)
    part = data[at : at + rng.choice((1, 2, 8, 64))]
    return data[:at] + part * rng.choice((2, 2, 3, 10)) + data[at:]


def junk(rng: random.Random, data: bytes) -> bytes:
    at = rng.randrange(len(data) + 1)
    return data[:at] + rng.choice(JUNK) + data[at + rng.choice((0, 0, 1, 2, 9)) :]


def number(rng: random.Random, data: bytes) -> bytes:
    """Put something else where a run of digits stands."""
    starts = [
        i for i, c in enumerate(data) if 48 <= c < 58 and (i == 0 or not 48 <= data[i - 1] < 58)
    ]
    if not starts:
        return junk(rng, data)
    start = end = rng.choice(starts)
    while end < len(data) and 48 <= data[end] < 58:
        end += 1
    return data[:start] + rng.choice(JUNK) + data[end:]


def key(rng: random.Random, data: bytes) -> bytes:
    """Add a key, or another value for one, to a JSON or CBOR map."""
    name, value = rng.choice(KEYS), rng.choice(VALUES)
    if data[:1] == b"{":
        text = f'"{name}":{value}'.encode()
        if rng.random() < 0.5:
            return b"{" + text + b"," + data[1:]
        return data[:-1] + b"," + text + b"}"
    if data and 0xA0 <= data[0] < 0xB7:
        plain = cbor_of(json.loads(value))
        number = KEYS.index(name) if rng.random() < 0.5 else None
        head = cbor_of(name) if number is None else bytes([number])
        return bytes([data[0] + 1]) + head + plain + data[1:]
    return flip(rng, data)


def cbor_of(value: object) -> bytes:
    """Write a value of JSON as CBOR (the mutator uses nothing of the codec's)."""
    if value is None or isinstance(value, bool):
        return {None: b"\xf6", True: b"\xf5", False: b"\xf4"}[value]
    if isinstance(value, int):
        wide = min(abs(value) - (value < 0), 2**64 - 1)
        return bytes([0x3B if value < 0 else 0x1B]) + wide.to_bytes(8)
    if isinstance(value, float):
        return b"\xfb" + struct.pack(">d", value)
    if isinstance(value, str):
        text = value.encode(errors="surrogatepass")
        return b"\x79" + len(text).to_bytes(2) + text
    if isinstance(value, list):
        return b"\x99" + len(value).to_bytes(2) + b"".join(map(cbor_of, value))
    assert isinstance(value, dict)
    pairs = (cbor_of(k) + cbor_of(v) for k, v in value.items())
    return b"\xb9" + len(value).to_bytes(2) + b"".join(pairs)


def nest(rng: random.Random, data: bytes) -> bytes:
    """Wrap a piece, or put a deep nest in its place."""
    depth = rng.choice((1, 5, 10, 13, 14, 15, 16, 17, 18, 40, 300))
    at = rng.randrange(len(data) + 1)
    if data[:1] == b"{":
        opener, closer = rng.choice(((b"[", b"]"), (b'{"a":', b"}")))
        return data[:at] + opener * depth + b"1" + closer * depth + data[at + 1 :]
    opener = rng.choice((b"\x81", b"\xa1\x61a", b"\xc1", b"\x9f", b"\xd8\x18"))
    return data[:at] + opener * depth + b"\x01" + data[at + 1 :]


def splice(rng: random.Random, data: bytes) -> bytes:
    other = rng.choice(GOOD)[1]
    return data[: rng.randrange(len(data) + 1)] + other[rng.randrange(len(other) + 1) :]


def swap(rng: random.Random, data: bytes) -> bytes:
    return rng.choice(GOOD)[1]


def pad(rng: random.Random, data: bytes) -> bytes:
    extra = rng.choice((b" ", b"\n", b"\0", b"\xff", b"}", b"\xf6", b"x" * 1000))
    return extra + data if rng.random() < 0.3 else data + extra


def noise(rng: random.Random, data: bytes) -> bytes:
    return rng.randbytes(rng.choice((0, 1, 2, 10, 60)))


MUTATIONS: tuple[tuple[Mutation, int], ...] = (
    *((flip, 10), (put_byte, 6), (cut, 3), (remove, 5), (repeat, 4), (junk, 10), (number, 20)),
    *((key, 30), (nest, 5), (splice, 2), (swap, 1), (pad, 3), (noise, 1)),
)
GOOD = corpus()
LARGE = (
    b'{"d":{"a":[' + b"0," * 150_000 + b"0]}}",
    b'{"d":{"a":[' + b"9" * 200_000 + b"]}}",
    b'{"d":{"a":[0.' + b"1" * 200_000 + b"]}}",
    b'{"x":' + b"[" * 200_000 + b"1" + b"]" * 200_000 + b',"d":{"a":1}}',
    b'{"x":' + b"[" * 100_000,
    b"\x81" * 200_000,
    b"\xa1\x09\xa1\x61a" + b"\xc6" * 200_000 + b"\x00",
    b"\xa1\x09\xa1\x61a\x9a\x00\x02\x00\x00" + b"\xf6" * 131_072,
    b"\xa1\x09\xa1\x61a\xd8\x56\x5a\x00\x03\xff\x00" + bytes(0x3FF00),
)


def mutants(seed: int, count: int) -> Iterator[tuple[str, bytes]]:
    """Yield `count` messages as (topic, payload), most of them wrong somewhere."""
    rng = random.Random(seed)
    moves = [move for move, weight in MUTATIONS for _ in range(weight)]
    for index in range(count):
        topic, payload = rng.choice(GOOD)
        for _ in range(rng.choice((1, 1, 1, 1, 2, 3))):
            payload = rng.choice(moves)(rng, payload)
        if rng.random() < 0.02:
            topic = rng.choice(TOPICS)
        if index % 5000 == 4999:
            payload = rng.choice(LARGE)
        yield topic, payload
