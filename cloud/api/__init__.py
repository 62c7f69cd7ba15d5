"""The HTTP API below /api/v1: thin routes over ledger and telemetry store, one file a noun."""

from cloud.api.app import create_app
from cloud.api.deps import ApiDeps, HealthReport

__all__ = ["ApiDeps", "HealthReport", "create_app"]
