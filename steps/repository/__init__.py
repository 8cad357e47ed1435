"""Copies of backups in restic repositories: push, proof, fetch, and which snapshots there are."""
