"""What a person may ask of retention, and what its phases are told and give."""

from typing import Annotated, Literal

from steps.contract import values
from steps.contract.declaration import Declared, DeclaredPhase, Output, maybe
from steps.contract.told import BackupMounted


class RulesAsked(Declared):
    """The rules of retention; without a `keep-...` nothing is deleted."""

    keep_last: Annotated[int, values.COUNT] = 0
    """Keep the newest so many backups."""
    keep_hourly: Annotated[int, values.COUNT] = 0
    """Keep the newest of each of the last so many hours that have one."""
    keep_daily: Annotated[int, values.COUNT] = 0
    """Of each of the last so many days that have one."""
    keep_weekly: Annotated[int, values.COUNT] = 0
    """Of so many weeks, which begin on Monday."""
    keep_monthly: Annotated[int, values.COUNT] = 0
    """Of so many months."""
    keep_yearly: Annotated[int, values.COUNT] = 0
    """Of so many years."""
    keep_within: values.DurationOrNone = ""
    """Keep all that are no older than the newest by more than this, such as 1y6m or 30d. Empty: no such rule."""
    minimum_redundancy: Annotated[int, values.COUNT] = 3
    """So many complete backups are kept in any case."""
    max_shrink: Annotated[float, values.FRACTION] = values.MAX_SHRINK
    """Delete nothing when the newest backup has fewer files or bytes than the one before by more than this part."""
    manual: Literal["no", "yes"] = "no"
    """`yes`: the rules are for backups too that a person asked for."""
    operators: Literal["no", "yes"] = "no"
    """`yes`: and for those that the operator's APIManagerBackup made."""
    failed_after: values.DurationOrNone = "3d"
    """Delete the claims of failed runs that began so long ago, once their volume was read and holds no manifest. Empty:
    never."""
    timezone: str = "UTC"
    """Whose hours, days, weeks, months and years, for instance Europe/Madrid."""

    @property
    def keeps(self) -> list[str]:
        """The rules that keep anything, in words."""
        told = self.model_dump(by_alias=True).items()
        return [f"{name} {value}" for name, value in told if name.startswith("keep-") and value]


class _Plan(Declared):
    plan: Literal["no", "only", "yes"] = "no"
    """`only`: say of each backup whether it stays or goes and by which rule, and delete nothing. `yes` is the same."""


class PruneArguments(RulesAsked, _Plan):
    """Arguments of `threescale-prune`; without a `keep-...` nothing is deleted."""


_COUNTED = (maybe("deleted", "Claims that were deleted."), maybe("spared", "Claims that had to stay after all."))


class PruneDecide(DeclaredPhase, RulesAsked, _Plan):
    """Say of each backup whether it stays or goes, and by which rule."""

    command = ("prune", "decide")
    judges = True
    gives = (
        Output("doomed", "Those that may go, by the starts of their uids."),
        Output("failed", "JSON list of the claims of failed runs, whose volumes are read first."),
        Output("to-delete", "How many may go."),
        Output("kept", "How many stay."),
        Output("plan", "`only` where nothing is to be deleted.", of_run="plan"),
    )


class PruneDelete(DeclaredPhase, RulesAsked):
    """Delete them one by one, the oldest first, each only if it may still go."""

    command = ("prune", "delete")
    gives = _COUNTED

    doomed: Annotated[tuple[str, ...] | None, values.NAMES]
    """Those that may go, by the starts of their uids."""


class _FailedRun(Declared):
    claim_name: Annotated[str, values.CLAIM]
    """Claim of a run that failed."""


class PruneLook(DeclaredPhase, _FailedRun, BackupMounted):
    """Say what the volume of a failed run holds; mend the label of one that is a backup."""

    command = ("prune", "look")
    gives = (Output("holds", "What the volume holds: nothing, a backup ..."), Output("uid", "Uid of the claim."))


class PruneRemove(DeclaredPhase, RulesAsked, _FailedRun):
    """Delete the claim of a failed run whose volume was read and holds no manifest."""

    command = ("prune", "remove")
    gives = _COUNTED

    uid: str
    """Its uid when its volume was read."""
