"""Copies of sealed backups in a restic repository: snapshots, and what proves them complete."""
