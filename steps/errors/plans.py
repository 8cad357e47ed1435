"""What must be true before a backup or a restore."""

from collections.abc import Sequence

from steps.errors.base import Final, TryAgain


class InstallationLeft(Final):
    namespace: str
    what: Sequence[str]
    says = (
        "namespace {namespace} still holds parts of a 3scale installation ({what}): delete it, or restore into "
        "another namespace"
    )


class InstallationGoing(TryAgain):
    namespace: str
    what: Sequence[str]
    says = "namespace {namespace} still holds {what}, perhaps on the way out; looking again"


class DomainDiffers(Final):
    apimanager: str
    found: str
    asked: str
    says = (
        "this backup's restore made APIManager {apimanager!r} for wildcard domain {found}, and is now asked for "
        "{asked}: say -p wildcard-domain={found} to go on with it, or delete it to restore under {asked}"
    )


class VersionDiffers(Final):
    backup: str
    other: str
    where: str
    says = (
        "the backup is of 3scale {backup}, {where} says {other}: another minor would be treated as an upgrade of "
        "the restored database; install the operator of {backup}"
    )


class VersionUnknown(Final):
    backup: str
    says = (
        "the 3scale version of the operator can't be read in this namespace; make sure that it is {backup} and say "
        "so with -p threescale-version={backup}"
    )


class BackupVersionUnknown(Final):
    says = "the backup's APIManager does not record its 3scale version; say it with -p threescale-version=MAJOR.MINOR"


class PlanDiffers(Final):
    asked: str
    now: str
    says = (
        "the plan is another one than {asked}: it is {now} now, its lines are in the log of this phase; nothing "
        "was changed; submit again with this digest if it is what you want"
    )
