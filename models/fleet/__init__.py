"""The vectorised scoring core."""
