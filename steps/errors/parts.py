"""Things of an installation that are missing, in the way, or other than they should be."""

import json
from collections.abc import Sequence

from steps.errors.base import BadArgument, Few, Final, TryAgain, of_server, several


class NoApiManager(Final):
    def __init__(self, namespace: str) -> None:
        super().__init__(
            f"there is no APIManager in namespace {namespace}: run the backup where the 3scale installation is"
        )


class SeveralApiManagers(Final):
    def __init__(self, namespace: str, names: Sequence[str]) -> None:
        super().__init__(
            f"namespace {namespace} holds {len(names)} APIManagers ({several(names)}) where 3scale supports one: "
            "delete those that are not the installation"
        )


class DatabasesNotExternal(Final):
    def __init__(self, apimanager: str, databases: Sequence[str]) -> None:
        super().__init__(
            f"APIManager {apimanager} runs {several(databases)} inside the cluster: only installations with external "
            "databases can be backed up (spec.externalComponents)"
        )


class FileStorageInS3(Final):
    def __init__(self, apimanager: str) -> None:
        super().__init__(
            f"APIManager {apimanager} keeps System's FileStorage in S3, which is yours to back up: "
            "say so with -p file-storage=external, and the rest is backed up"
        )


class FileStorageInClaim(Final):
    def __init__(self, apimanager: str) -> None:
        super().__init__(
            f"APIManager {apimanager} keeps System's FileStorage in a claim, not in S3: "
            "leave out -p file-storage=external"
        )


class ObjectsMissing(Final):
    def __init__(self, kind: str, names: Sequence[str], namespace: str) -> None:
        super().__init__(f"{kind} {several(names)} missing in namespace {namespace}: 3scale can't be restored without")


class PlannedGone(Final):
    def __init__(self, kind: str, names: Sequence[str], namespace: str) -> None:
        super().__init__(
            f"{kind} {several(names)} was in namespace {namespace} when the backup was planned, and is not now: "
            "find out who changes the installation, then start a new backup"
        )


class RoutesGone(Final):
    def __init__(self, planned: int, found: int, namespace: str) -> None:
        super().__init__(
            f"namespace {namespace} had Routes of {planned} hosts when the backup was planned, and has {found} now: "
            "find out who changes the installation, then start a new backup"
        )


class ReferencesMissing(Final):
    def __init__(self, references: Sequence[str], namespace: str) -> None:
        super().__init__(
            f"the APIManager names what is not in namespace {namespace}: {several(references)}; "
            "create it, or take the reference out"
        )


class NamesTooLong(Final):
    def __init__(self, kind: str, names: Sequence[str], longest: int) -> None:
        super().__init__(
            f"a backup keeps each {kind} in a file of its name, which may have {longest} characters at most: "
            f"{several(names)}; give it a shorter name, and name that in the APIManager"
        )


class NamesNotAllowed(Final):
    def __init__(self, resource: str, names: Sequence[str], namespace: str, server: str = "") -> None:
        rule = {"apiGroups": [""], "resources": [resource], "resourceNames": list(names), "verbs": ["get"]}
        super().__init__(
            f"not allowed to get {resource} {several(names)} in namespace {namespace} "
            f"(HTTP 403{of_server(server)}): add to the Role {json.dumps(rule)}, "
            "or render the Roles with `threescale-backup manifests --from-apimanager FILE` "
            "(or --secret NAME, --configmap NAME)"
        )


class OverridesWithoutRestore(BadArgument):
    def __init__(self) -> None:
        super().__init__("database-overrides replace keys of restored Secrets: say -p database-secrets=restore too")


class BadOverride(Final):
    def __init__(self, secret: str, key: str, names: Sequence[str]) -> None:
        super().__init__(
            f"Secret {secret} has a key {key!r} that replaces nothing: write SECRET.KEY, for instance "
            f"system-database.URL, with one of {several(names)}"
        )


class KeysMissing(Final):
    def __init__(self, kind: str, name: str, keys: Sequence[str], namespace: str) -> None:
        super().__init__(
            f"{kind} {name} in namespace {namespace} has no value under {several(keys)}: "
            "complete it, 3scale can't be restored without"
        )


class ApiManagerReplaced(Final):
    def __init__(self, name: str, expected_uid: str, found_uid: str) -> None:
        super().__init__(
            f"APIManager {name} was replaced during the backup (uid {expected_uid} became {found_uid}): "
            "start a new backup"
        )


class ClaimOfAnotherRestore(Final):
    def __init__(self, name: str, other: str) -> None:
        super().__init__(
            f"claim {name!r} carries the mark of a restore of {other}: delete the claim if its content is not needed"
        )


class ClaimTooSmall(Final):
    def __init__(self, name: str, capacity: str, needed_bytes: int) -> None:
        super().__init__(
            f"claim {name!r} of {capacity} is too small for the {needed_bytes} bytes of the backup: "
            "make it larger, or delete it and let the restore create it"
        )


class RequestTooSmall(Final):
    def __init__(self, request: str, needed_bytes: int) -> None:
        super().__init__(f"storage-request {request} is less than the {needed_bytes} bytes of the backup: ask for more")


class ChangedWhileRead(Final):
    def __init__(self, paths: Sequence[str] | Few) -> None:
        super().__init__(f"{len(paths)} changed during each of several reads: {several(paths)}; back up when it rests")


class FilledWithout(Final):
    def __init__(self, claim: str, lacking: str) -> None:
        super().__init__(
            f"claim {claim} was filled by a restore of this backup that left files out: {lacking}; say "
            "-p file-storage-damage=skip to go on without them, or delete the claim if its files are not needed, and "
            "restore all of them"
        )


class ApiManagerPresent(Final):
    def __init__(self, name: str, namespace: str) -> None:
        super().__init__(
            f"APIManager {name!r} exists in namespace {namespace} and was not made by a restore of this backup: "
            "nothing is restored over an installation; delete it or restore into another namespace"
        )


class ObjectsDiffer(Final):
    def __init__(self, namespace: str, differing: Sequence[str]) -> None:
        super().__init__(
            f"namespace {namespace} holds other values than the backup ({several(differing)}): "
            "delete these objects if the backup's shall count, or say -p on-conflict=keep or on-conflict=replace"
        )


class TypesRefused(Final):
    def __init__(self, namespace: str, secrets: Sequence[str]) -> None:
        super().__init__(
            f"the backup holds Secrets that would let somebody sign in to the cluster of namespace {namespace}: "
            f"{several(secrets)}; a restore creates none of these types, create them yourself if they are needed"
        )


class NotReplaceable(Final):
    def __init__(self, namespace: str, objects: Sequence[str]) -> None:
        super().__init__(
            f"Kubernetes changes no such object in place ({several(objects)}, in namespace {namespace}): save and "
            "delete it yourself, or say -p on-conflict=keep"
        )


class ChangedSincePlan(Final):
    def __init__(self, namespace: str, changes: Sequence[str]) -> None:
        super().__init__(
            f"namespace {namespace} has changed since the plan ({several(changes)}): nothing more is created or "
            "replaced; plan again"
        )


class ObjectsGoing(TryAgain):
    def __init__(self, namespace: str, names: Sequence[str]) -> None:
        super().__init__(f"in namespace {namespace} {several(names)}: about to be deleted; looking again")


class ObjectsGoingStill(Final):
    def __init__(self, namespace: str, names: Sequence[str]) -> None:
        super().__init__(
            f"in namespace {namespace} {several(names)}: the garbage collector is about to take it; "
            "wait until it is gone, or remove the owner reference"
        )


class TargetNotEmpty(Final):
    def __init__(self, claim: str, entries: Sequence[str]) -> None:
        super().__init__(
            f"claim {claim!r} already holds files ({several(entries)}): nothing is restored over them; "
            "empty the claim, or say -p file-storage-conflict=replace"
        )


class TargetHoldsSnapshots(TargetNotEmpty):
    """The advice of the other one would not work: what may be a snapshot is neither saved nor removed."""

    def __init__(self, claim: str, entries: Sequence[str]) -> None:
        Final.__init__(
            self,
            f"claim {claim!r} already holds files ({several(entries)}) in a folder with the name of a storage's "
            "snapshots, but files can be made in it: it is neither saved nor removed; move it elsewhere yourself, "
            "then submit the restore again",
        )


class TargetInUse(Final):
    def __init__(self, claim: str, pods: Sequence[str]) -> None:
        super().__init__(
            f"claim {claim!r} is in use by pod {several(pods)}: its files are replaced only while nobody else has "
            "them; stop that pod"
        )


class SavedGone(Final):
    def __init__(self, claim: str, saved_to: str) -> None:
        super().__init__(
            f"claim {saved_to!r} is gone, to which the files of claim {claim!r} were saved: nothing is removed; "
            "submit the restore again, it saves them once more"
        )


class RestoredGone(Final):
    def __init__(self, claim: str, namespace: str, why: str) -> None:
        super().__init__(
            f"claim {claim!r} in namespace {namespace} does not hold the files of this backup ({why}): "
            "no APIManager is created, for 3scale would come up without them; find out who changes it, then submit "
            "the restore again"
        )


class SavedDiffers(Final):
    def __init__(self, claim: str, findings: Sequence[str] | Few) -> None:
        super().__init__(
            f"what was saved is not what claim {claim!r} holds, {len(findings)} finding(s): "
            f"{several(findings, '; ')}; nothing is removed, submit the restore again"
        )


class ReplacedClaimTaken(Final):
    def __init__(self, name: str, namespace: str) -> None:
        super().__init__(
            f"a claim {name!r} exists already in namespace {namespace} and is not of this workflow: what is replaced "
            "is saved to a claim of its own; submit the restore under another name"
        )


class TargetDiffers(Final):
    def __init__(self, claim: str, findings: Sequence[str] | Few) -> None:
        super().__init__(f"the restored tree on claim {claim!r} is not the backup's: {several(findings)}")


class WaitedInVain(Final):
    def __init__(self, what: str, wait_minutes: float, last: str) -> None:
        super().__init__(
            f"{what} did not come within {wait_minutes:g} minutes; last seen: {last}; "
            "all is restored, submit the restore again to go on waiting"
        )


class ApiManagerGone(Final):
    def __init__(self, name: str, namespace: str) -> None:
        super().__init__(
            f"APIManager {name}, which this restore has made, is gone from namespace {namespace}: find out who has "
            "deleted it, then submit the restore again"
        )


class ResyncFailed(Final):
    def __init__(self, pod: str, exit_code: int) -> None:
        super().__init__(
            f"zync:resync:domains failed in pod {pod} (exit code {exit_code}): look at the pod, then submit the "
            "restore again; it goes on from there"
        )
