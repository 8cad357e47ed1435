"""Fixed names of what this tool makes in a namespace: phases write there, and Roles name them."""

# Ours beside it, of fixed names: evidence of restores, drills and backups that failed; what a drill has made.
BACKUP_RESULTS = "threescale-backup-results"
RESTORE_RESULTS = "threescale-restore-results"
DRILL_RESULTS = "threescale-drill-results"
DRILL_LEDGER = "threescale-drill"
