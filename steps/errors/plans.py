"""What must be true before a backup or a restore."""

from collections.abc import Sequence

from steps.errors.base import Final, TryAgain, several


class InstallationLeft(Final):
    def __init__(self, namespace: str, what: Sequence[str]) -> None:
        super().__init__(
            f"namespace {namespace} still holds parts of a 3scale installation ({several(what)}): "
            "delete it, or restore into another namespace"
        )


class InstallationGoing(TryAgain):
    def __init__(self, namespace: str, what: Sequence[str]) -> None:
        super().__init__(f"namespace {namespace} still holds {several(what)}, perhaps on the way out; looking again")


class DomainDiffers(Final):
    def __init__(self, apimanager: str, found: str, asked: str) -> None:
        super().__init__(
            f"this backup's restore made APIManager {apimanager!r} for wildcard domain {found}, and is now asked for "
            f"{asked}: say -p wildcard-domain={found} to go on with it, or delete it to restore under {asked}"
        )


class VersionDiffers(Final):
    def __init__(self, backup: str, other: str, where: str) -> None:
        super().__init__(
            f"the backup is of 3scale {backup}, {where} says {other}: another minor would be treated as an upgrade of "
            f"the restored database; install the operator of {backup}"
        )


class VersionUnknown(Final):
    def __init__(self, backup: str) -> None:
        super().__init__(
            "the 3scale version of the operator can't be read in this namespace; make sure that it is "
            f"{backup} and say so with -p threescale-version={backup}"
        )


class BackupVersionUnknown(Final):
    def __init__(self) -> None:
        super().__init__(
            "the backup's APIManager does not record its 3scale version; say it with -p threescale-version=MAJOR.MINOR"
        )


class PlanDiffers(Final):
    def __init__(self, asked: str, now: str) -> None:
        super().__init__(
            f"the plan is another one than {asked}: it is {now} now, its lines are in the log of this phase; nothing "
            "was changed; submit again with this digest if it is what you want"
        )
