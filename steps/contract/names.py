"""Words that phases and rendered manifests share: of labels, of outputs, and of objects with fixed names."""

from typing import Literal

TOOL = "threescale-backup"
PART_OF = {"app.kubernetes.io/part-of": TOOL}
PART_OF_SELECTOR = ",".join(f"{name}={value}" for name, value in PART_OF.items())  # the selector of these labels
PREFIX = f"{TOOL}/"  # of this tool's labels and annotations
KIND = PREFIX + "kind"  # of a workflow: backup, restore, watchdog ...

Operation = Literal["backup", "restore", "prune", "verify", "drill", "watchdog", "push", "fetch", "repository-prune"]
Form = Literal["webhook", "slack"]  # of a notification
INSTANCE_ID = "workflows.argoproj.io/controller-instanceid"  # a controller's label (Argo, workflow/common/common.go)
SYSTEM_STORAGE = "system-storage"  # the claim of System FileStorage, always of this name (operator, system.go)
EXTERNAL = "external"  # System's files are in S3, not in a claim

# ConfigMaps: result records of failed backups, of restores and of drills; the ledger of a drill.
BACKUP_RESULTS = f"{TOOL}-results"
RESTORE_RESULTS = "threescale-restore-results"
DRILL_RESULTS = "threescale-drill-results"
DRILL_LEDGER = "threescale-drill"

# ConfigMaps: the ID of an installation in its repositories; what is known of the snapshots of a repository.
ORIGIN = f"{TOOL}-origin"
LEDGER = f"{TOOL}-ledger-{{}}"  # with the name of the repository's Secret
