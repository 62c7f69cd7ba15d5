"""`forewarn agent …`: the same as `forewarn-agent …`."""

from edge_agent.__main__ import main

__all__ = ["main"]
