"""Kinds of arguments that more than one verb takes; argparse names the argument before the text."""

import argparse
import re
from typing import Final

_TENANT: Final = re.compile("[a-z0-9][a-z0-9-]{0,30}")


def count(text: str) -> int:
    """Read a whole number from 1."""
    return _whole(text, 1)


def whole(text: str) -> int:
    """Read a whole number from 0, as a seed is one."""
    return _whole(text, 0)


def _whole(text: str, least: int) -> int:
    if not (text.isdecimal() and int(text) >= least):
        raise argparse.ArgumentTypeError(f"expected a whole number from {least}")
    return int(text)


def port(text: str) -> int:
    """Read a TCP port; 0 is any that is free."""
    if not (text.isdecimal() and int(text) < 1 << 16):
        raise argparse.ArgumentTypeError("a port is a number from 0 to 65535")
    return int(text)


def span(text: str) -> float:
    """Read a length of time; 0 is one."""
    try:
        found = float(text)
    except ValueError:
        found = -1.0
    if not 0.0 <= found < float("inf"):
        raise argparse.ArgumentTypeError("expected a number that is not below 0")
    return found


def days(text: str) -> float:
    """Read a length of time that is not nothing."""
    found = span(text)
    if not found:
        raise argparse.ArgumentTypeError("expected a number above 0")
    return found


def tenant(text: str) -> str:
    """Read the first part of machines' ids."""
    if not _TENANT.fullmatch(text):
        raise argparse.ArgumentTypeError("give a-z, 0-9 and '-', at most 31 characters")
    return text
