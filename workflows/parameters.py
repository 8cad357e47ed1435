"""What a person may set: one model a workflow, its sentences are the documentation and the form in Argo's UI."""

from typing import Annotated, Literal, get_args, get_origin

from hera.workflows import Parameter
from pydantic import AfterValidator, BaseModel, ConfigDict

from steps.contract import values
from steps.contract.values import OrNothing

Workers = Literal["", "1", "2", "4", "8", "16"]
Count = Annotated[str, AfterValidator(values.COUNT.check)]
ClaimName = Annotated[str, AfterValidator(values.CLAIM.check)]
ClaimNameOrNone = Annotated[str, AfterValidator(OrNothing(values.CLAIM).check)]
Duration = Annotated[str, AfterValidator(values.DURATION.check)]
DurationOrNone = Annotated[str, AfterValidator(OrNothing(values.DURATION).check)]
ScheduleOrNone = Annotated[str, AfterValidator(OrNothing(values.CRON_WORKFLOW).check)]
Size = Annotated[str, AfterValidator(values.SIZE.check)]
SizeOrNone = Annotated[str, AfterValidator(OrNothing(values.SIZE).check)]
StorageClassOrNone = Annotated[str, AfterValidator(OrNothing(values.STORAGE_CLASS).check)]


def _kebab_case(name: str) -> str:
    return name.replace("_", "-")


class Parameters(BaseModel):
    """Arguments of a workflow; all are strings to Argo, named in kebab-case."""

    model_config = ConfigDict(
        frozen=True, extra="forbid", use_attribute_docstrings=True, populate_by_name=True, alias_generator=_kebab_case
    )


class BackupParameters(Parameters):
    """Arguments of `threescale-backup`."""

    name: Annotated[str, AfterValidator(OrNothing(values.BACKUP).check)] = ""
    """Name of the backup and of its claim, a DNS-1123 label. Empty: the workflow's name."""
    storage_request: Size = "10Gi"
    """Size of the claim that holds the backup."""
    storage_class: StorageClassOrNone = ""
    """StorageClass of that claim. Empty: the cluster's default."""
    volume_name: Annotated[str, AfterValidator(OrNothing(values.VOLUME).check)] = ""
    """An existing, empty PersistentVolume to use. The claim's class is then `storage-class`, or none."""
    file_storage: Literal["", "external"] = ""
    """`external`: System's files lie in S3 and are yours to back up; where, and the Secret for it, are saved. Empty:
    they are copied, and S3 is refused."""
    plan: Literal["no", "only"] = "no"
    """`only`: say what the backup would do, and make nothing."""
    workers: Workers = ""
    """How many processes copy System's files side by side. Empty: as suits the processors and the volumes."""
    schedule: ScheduleOrNone = ""
    """The CronWorkflow that asks for it, which says so itself. Empty: a person, and no retention touches it."""


class RestoreParameters(Parameters):
    """Arguments of `threescale-restore`."""

    claim_name: ClaimName
    """Claim of the backup to restore (`backupPersistentVolumeClaimName` of the backup). Required."""
    manifest_sha256: str = ""
    """The digest of the backup's manifest, where you have kept it elsewhere: another backup is refused. Empty: the one
    on the claim."""
    made_by: Literal["", "operator"] = ""
    """`operator`: the backup has no manifest, and you know that the operator's APIManagerBackup made it. Empty: as the
    claim says."""
    storage_class: StorageClassOrNone = ""
    """StorageClass of the new system-storage. Empty: as it was."""
    access_mode: Literal["", "ReadWriteMany", "ReadWriteOnce", "ReadWriteOncePod"] = ""
    """Access mode of the new system-storage. Empty: as it was."""
    storage_request: SizeOrNone = ""
    """Size of the new system-storage. Empty: as it was, or what the data need if that is more."""
    threescale_version: Annotated[str, AfterValidator(OrNothing(values.VERSION).check)] = ""
    """3scale's major.minor, only where the operator's version can't be read in this namespace, for instance 2.16."""
    database_secrets: Literal["expect", "restore"] = "expect"
    """Secrets backend-redis, system-database and system-redis: `expect` them to be there, or `restore` the
    backup's."""
    database_overrides: Annotated[str, AfterValidator(OrNothing(values.SECRET).check)] = ""
    """With `database-secrets=restore`: a Secret of yours, whose keys SECRET.KEY (system-database.URL) replace the
    backup's."""
    wildcard_domain: Annotated[str, AfterValidator(OrNothing(values.DOMAIN).check)] = ""
    """Another wildcard domain than the backup's, for instance apps.example.com; the tenants' own hosts stay. Empty: as
    it was."""
    on_conflict: Literal["refuse", "keep", "replace"] = "refuse"
    """Secrets and ConfigMaps that say something else than the backup: `refuse` the restore, `keep` them, or `replace`
    them, once they are saved to a claim of their own."""
    file_storage_conflict: Literal["refuse", "replace"] = "refuse"
    """Files in a system-storage that is there: `refuse` the restore, or `replace` them, once they are saved to that
    claim."""
    file_storage_damage: Literal["refuse", "skip"] = "refuse"
    """Files of the backup that are damaged or missing: `refuse` the restore, or `skip` them and restore all others.
    Each plan reads every byte then."""
    plan: Literal["no", "only"] = "no"
    """`only`: say what the restore would do, and change nothing."""
    plan_digest: str = ""
    """The digest of a plan: the restore goes on only if its plan is still that one."""
    approve: Literal["no", "yes"] = "no"
    """`yes`: wait between the plan and the first change for `argo resume`, or the button in Argo's UI."""
    workers: Workers = ""
    """How many processes copy System's files side by side. Empty: as suits the processors and the volumes."""
    ready: Literal["as-before", "available", "deployments"] = "as-before"
    """What the restore waits for: `available` is the APIManager's condition; `as-before` is that, or all that was ready
    at backup time; `deployments` are those that were ready."""
    wait_minutes: Annotated[str, AfterValidator(values.MINUTES.check)] = "60"
    """How many minutes each wait for 3scale may take."""


class WatchdogParameters(Parameters):
    """Arguments of `threescale-watchdog`."""

    max_age: Duration = values.MAX_AGE
    """How old the newest complete backup may be, in years, months, weeks, days and hours, for instance 26h or 8d."""
    schedule: ScheduleOrNone = "threescale-backup-schedule"
    """The CronWorkflow that should make the backups, to tell what became of it. Empty: none is looked at."""


class PruneParameters(Parameters):
    """Arguments of `threescale-prune`; without a `keep-...` nothing is deleted."""

    keep_last: Count = "0"
    """Keep the newest so many backups."""
    keep_hourly: Count = "0"
    """Keep the newest of each of the last so many hours that have one."""
    keep_daily: Count = "0"
    """Of each of the last so many days that have one."""
    keep_weekly: Count = "0"
    """Of so many weeks, which begin on Monday."""
    keep_monthly: Count = "0"
    """Of so many months."""
    keep_yearly: Count = "0"
    """Of so many years."""
    keep_within: DurationOrNone = ""
    """Keep all that are no older than the newest by more than this, such as 1y6m or 30d. Empty: no such rule."""
    minimum_redundancy: Count = "3"
    """So many complete backups are kept in any case."""
    max_shrink: Annotated[str, AfterValidator(values.FRACTION.check)] = str(values.MAX_SHRINK)
    """Delete nothing when the newest backup has fewer files or bytes than the one before by more than this part."""
    manual: Literal["no", "yes"] = "no"
    """`yes`: the rules are for backups too that a person asked for."""
    operators: Literal["no", "yes"] = "no"
    """`yes`: and for those that the operator's APIManagerBackup made."""
    failed_after: DurationOrNone = "3d"
    """Delete the claims of failed runs that began so long ago, once their volume was read and holds no manifest. Empty:
    never."""
    timezone: str = "UTC"
    """Whose hours, days, weeks, months and years, for instance Europe/Madrid."""
    plan: Literal["no", "only", "yes"] = "no"
    """`only`: say of each backup whether it stays or goes and by which rule, and delete nothing. `yes` is the same."""

    @property
    def keeps(self) -> list[str]:
        """The rules that keep anything, in words."""
        told = {name: value for name, value in self.model_dump(by_alias=True).items() if name.startswith("keep-")}
        return [f"{name} {value}" for name, value in told.items() if value not in {"", "0"}]


class VerifyParameters(Parameters):
    """Arguments of `threescale-verify`."""

    claim_name: ClaimNameOrNone = ""
    """Claim of the backup to verify. Empty: the newest that is not verified, or the one verified longest ago."""
    sample: Annotated[str, AfterValidator(OrNothing(values.SHARE).check)] = ""
    """A share of the bytes to read, for instance 25%: each run reads on from where the last one stopped, until all is
    read. Empty: all of it at once."""


class DrillParameters(Parameters):
    """Arguments of `threescale-drill`."""

    claim_name: ClaimNameOrNone = ""
    """Claim of the backup to restore for trial. Empty: the newest that is not proven, or the one proven longest ago."""
    scratch_namespace: Annotated[str, AfterValidator(values.NAMESPACE.check)]
    """Namespace that was made for drills and holds nothing else. Required."""
    storage_class: StorageClassOrNone = ""
    """StorageClass of the scratch claim. Empty: that of the backup's claim."""
    storage_request: SizeOrNone = ""
    """Size of the scratch claim. Empty: what the data need, with a margin."""


def declare(model: type[Parameters], values: Parameters | None = None) -> list[Parameter]:
    """Declare the model's fields as the arguments of a WorkflowTemplate, with its defaults or other `values`."""
    return [
        Parameter(
            name=field.alias or name,
            description=" ".join((field.description or "").split()),
            enum=list(get_args(field.annotation)) if get_origin(field.annotation) is Literal else None,
            **({} if field.is_required() else {"value": getattr(values, name) if values else field.default}),
        )
        for name, field in model.model_fields.items()
    ]


def by_name(model: type[Parameters], values: Parameters | None = None) -> dict[str, Parameter]:
    """The same, each by its name."""
    return {str(parameter.name): parameter for parameter in declare(model, values)}
