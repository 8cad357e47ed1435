"""Conditions of a backup or a restore that are not met."""

from collections.abc import Sequence

from steps.errors.base import Final, TryAgain


class InstallationLeft(Final):
    namespace: str
    what: Sequence[str]
    says = (
        "Namespace {namespace} still holds parts of a 3scale installation ({what}). "
        "Delete that installation, or restore into another namespace."
    )


class InstallationGoing(TryAgain):
    namespace: str
    what: Sequence[str]
    says = (
        "Namespace {namespace} still holds {what}. Perhaps these objects are being deleted. The next try looks again."
    )


class QuotaTooSmall(Final):
    namespace: str
    quotas: Sequence[str]
    says = (
        "Quotas of namespace {namespace} leave too little room for all that the restore creates: {quotas}. "
        "Raise the quotas, or delete objects that are no longer needed."
    )


class DomainDiffers(Final):
    apimanager: str
    found: str
    asked: str
    says = (
        "This backup's restore created APIManager {apimanager!r} for wildcard domain {found}. "
        "Now it is asked for {asked}. Use -p wildcard-domain={found} to resume that restore. "
        "Or delete the APIManager to restore under {asked}."
    )


class VersionDiffers(Final):
    backup: str
    other: str
    where: str
    says = (
        "The backup is of 3scale {backup}, but {where} says {other}. "
        "The operator would treat another minor version as an upgrade of the restored database. "
        "Install the operator of {backup}."
    )


class VersionUnknown(Final):
    backup: str
    says = (
        "The 3scale version of the operator can't be read in this namespace. Check that the version is {backup}, "
        "then use -p threescale-version={backup} to confirm it."
    )


class BackupVersionUnknown(Final):
    says = (
        "The backup's APIManager does not record its 3scale version. "
        "Use -p threescale-version=MAJOR.MINOR to name the version."
    )


class PlanDiffers(Final):
    asked: str
    now: str
    says = (
        "The plan is no longer {asked}. It is {now} now, and its lines are in the log of this phase. "
        "Nothing was changed. Use -p plan-digest={now} to submit again if you want the new plan."
    )
