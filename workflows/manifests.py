"""All manifests that an administrator applies, with checked references."""

from collections.abc import Sequence

from steps.contract.prune_contract import PruneArguments
from workflows import access
from workflows.backup import backup
from workflows.configuration import checks
from workflows.configuration.installation import Installation
from workflows.drill import drill
from workflows.fetch import fetch
from workflows.monitoring import alerts, dashboard
from workflows.monitoring.alerts import Thresholds
from workflows.prune import prune
from workflows.push import push
from workflows.rendering.document import Manifest
from workflows.rendering.references import BadReferenceError, check
from workflows.rendering.settings import Settings
from workflows.repository_prune import repository_prune
from workflows.restore import restore
from workflows.schedule import Cron, schedule
from workflows.verify import verify
from workflows.watchdog import watchdog


def of(installation: Installation) -> list[Manifest]:
    """Render everything that an installation asks for.

    Raises:
        BadReferenceError: never in a release; the tests render every combination.
    """
    return render(
        installation.settings,
        installation.crons,
        installation.rules,
        timezone=installation.timezone,
        thresholds=checks.thresholds(installation),
    )


def render(
    settings: Settings,
    crons: Sequence[Cron] = (),
    rules: PruneArguments | None = None,
    *,
    timezone: str = "UTC",
    thresholds: Thresholds | None = None,
) -> list[Manifest]:
    """Render everything: access first, then the templates, then the schedules with their arguments.

    `rules` are those of retention, for `threescale-prune` and for the end of each scheduled backup. A schedule of the
    watchdog adds the watchdog. `thresholds` adds the alerts and the dashboard for one namespace.

    Raises:
        schedule.BadScheduleError
        BadReferenceError: never in a release; the tests render every combination.
    """
    kept, operations = rules or PruneArguments(), {each.of for each in crons}
    built = [backup(settings, kept).to_dict(), prune(settings, kept).to_dict()]
    built += [build(settings).to_dict() for build in (restore, verify, drill)]
    accounts = access.access(settings)
    if settings.repositories:
        accounts += [*access.of_push(settings), *access.of_fetch(settings), *access.of_repository_prune(settings)]
        built += [build(settings).to_dict() for build in (push, fetch, repository_prune)]
    if "watchdog" in operations:
        accounts += access.of_watchdog(settings)
        built.append(watchdog(settings).to_dict())
    built += [schedule(settings, each.cron, timezone, each.arguments, of=each.of).to_dict() for each in crons]
    manifests = [*accounts, *built]
    if thresholds:
        namespace = settings.namespace or ""
        manifests += [
            alerts.prometheus_rule(namespace, thresholds, scheduled="backup" in operations),
            dashboard.config_map(namespace, thresholds.expected_every),
        ]
    problems = [problem for manifest in manifests for problem in check(manifest)]
    if problems:
        raise BadReferenceError("; ".join(problems))
    return manifests
