"""The fields of `threescale-backup.yaml`.

Fields have Kubernetes' camelCase. Below `arguments` and `retention` stand the names of arguments of workflows, as
`argo submit -p` takes them.
"""

from collections.abc import Mapping
from typing import Annotated, Literal

from pydantic import AfterValidator, BeforeValidator, Field

from steps.contract import values
from steps.contract.names import Form, Operation
from steps.contract.prune_contract import CopyRules, KeepRules, PruneArguments, RepositoryRules
from steps.contract.value_kinds import Like
from workflows import schedule
from workflows.rendering.pods import ObjectName, Pods, Written, present
from workflows.rendering.settings import MEMORY, Account, Argo, Image, Namespace, Settings

Cron = Annotated[str, AfterValidator(schedule.check_cron)]
Zone = Annotated[str, AfterValidator(schedule.check_timezone)]
Path = Annotated[str, Like(r"[^\x00]+", "not a path: write the name of a file or folder")]
Arguments = Mapping[str, str]
LOCK_WARNING = "7d"
Rules = Annotated[KeepRules, BeforeValidator(present)]
RulesOfCopies = Annotated[CopyRules, BeforeValidator(present)]


class Scheduled(Written):
    """A workflow that runs by schedule."""

    schedule: Cron | None = None
    """Start the workflow by this cron schedule."""
    arguments: Arguments = Field(default_factory=dict)
    """Arguments of each scheduled run."""


class Backups(Scheduled):
    """Backups by schedule."""

    schedule: Cron | None = None
    """Start a backup by this cron schedule, for instance "0 2 * * *"."""
    arguments: Arguments = Field(default_factory=dict)
    """Give each scheduled backup this argument, for instance storage-request=20Gi."""


class Verifications(Scheduled):
    """Verifications of backups by schedule."""

    schedule: Cron | None = None
    """Start a verification of a backup by this cron schedule, for instance "0 6 * * *"."""
    arguments: Arguments = Field(default_factory=dict)
    """Give each scheduled verification this argument, for instance sample=25%."""


class Drills(Scheduled):
    """Trial restores of backups by schedule."""

    schedule: Cron | None = None
    """Start a trial restore of a backup by this cron schedule, for instance "0 7 * * 0". This needs a scratch
    namespace."""
    arguments: Arguments = Field(default_factory=dict)
    """Give each scheduled drill this argument, for instance storage-class=fast."""
    namespace: Namespace | None = None
    """Give the drills' account rights in this scratch namespace, where drills create objects. This needs the namespace
    of the installation."""


class Watchdog(Written):
    """Checks by schedule that the newest backup is not too old."""

    schedule: Cron | None = None
    """Check by this cron schedule whether the newest backup is too old, for instance "17 * * * *"."""
    expected_every: values.DurationText = values.MAX_AGE
    """Report and alert when the newest complete backup began longer ago than this."""


class Monitoring(Written):
    """Alerts for Prometheus and a dashboard for Grafana."""

    enabled: bool = False
    """Render a PrometheusRule with alerts and a Grafana dashboard too. This needs the watchdog and a namespace."""
    verified_every: values.DurationOrNone | None = None
    """Alert when no backup was verified in full for this long. By default 8d if verifications are scheduled. An empty
    value turns the alert off."""
    proven_every: values.DurationOrNone | None = None
    """Alert when no backup was restored for trial for this long. By default 35d if drills are scheduled. An empty value
    turns the alert off."""
    silent_for: values.DurationText = "3h"
    """Alert when the watchdog has reported nothing for this long."""


class Notification(Written):
    """Messages about the results of workflows."""

    secret: ObjectName | None = None
    """Post the results of workflows to the URL in the key `url` of this Secret."""
    form: Form = "webhook"
    """Choose the format of the posted results: `webhook` for a program, `slack` for Slack."""


class Repository(Written):
    """Encrypted copies of the backups in restic repositories, outside of the claims."""

    secrets: Annotated[tuple[ObjectName, ...], Field(max_length=2)] = ()
    """Copy each backup to the restic repository that this Secret describes. At most two repositories."""
    claim: ObjectName | None = None
    """Keep the repository on this claim if its Secret has no RESTIC_REPOSITORY. It is lost with the namespace."""
    push: Literal["required", "best-effort", "no"] = "required"
    """Whether a backup fails if it can't be copied (`required`), or only the node of the copy (`best-effort`)."""
    pushed_every: values.DurationOrNone | None = None
    """Report and alert when the newest backup with a copy began longer ago than this. By default the value of
    `watchdog.expectedEvery`. An empty value turns this off."""
    lock_warning: values.DurationOrNone = LOCK_WARNING
    """Report and alert this long before the store's lock of the newest copy ends. A store without object lock is not
    reported. An empty value turns this off."""
    memory: Annotated[str, values.QUANTITY_OF_RESOURCE] = MEMORY
    """Limit the memory of the pods that run restic. It needs about 1 KiB for each file of a backup, and 200 MiB."""
    retention: RulesOfCopies = CopyRules()
    """Which old copies are forgotten at the end of each scheduled backup, and by `threescale-prune`."""
    keep_local: values.CountOrNone = ""
    """Keep this many of the newest claims, and delete the others once every byte of their copy was read back. By
    default copies have no effect on claims. `0` keeps no claim of a scheduled backup."""
    prune_secrets: Annotated[tuple[ObjectName, ...], Field(max_length=2)] = ()
    """Delete from the repository with the credentials in this Secret, which has all keys of the repository's own
    Secret. In the order of `secrets`. By default the same Secrets are used."""
    prune_schedule: Cron | None = None
    """Free the room of forgotten copies by this cron schedule, for instance "0 9 * * 0"."""


class Databases(Written):
    """Copies of the databases in the backups."""

    image: Image | None = None
    """Run the phases that ask the databases with this image, which has their clients. By default no database is
    copied."""
    copies: Annotated[str, values.DATABASES] | None = None
    """Which databases a scheduled backup copies: `all`, `none`, or names separated by commas: system-database,
    backend-redis, system-redis. Their claims then hold personal data in clear."""
    credentials: ObjectName | None = None
    """Copy the databases with values from this Secret, whose keys such as `system-database.URL` replace those of the
    databases' own Secrets."""


class Access(Written):
    """What the accounts of the workflows may read, and their names."""

    secrets: tuple[ObjectName, ...] = ()
    """Allow the accounts to use this Secret too."""
    config_maps: tuple[ObjectName, ...] = ()
    """Allow the accounts to use this ConfigMap too."""
    apimanagers: tuple[Path, ...] = ()
    """Allow the accounts to use the Secrets and ConfigMaps that the APIManagers in this file name."""
    all_secrets: bool = False
    """Allow the accounts to read every Secret of the namespace, and restores to replace every Secret. By default the
    Roles list the Secrets by name."""
    accounts: Mapping[Operation, Account] = Field(default_factory=dict)
    """Names and annotations of the service accounts, by operation."""


class Installation(Written):
    """How threescale-backup is installed in a namespace."""

    image: Image
    """Run the phases with this image, best named by its digest."""
    namespace: Namespace | None = None
    """Render the resources for this namespace of a 3scale installation. By default `kubectl apply` decides."""
    timezone: Zone = "UTC"
    """Use this time zone for all schedules and for the retention rules, for instance Europe/Madrid."""
    output: Path | None = None
    """Write one file for each resource to this folder. By default one stream for `kubectl apply` is printed."""
    backup: Backups = Backups()
    """Backups by schedule."""
    retention: Rules = KeepRules()
    """Which old backups are deleted at the end of each scheduled backup, and by `threescale-prune`."""
    verify: Verifications = Verifications()
    """Verifications of backups by schedule."""
    drill: Drills = Drills()
    """Trial restores of backups by schedule."""
    watchdog: Watchdog = Watchdog()
    """The alarm that backups have stopped."""
    monitoring: Monitoring = Monitoring()
    """Alerts and a dashboard."""
    notification: Notification = Notification()
    """Messages about the results of workflows."""
    repository: Repository = Repository()
    """Encrypted copies of the backups in restic repositories, outside of the claims."""
    databases: Databases = Databases()
    """Copies of the databases in the backups."""
    access: Access = Access()
    """What the accounts of the workflows may use, and their names."""
    pods: Pods = Pods()
    """What the pods of the phases need on this cluster."""
    argo: Argo = Argo()
    """What Argo's controller of this cluster asks."""

    @property
    def settings(self) -> Settings:
        """What every rendered object depends on."""
        return Settings(
            image=self.image,
            namespace=self.namespace,
            secrets=(*self.access.secrets, *([self.databases.credentials] if self.databases.credentials else [])),
            configmaps=self.access.config_maps,
            all_secrets=self.access.all_secrets,
            drill_namespace=self.drill.namespace,
            notify_secret=self.notification.secret,
            notify_form=self.notification.form,
            repositories=self.repository.secrets,
            prune_repositories=self.repository.prune_secrets,
            repository_claim=self.repository.claim,
            push=self.repository.push,
            memory=self.repository.memory,
            database_image=self.databases.image,
            databases=self.databases.copies or "all",
            database_credentials=self.databases.credentials or "",
            pods=self.pods,
            accounts=self.access.accounts,
            argo=self.argo,
        )

    @property
    def rules(self) -> PruneArguments:
        """The arguments of retention."""
        of_copies = RepositoryRules.told(self.repository.retention)
        more = {"timezone": self.timezone, "keep_local": self.repository.keep_local if self.repository.secrets else ""}
        return PruneArguments.model_validate({**self.retention.model_dump(), **of_copies, **more})

    @property
    def pushed_every(self) -> str:
        """How old the newest backup with a copy may be, empty where nobody asks."""
        if not self.repository.secrets:
            return ""
        said = self.repository.pushed_every
        return self.watchdog.expected_every if said is None else said

    @property
    def crons(self) -> list[schedule.Cron]:
        """The schedules that are asked for, with the arguments of their runs."""
        watched = {
            "max-age": self.watchdog.expected_every,
            "schedule": schedule.NAME if self.backup.schedule else "",
            **(
                {
                    "pushed-max-age": self.pushed_every,
                    "repositories": ",".join(self.repository.secrets),
                    "lock-warning": self.repository.lock_warning,
                }
                if self.repository.secrets
                else {}
            ),
        }
        found = [
            ("backup", self.backup.schedule, self.backup.arguments),
            ("watchdog", self.watchdog.schedule, watched),
            ("verify", self.verify.schedule, self.verify.arguments),
            ("drill", self.drill.schedule, {"scratch-namespace": self.drill.namespace or "", **self.drill.arguments}),
        ]
        found.append(("repository-prune", self.repository.prune_schedule, {}))
        return [schedule.Cron(of, cron, told) for of, cron, told in found if cron is not None]
