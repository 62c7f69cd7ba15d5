"""Detectors: what is unusual in a row of readings."""
