"""Telemetry on InfluxDB 2: `store.InfluxTelemetry` and its parts."""
