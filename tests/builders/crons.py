"""The schedules that tests render."""

from workflows.schedule import Cron

BY_NIGHT = Cron("backup", "0 2 * * *", {})
WATCHED = Cron("watchdog", "17 * * * *", {"max-age": "26h", "schedule": ""})
WATCHED_BY_NIGHT = Cron("watchdog", "17 * * * *", {"max-age": "26h", "schedule": "threescale-backup-schedule"})
