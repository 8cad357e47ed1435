"""Parts of an installation that are missing, in the way, or different from the backup."""

import json
from collections.abc import Sequence

from steps.errors.base import BadArgument, Few, Final, TryAgain, of_server, several


class NoApiManager(Final):
    namespace: str
    says = "Namespace {namespace} has no APIManager. Run the backup in the namespace of the 3scale installation."


class SeveralApiManagers(Final):
    namespace: str
    names: Sequence[str]
    says = (
        "Namespace {namespace} has {names:count} APIManagers, and 3scale supports only one. The APIManagers here are: "
        "{names}. Delete those that are not the installation."
    )


class DatabasesNotExternal(Final):
    apimanager: str
    databases: Sequence[str]
    says = (
        "APIManager {apimanager} runs these databases inside the cluster: {databases}. Only installations with "
        "external databases (spec.externalComponents) can be backed up."
    )


class FileStorageInS3(Final):
    apimanager: str
    says = (
        "APIManager {apimanager} keeps System's FileStorage in S3, which you back up yourself. Submit with -p "
        "file-storage=external to back up the rest."
    )


class FileStorageInClaim(Final):
    apimanager: str
    says = (
        "APIManager {apimanager} keeps System's FileStorage in a claim, not in S3. Leave out -p file-storage=external "
        "and submit again."
    )


class ObjectsMissing(Final):
    kind: str
    names: Sequence[str]
    namespace: str
    says = (
        "Objects are missing in namespace {namespace}: {kind} {names}. 3scale can't be restored without them. Create "
        "them, then submit again."
    )


class PlannedGone(Final):
    kind: str
    names: Sequence[str]
    namespace: str
    says = (
        "Objects are gone from namespace {namespace} since the backup was planned: {kind} {names}. Find out who "
        "changes the installation, then start a new backup."
    )


class RoutesGone(Final):
    planned: int
    found: int
    namespace: str
    says = (
        "Namespace {namespace} had Routes of {planned} hosts when the backup was planned, and has Routes of {found} "
        "now. Find out who changes the installation, then start a new backup."
    )


class ReferencesMissing(Final):
    references: Sequence[str]
    namespace: str
    says = (
        "The APIManager refers to objects that are missing in namespace {namespace}: {references}. Create the "
        "objects, or remove the references."
    )


class NamesTooLong(Final):
    kind: str
    names: Sequence[str]
    longest: int
    says = (
        "Names of a {kind} are too long: {names}. A backup saves each {kind} to a file of its name, which may have at "
        "most {longest} characters. Recreate the {kind} with a shorter name, and use that name in the APIManager."
    )


class NamesNotAllowed(Final):
    resource: str
    names: Sequence[str]
    namespace: str
    server: str = ""

    def compose(self) -> str:
        rule = {"apiGroups": [""], "resources": [self.resource], "resourceNames": list(self.names), "verbs": ["get"]}
        field = "configMaps" if self.resource == "configmaps" else "secrets"
        return (
            f"This account is not allowed to get {self.resource} {several(self.names)} in namespace {self.namespace} "
            f"(HTTP 403{of_server(self.server)}). Add the names to access.{field} of "
            f"threescale-backup.yaml and apply it again. Or add the rule {json.dumps(rule)} to the Role."
        )


class OverridesWithoutRestore(BadArgument):
    says = (
        "The parameter database-overrides replaces keys of restored Secrets, but database Secrets are not restored. "
        "Add -p database-secrets=restore and submit again."
    )


class BadOverride(Final):
    secret: str
    key: str
    names: Sequence[str]
    says = (
        "The key {key!r} of Secret {secret} replaces nothing. Write each key as SECRET.KEY, for example "
        "system-database.URL. SECRET is one of: {names}."
    )


class KeysMissing(Final):
    kind: str
    name: str
    keys: Sequence[str]
    namespace: str
    says = (
        "{kind} {name} in namespace {namespace} has no value under these keys: {keys}. 3scale can't be restored "
        "without them. Add the values, then submit again."
    )


class ApiManagerReplaced(Final):
    name: str
    expected_uid: str
    found_uid: str
    says = (
        "APIManager {name} was replaced during the backup. Its uid was {expected_uid} and is now {found_uid}. Start a "
        "new backup."
    )


class ClaimOfAnotherRestore(Final):
    name: str
    other: str
    says = (
        "Claim {name!r} carries the mark of a restore of {other}. Delete the claim if its content is not needed, then "
        "submit again."
    )


class ClaimTooSmall(Final):
    name: str
    capacity: str
    needed_bytes: int
    says = (
        "Claim {name!r} has {capacity}, and the backup needs {needed_bytes} bytes. Enlarge the claim, or delete the "
        "claim and let the restore create it."
    )


class RequestTooSmall(Final):
    request: str
    needed_bytes: int
    says = (
        "The storage-request is {request}, and the backup needs {needed_bytes} bytes. Submit again with a larger "
        "storage-request."
    )


class ChangedWhileRead(Final):
    paths: Sequence[str] | Few
    says = (
        "{paths:count} path(s) changed during each of several reads ({paths}). Start a new backup when nothing writes "
        "to them."
    )


class FilledWithout(Final):
    claim: str
    lacking: str
    says = (
        "Claim {claim} was filled by a restore of this backup that left files out ({lacking}). Submit with -p "
        "file-storage-damage=skip to continue without them. To restore all files, delete the claim if its files are "
        "not needed, then submit again."
    )


class ApiManagerPresent(Final):
    name: str
    namespace: str
    says = (
        "APIManager {name!r} exists in namespace {namespace} and was not created by a restore of this backup. A "
        "restore never overwrites an installation. Delete the APIManager, or restore into another namespace."
    )


class ObjectsDiffer(Final):
    namespace: str
    differing: Sequence[str]
    says = (
        "Objects in namespace {namespace} differ from the backup ({differing}). Delete these objects to restore the "
        "backup's values. To keep or replace them, add -p on-conflict=keep or -p on-conflict=replace and submit "
        "again."
    )


class TypesRefused(Final):
    namespace: str
    secrets: Sequence[str]
    says = (
        "The backup holds Secrets that would let somebody sign in to the cluster of namespace {namespace}: {secrets}. "
        "A restore creates no Secret of these types. Create the Secrets yourself if they are needed."
    )


class NotReplaceable(Final):
    namespace: str
    objects: Sequence[str]
    says = (
        "Kubernetes can't replace these objects in place in namespace {namespace}: {objects}. Save and delete them "
        "yourself, or submit with -p on-conflict=keep instead."
    )


class ChangedSincePlan(Final):
    namespace: str
    changes: Sequence[str]
    says = (
        "Namespace {namespace} has changed since the plan: {changes}. Nothing more is created or replaced. Plan again."
    )


class ObjectsGoing(TryAgain):
    namespace: str
    names: Sequence[str]
    says = "Objects in namespace {namespace} are about to be deleted ({names}). Another try checks the objects again."


class ObjectsGoingStill(Final):
    namespace: str
    names: Sequence[str]
    says = (
        "Objects in namespace {namespace} are about to be deleted by the garbage collector ({names}). Wait until they "
        "are gone, or remove the owner references."
    )


class TargetNotEmpty(Final):
    claim: str
    entries: Sequence[str]
    says = (
        "Claim {claim!r} already holds files ({entries}). A restore does not overwrite them. Empty the claim, or "
        "submit with -p file-storage-conflict=replace to replace the files."
    )


class TargetHoldsSnapshots(TargetNotEmpty):
    """The files may be snapshots. A restore neither saves nor removes snapshots, so it can't replace these files."""

    says = (
        "Claim {claim!r} already holds files in a folder that has the name of a storage's snapshots but is writable "
        "({entries}). The restore neither saves nor removes such a folder. Move the folder elsewhere yourself, then "
        "submit the restore again."
    )


class TargetInUse(Final):
    claim: str
    pods: Sequence[str]
    says = (
        "Claim {claim!r} is in use by pod {pods}. Its files are replaced only while no other pod uses the claim. Stop "
        "that pod, then submit the restore again."
    )


class SavedGone(Final):
    claim: str
    saved_to: str
    says = (
        "Claim {saved_to!r} is gone, and the files of claim {claim!r} were saved to it. Nothing is removed. Submit "
        "the restore again to save the files once more."
    )


class RestoredGone(Final):
    claim: str
    namespace: str
    why: str
    says = (
        "Claim {claim!r} in namespace {namespace} does not hold the files of this backup ({why}). No APIManager is "
        "created, because 3scale would start without the files. Find out who changes the claim, then submit the "
        "restore again."
    )


class SavedDiffers(Final):
    claim: str
    findings: Sequence[str] | Few
    says = (
        "The saved copy of claim {claim!r} differs from the claim, {findings:count} finding(s): {findings:; }. "
        "Nothing is removed. Submit the restore again."
    )


class ReplacedClaimTaken(Final):
    name: str
    namespace: str
    says = (
        "Claim {name!r} already exists in namespace {namespace} and does not belong to this workflow. The restore "
        "needs this name for a claim of its own, to save what it replaces. Submit the restore again: its new workflow "
        "has another name."
    )


class TargetDiffers(Final):
    claim: str
    findings: Sequence[str] | Few
    says = (
        "The restored files on claim {claim!r} differ from the backup: {findings}. Check the volume and who writes to "
        "it, then submit again."
    )


class WaitedInVain(Final):
    what: str
    wait_minutes: float
    last: str

    def compose(self) -> str:
        return (
            f"The restore waited {self.wait_minutes:g} minutes for {self.what}, without success. "
            f"The last state was: {self.last.removesuffix('.')}. "
            "Everything is restored. Submit the restore again to resume the wait."
        )


class ApiManagerGone(Final):
    name: str
    namespace: str
    says = (
        "APIManager {name}, which this restore created, is gone from namespace {namespace}. Find out who deleted it, "
        "then submit the restore again."
    )


class ResyncFailed(Final):
    pod: str
    status: int
    says = (
        "The command zync:resync:domains failed in pod {pod} with exit code {status}. Check the pod, then submit the "
        "restore again. The restore resumes with this command."
    )
