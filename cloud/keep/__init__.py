"""Keeping an installation: backups, restores, erasures, findings, metrics of its stores."""
