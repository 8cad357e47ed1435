"""Backups as the catalogue lists them, without a cluster."""

from datetime import UTC, datetime, timedelta

from steps.catalogue.catalogue import BackupEntry, BackupState

NOW = datetime(2026, 11, 20, 12, tzinfo=UTC)


def backup(name, started, **more):
    facts = {"maker": "threescale-backup", "state": BackupState.COMPLETE, "why": "", "created": started}
    facts |= {"files": 10, "size_bytes": 1000, "schedule": "nights", "workflow": f"of-{name}"}
    return BackupEntry(name=name, uid=f"uid-{name}", started=started, **{**facts, **more})


def nights(count, step=timedelta(days=1), newest=NOW):
    """A backup each night, the first one the newest."""
    return [backup(f"night-{number}", newest - number * step) for number in range(count)]
