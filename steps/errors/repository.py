"""Repositories that are not set up, vanished, or hold something else than the backup."""

from collections.abc import Sequence

from steps.errors.base import BadArgument, Few, Final, as_sentence, several


class BadRepository(Final):
    secret: str
    problems: Sequence[str]
    says = "Secret {secret} does not describe a repository: {problems:; }. Correct the Secret."


class BadEnvironment(BadArgument):
    problems: Sequence[str]
    says = (
        "The options and variables do not describe a repository: {problems:; }. Give the address by --repository or "
        "RESTIC_REPOSITORY, and the password by --password-file."
    )


class NoRepositoryConfigured(BadArgument):
    argument: str
    says = (
        "The argument {argument} needs a repository, and this installation has none. "
        "Add repository.secrets to threescale-backup.yaml and apply the rendered manifests."
    )


class UnknownRepository(BadArgument):
    name: str
    known: Sequence[str]
    says = "There is no repository {name!r}. Choose one of {known}."


class RepositoryVanished(Final):
    repository: str
    address: str
    since: str
    says = (
        "Repository {repository} at {address} does not exist, but this installation has pushed to it since {since}. "
        "Nothing was created. Find out who removed it, or correct the address in the Secret."
    )


class NotProved(Final):
    backup: str
    repository: str
    findings: Few
    says = (
        "The snapshot of backup {backup} in repository {repository} differs from the backup: {findings}. "
        "The snapshot is not counted. Push the backup again."
    )


class NoOrigin(Final):
    configmap: str
    namespace: str
    says = (
        "ConfigMap {configmap} in namespace {namespace} has no id. "
        "Restore its content, or delete the ConfigMap to begin a new line of snapshots."
    )


class NotPushable(Final):
    claim: str
    why: str
    says = "Claim {claim} can't be pushed: {why}. Push a complete backup of this tool."


class NoSnapshot(Final):
    wanted: str
    repository: str
    others: Sequence[str] = ()

    def compose(self) -> str:
        hint = f" Its backups are: {several(self.others)}." if self.others else " It holds no backup of this tool."
        return f"Repository {self.repository} has no proved snapshot of backup {self.wanted!r}.{hint} Check the name."


class ManySnapshots(Final):
    wanted: str
    repository: str
    snapshots: Sequence[str]
    says = (
        "Repository {repository} has several backups named {wanted!r}: {snapshots}. "
        "Choose one by the ID of its snapshot."
    )


class OtherOrigins(Final):
    repository: str
    origins: Sequence[str]
    says = (
        "Repository {repository} has no backup of this installation, and backups of several others: {origins}. "
        "Choose a backup by its name or by the ID of its snapshot."
    )


class FetchedDiffers(Final):
    backup: str
    snapshot: str
    repository: str
    findings: Few
    says = (
        "Snapshot {snapshot} of backup {backup} in repository {repository} is damaged: {findings}. "
        "Do not use what was fetched. Fetch another backup, and verify the repository."
    )


class NotInBackup(BadArgument):
    backup: str
    paths: Sequence[str]
    top: Sequence[str]
    says = (
        "Backup {backup} does not hold {paths}, so nothing was fetched. At its root are {top}. "
        "Write a path from the root of the backup."
    )


class BadInclude(BadArgument):
    path: str
    says = "{path!r} is not a path inside a backup. Write one such as secrets/system-app.json, without '..'."


class FolderTaken(BadArgument):
    folder: str
    says = "The folder {folder} is not empty. Name a new folder, or the same backup and paths to resume a fetch."


class FolderUnusable(Final):
    folder: str
    reason: str
    says = "The folder {folder} can't be used: {reason}. Name a folder on a disk that you may write to."


class NotForgotten(Final):
    repository: str
    snapshots: Sequence[str]
    said: str

    def compose(self) -> str:
        reason = f" {as_sentence(self.said)}" if self.said else ""
        return (
            f"Repository {self.repository} did not delete {several(self.snapshots)}.{reason} "
            "Name credentials that may delete in repository.pruneSecrets."
        )


class MayNotPrune(Final):
    repository: str
    said: str
    says = (
        "The credentials of repository {repository} may not delete, so it was not pruned. {said:sentence} "
        "Name credentials that may delete in repository.pruneSecrets."
    )


class NothingToAdopt(Final):
    origin: str
    why: str
    says = "Origin {origin} can't be adopted: {why}. Check the origin in the repository's list of backups."


class SnapshotsDamaged(Final):
    repository: str
    damage: str
    backups: Sequence[str]
    says = (
        "Repository {repository} is damaged: {damage}. Backups whose snapshot is damaged: {backups}. "
        "Repair the repository with the account of prune, then push these backups again."
    )


class LocksNotTold(Final):
    repository: str
    why: str
    says = (
        "It is unknown until when the objects of repository {repository} are locked: {why}. "
        "Give the credentials the right s3:GetObjectRetention if the bucket has object lock."
    )


class LockEnds(Final):
    repository: str
    backup: str
    until: str
    warning: str
    says = (
        "The lock of the newest backup {backup} in repository {repository} ends {until}, in less than {warning}. "
        "Extend it with an account that may: the objects are listed by `threescale-backup repository objects latest`."
    )


class LockLacking(Final):
    repository: str
    backup: str
    lacking: int
    needed: int
    says = (
        "Of {needed} objects that the newest backup {backup} in repository {repository} needs, {lacking} are not "
        "locked. Lock them: the objects are listed by `threescale-backup repository objects latest`."
    )
