"""Kinds of arguments that more than one verb takes; argparse names the argument before the text."""

import argparse


def count(text: str) -> int:
    """Read a number from 1."""
    if not (text.isdecimal() and int(text)):
        raise argparse.ArgumentTypeError("expected a number from 1")
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


def seed(text: str) -> int:
    """Read what random numbers are drawn from."""
    if not text.isdecimal():
        raise argparse.ArgumentTypeError("expected a whole number from 0")
    return int(text)
