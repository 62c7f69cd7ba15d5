"""The vectorised scoring core: the state of all machines as arrays, rows in, assessments out."""

from models.fleet.config import Config
from models.fleet.fleet import Fleet
from models.fleet.persist import SnapshotError
from models.fleet.trace import Trace

__all__ = ["Config", "Fleet", "SnapshotError", "Trace"]
