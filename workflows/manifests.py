"""All manifests that an administrator applies, with checked references."""

from collections.abc import Mapping, Sequence
from types import MappingProxyType

from steps.contract import values
from steps.contract.prune_contract import PruneArguments
from workflows import access
from workflows.backup import backup
from workflows.drill import drill
from workflows.monitoring import alerts, dashboard
from workflows.monitoring.alerts import Thresholds
from workflows.prune import prune
from workflows.rendering.document import Manifest
from workflows.rendering.references import BadReferenceError, check
from workflows.rendering.settings import Settings
from workflows.restore import restore
from workflows.schedule import NAME as BACKUP_SCHEDULE
from workflows.schedule import Cron, schedule
from workflows.verify import verify
from workflows.watchdog import watchdog


def render(  # noqa: PLR0913  what is rendered only where it is asked for
    settings: Settings,
    cron: str | None = None,
    timezone: str = "UTC",
    arguments: Mapping[str, str] = MappingProxyType({}),
    rules: PruneArguments | None = None,
    *,
    proofs: Sequence[Cron] = (),
    watch_cron: str | None = None,
    max_age: str = values.MAX_AGE,
    thresholds: Thresholds | None = None,
) -> list[Manifest]:
    """Render everything: access first, then the templates, then the schedules with their arguments.

    `cron` and `arguments` are those of the backup. `proofs` are the schedules of verifications and drills.

    `rules` are those of retention, for `threescale-prune` and for the end of each scheduled backup. `watch_cron` adds
    the watchdog, which fails if the newest backup is older than `max_age`. `thresholds` adds the alerts and the
    dashboard for one namespace. Without `cron`, neither the watchdog nor the alerts check the schedule of the backup.

    Raises:
        schedule.BadScheduleError
        BadReferenceError: never in a release; the tests render every combination.
    """
    kept = rules or PruneArguments()
    built = [backup(settings, kept).to_dict(), prune(settings, kept).to_dict()]
    built += [build(settings).to_dict() for build in (restore, verify, drill)]
    nightly = [Cron("backup", cron, arguments)] if cron is not None else []
    accounts = access.access(settings)
    if watch_cron is not None:
        accounts += access.of_watchdog(settings)
        built.append(watchdog(settings).to_dict())
        looked_at = BACKUP_SCHEDULE if cron is not None else ""
        nightly.append(Cron("watchdog", watch_cron, {"max-age": max_age, "schedule": looked_at}))
    for each in (*nightly, *proofs):
        built.append(schedule(settings, each.cron, timezone, each.arguments, of=each.of).to_dict())
    manifests = [*accounts, *built]
    if thresholds:
        namespace = settings.namespace or ""
        manifests += [
            alerts.prometheus_rule(namespace, thresholds, scheduled=cron is not None),
            dashboard.config_map(namespace, thresholds.expected_every),
        ]
    problems = [problem for manifest in manifests for problem in check(manifest)]
    if problems:
        raise BadReferenceError("; ".join(problems))
    return manifests
