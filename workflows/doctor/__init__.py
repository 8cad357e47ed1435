"""Asks every precondition of a first backup and of a restore. Nothing is left in the cluster."""
