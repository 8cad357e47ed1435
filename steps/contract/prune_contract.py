"""The arguments of retention, and the inputs and outputs of its phases."""

from typing import Annotated, Any, Literal

from pydantic import Field, create_model

from steps.contract import values
from steps.contract.declaration import Declared, DeclaredPhase, Output, fields_of, maybe
from steps.contract.push_contract import Repositories
from steps.contract.told import BackupMounted
from steps.contract.value_kinds import OrNothing
from steps.contract.values import CountOrNone


class CopyRules(Declared):
    """The rules for the copies in the repositories. Without a `keep-...` rule, none is forgotten."""

    keep_last: Annotated[int, values.COUNT] = 0
    """Keep this many of the newest complete backups. 0 turns this rule off."""
    keep_hourly: Annotated[int, values.COUNT] = 0
    """Keep the newest backup of each hour, for this many hours. Hours without a backup do not count. 0 turns this rule
    off."""
    keep_daily: Annotated[int, values.COUNT] = 0
    """Keep the newest backup of each day, for this many days. Days without a backup do not count. 0 turns this rule
    off."""
    keep_weekly: Annotated[int, values.COUNT] = 0
    """Keep the newest backup of each week, for this many weeks. Weeks without a backup do not count, and a week begins
    on Monday. 0 turns this rule off."""
    keep_monthly: Annotated[int, values.COUNT] = 0
    """Keep the newest backup of each month, for this many months. Months without a backup do not count. 0 turns this
    rule off."""
    keep_yearly: Annotated[int, values.COUNT] = 0
    """Keep the newest backup of each year, for this many years. Years without a backup do not count. 0 turns this rule
    off."""
    keep_within: values.DurationOrNone = ""
    """Keep every backup that began within this time before the newest backup, for instance 1y6m or 30d. If empty, this
    rule is off."""
    minimum_redundancy: Annotated[int, values.COUNT] = 3
    """Keep at least this many complete backups, whatever the rules say."""
    max_shrink: Annotated[float, values.FRACTION] = values.MAX_SHRINK
    """If the newest backup has lost more than this fraction of the files or bytes of the backup before, delete
    nothing."""
    manual: Literal["no", "yes"] = "no"
    """Apply the rules also to backups that a person started. By default these backups are kept."""

    @property
    def keeps(self) -> list[str]:
        """The `keep-...` rules that are on, as texts such as `keep-last 3`."""
        return _on(self, "keep-")


class KeepRules(CopyRules):
    """The rules of retention. Without a `keep-...` rule, nothing is deleted."""

    operators: Literal["no", "yes"] = "no"
    """Apply the rules also to backups that the operator's APIManagerBackup made. By default these backups are kept."""
    failed_after: values.DurationOrNone = "3d"
    """Delete the claim of a failed run that began longer ago than this, for instance 3d. The volume is read first. The
    claim is kept if the volume holds a manifest, or files that the run did not write. If empty, claims of failed runs
    are never deleted."""


def _on(rules: Declared, prefix: str) -> list[str]:
    told = rules.model_dump(by_alias=True).items()
    return [f"{name} {value}" for name, value in told if name.startswith(prefix) and value]


class _Zone(Declared):
    timezone: str = "UTC"
    """Count the hours, days, weeks, months and years of the rules in this time zone, for instance Europe/Madrid."""


class KeepLocal(Declared):
    """How many claims stay where the copies in the repositories take the place of the others."""

    keep_local: CountOrNone = ""
    """Keep this many of the newest claims, and delete the others. A claim is deleted only after every byte of its copy
    in a repository was read back. The `keep-...` rules then don't decide on claims. If empty, this rule is off."""


class RulesAsked(KeepRules, _Zone, KeepLocal):
    """The rules of retention, and the time zone in which they count."""


REPOSITORY = "repository_"  # before the names of the rules for the copies in the repositories


def _of_repositories() -> type[Declared]:
    """Return a declaration with the fields of `CopyRules`, each with a prefix before its name."""
    made: dict[str, Any] = {}
    for each in fields_of(CopyRules):
        about = f"In a repository, {each.about[:1].lower()}{each.about[1:]}"
        kind: Any = Annotated[each.info.annotation, *each.info.metadata] if each.info.metadata else each.info.annotation
        made[REPOSITORY + each.name] = (kind, Field(default=each.info.default, description=about))
    return create_model("_OfRepositories", __base__=Declared, **made)


class RepositoryRules(_of_repositories()):  # type: ignore[misc]  # its fields are those of CopyRules
    """The rules for the copies in the repositories, as arguments beside those for the claims."""

    @classmethod
    def told(cls, rules: CopyRules) -> dict[str, Any]:
        """Return the arguments for these rules, by field."""
        return {REPOSITORY + name: value for name, value in rules.model_dump().items()}

    @property
    def repository_keeps(self) -> list[str]:
        """The `repository-keep-...` rules that are on."""
        return _on(self, "repository-keep-")

    def of_copies(self, timezone: str) -> RulesAsked:
        """Return the rules without the prefix."""
        own = {each.name: getattr(self, REPOSITORY + each.name) for each in fields_of(CopyRules)}
        return RulesAsked.model_construct(**own, timezone=timezone, failed_after="", keep_local="")


class _Plan(Declared):
    plan: Literal["no", "only", "yes"] = "no"
    """Choose `only` to print for each backup whether it is kept or deleted, and by which rule. A plan deletes nothing.
    `yes` means the same as `only`."""


class PruneArguments(RulesAsked, RepositoryRules, _Plan):
    """Arguments of `threescale-prune`; without a `keep-...` nothing is deleted."""


_COUNTED = (
    maybe("deleted", "Number of claims that were deleted."),
    maybe("spared", "Number of claims that were kept because they could no longer be deleted safely."),
)


class PruneReadBack(DeclaredPhase, RulesAsked, _Plan, Repositories):
    """Read every byte of the copies of those claims that `keep-local` does not keep, the newest first."""

    command = ("prune", "read-back")
    judges = True
    gives = (
        maybe("read-back", "Number of copies that were read back and are correct."),
        maybe("left", "Number of copies that are left to the next run."),
        Output("plan", "`only` if the run is a plan and deletes nothing, else `no`.", of_run="plan"),
    )


class PruneDecide(DeclaredPhase, RulesAsked, _Plan, Repositories):
    """Decide for each backup whether it is kept or deleted, and log the rule."""

    command = ("prune", "decide")
    judges = True
    gives = (
        Output("doomed", "Backups that may be deleted, listed by the first characters of their claims' uids."),
        Output(
            "failed", "JSON list of the claims of failed runs. Their volumes are read before any of them is deleted."
        ),
        Output("to-delete", "Number of backups that may be deleted."),
        Output("kept", "Number of claims that are kept."),
        Output("plan", "`only` if the run is a plan and deletes nothing, else `no`.", of_run="plan"),
    )


class PruneDelete(DeclaredPhase, RulesAsked, Repositories):
    """Delete the backups one by one, the oldest first. Each backup is checked again just before its deletion."""

    command = ("prune", "delete")
    gives = _COUNTED

    doomed: Annotated[tuple[str, ...] | None, values.NAMES]
    """Backups that may be deleted, listed by the first characters of their claims' uids."""


class _FailedRun(Declared):
    claim_name: Annotated[str, values.CLAIM]
    """Name of the claim of a failed run."""


class PruneLook(DeclaredPhase, _FailedRun, BackupMounted):
    """Report what the volume of a failed run holds. If the volume holds a complete backup, repair the claim's label."""

    command = ("prune", "look")
    gives = (
        Output("holds", "Content of the volume: `nothing`, `backup` or `other`."),
        Output("uid", "Uid that the claim had when its volume was read."),
    )


class PruneRemove(DeclaredPhase, RulesAsked, _FailedRun):
    """Delete the claim of a failed run after its volume was read and no manifest was found."""

    command = ("prune", "remove")
    gives = _COUNTED

    uid: str
    """Uid that the claim had when its volume was read."""


class PruneForget(DeclaredPhase, RepositoryRules, _Zone, KeepLocal, _Plan, Repositories):
    """Decide for each copy in the repositories whether it is kept, and forget the others, the oldest first."""

    command = ("prune", "forget")
    gives = (
        maybe("forgotten", "Number of snapshots that were forgotten."),
        maybe("kept", "Number of snapshots of this installation that are kept."),
        maybe("others", "Number of snapshots of other installations, which are never touched."),
    )


class RepositoryPruneArguments(Declared):
    """Arguments of `threescale-repository-prune`."""

    repository: Annotated[str, OrNothing(values.SECRET)] = ""
    """Free the room in the repository of this Secret only. If empty, each repository is pruned."""


class RepositoryPrune(DeclaredPhase, RepositoryPruneArguments, Repositories):
    """Take damaged packs out of each repository, and free the room that no snapshot needs."""

    command = ("repository-prune", "free")
    judges = True
    gives = (
        maybe("pruned", "Names of the repositories that were pruned."),
        maybe("repaired", "Number of damaged packs that were taken out of the repositories."),
    )
