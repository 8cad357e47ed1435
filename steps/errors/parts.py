"""Things of an installation that are missing, in the way, or other than they should be."""

import json
from collections.abc import Sequence

from steps.errors.base import BadArgument, Few, Final, TryAgain, of_server, several


class NoApiManager(Final):
    namespace: str
    says = "there is no APIManager in namespace {namespace}: run the backup where the 3scale installation is"


class SeveralApiManagers(Final):
    namespace: str
    names: Sequence[str]
    says = (
        "namespace {namespace} holds {names:count} APIManagers ({names}) where 3scale supports one: delete those "
        "that are not the installation"
    )


class DatabasesNotExternal(Final):
    apimanager: str
    databases: Sequence[str]
    says = (
        "APIManager {apimanager} runs {databases} inside the cluster: only installations with external databases "
        "can be backed up (spec.externalComponents)"
    )


class FileStorageInS3(Final):
    apimanager: str
    says = (
        "APIManager {apimanager} keeps System's FileStorage in S3, which is yours to back up: say so with -p "
        "file-storage=external, and the rest is backed up"
    )


class FileStorageInClaim(Final):
    apimanager: str
    says = (
        "APIManager {apimanager} keeps System's FileStorage in a claim, not in S3: leave out -p file-storage=external"
    )


class ObjectsMissing(Final):
    kind: str
    names: Sequence[str]
    namespace: str
    says = "{kind} {names} missing in namespace {namespace}: 3scale can't be restored without"


class PlannedGone(Final):
    kind: str
    names: Sequence[str]
    namespace: str
    says = (
        "{kind} {names} was in namespace {namespace} when the backup was planned, and is not now: find out who "
        "changes the installation, then start a new backup"
    )


class RoutesGone(Final):
    planned: int
    found: int
    namespace: str
    says = (
        "namespace {namespace} had Routes of {planned} hosts when the backup was planned, and has {found} now: "
        "find out who changes the installation, then start a new backup"
    )


class ReferencesMissing(Final):
    references: Sequence[str]
    namespace: str
    says = (
        "the APIManager names what is not in namespace {namespace}: {references}; create it, or take the reference out"
    )


class NamesTooLong(Final):
    kind: str
    names: Sequence[str]
    longest: int
    says = (
        "a backup keeps each {kind} in a file of its name, which may have {longest} characters at most: {names}; "
        "give it a shorter name, and name that in the APIManager"
    )


class NamesNotAllowed(Final):
    resource: str
    names: Sequence[str]
    namespace: str
    server: str = ""

    def compose(self) -> str:
        rule = {"apiGroups": [""], "resources": [self.resource], "resourceNames": list(self.names), "verbs": ["get"]}
        return (
            f"not allowed to get {self.resource} {several(self.names)} in namespace {self.namespace} "
            f"(HTTP 403{of_server(self.server)}): add to the Role {json.dumps(rule)}, "
            "or render the Roles with `threescale-backup manifests --from-apimanager FILE` "
            "(or --secret NAME, --configmap NAME)"
        )


class OverridesWithoutRestore(BadArgument):
    says = "database-overrides replace keys of restored Secrets: say -p database-secrets=restore too"


class BadOverride(Final):
    secret: str
    key: str
    names: Sequence[str]
    says = (
        "Secret {secret} has a key {key!r} that replaces nothing: write SECRET.KEY, for instance "
        "system-database.URL, with one of {names}"
    )


class KeysMissing(Final):
    kind: str
    name: str
    keys: Sequence[str]
    namespace: str
    says = (
        "{kind} {name} in namespace {namespace} has no value under {keys}: complete it, 3scale can't be restored "
        "without"
    )


class ApiManagerReplaced(Final):
    name: str
    expected_uid: str
    found_uid: str
    says = (
        "APIManager {name} was replaced during the backup (uid {expected_uid} became {found_uid}): start a new backup"
    )


class ClaimOfAnotherRestore(Final):
    name: str
    other: str
    says = "claim {name!r} carries the mark of a restore of {other}: delete the claim if its content is not needed"


class ClaimTooSmall(Final):
    name: str
    capacity: str
    needed_bytes: int
    says = (
        "claim {name!r} of {capacity} is too small for the {needed_bytes} bytes of the backup: make it larger, or "
        "delete it and let the restore create it"
    )


class RequestTooSmall(Final):
    request: str
    needed_bytes: int
    says = "storage-request {request} is less than the {needed_bytes} bytes of the backup: ask for more"


class ChangedWhileRead(Final):
    paths: Sequence[str] | Few
    says = "{paths:count} changed during each of several reads: {paths}; back up when it rests"


class FilledWithout(Final):
    claim: str
    lacking: str
    says = (
        "claim {claim} was filled by a restore of this backup that left files out: {lacking}; say -p "
        "file-storage-damage=skip to go on without them, or delete the claim if its files are not needed, and "
        "restore all of them"
    )


class ApiManagerPresent(Final):
    name: str
    namespace: str
    says = (
        "APIManager {name!r} exists in namespace {namespace} and was not made by a restore of this backup: nothing "
        "is restored over an installation; delete it or restore into another namespace"
    )


class ObjectsDiffer(Final):
    namespace: str
    differing: Sequence[str]
    says = (
        "namespace {namespace} holds other values than the backup ({differing}): delete these objects if the "
        "backup's shall count, or say -p on-conflict=keep or on-conflict=replace"
    )


class TypesRefused(Final):
    namespace: str
    secrets: Sequence[str]
    says = (
        "the backup holds Secrets that would let somebody sign in to the cluster of namespace {namespace}: "
        "{secrets}; a restore creates none of these types, create them yourself if they are needed"
    )


class NotReplaceable(Final):
    namespace: str
    objects: Sequence[str]
    says = (
        "Kubernetes changes no such object in place ({objects}, in namespace {namespace}): save and delete it "
        "yourself, or say -p on-conflict=keep"
    )


class ChangedSincePlan(Final):
    namespace: str
    changes: Sequence[str]
    says = (
        "namespace {namespace} has changed since the plan ({changes}): nothing more is created or replaced; plan again"
    )


class ObjectsGoing(TryAgain):
    namespace: str
    names: Sequence[str]
    says = "in namespace {namespace} {names}: about to be deleted; looking again"


class ObjectsGoingStill(Final):
    namespace: str
    names: Sequence[str]
    says = (
        "in namespace {namespace} {names}: the garbage collector is about to take it; wait until it is gone, or "
        "remove the owner reference"
    )


class TargetNotEmpty(Final):
    claim: str
    entries: Sequence[str]
    says = (
        "claim {claim!r} already holds files ({entries}): nothing is restored over them; empty the claim, or say "
        "-p file-storage-conflict=replace"
    )


class TargetHoldsSnapshots(TargetNotEmpty):
    """The advice of the other one would not work: what may be a snapshot is neither saved nor removed."""

    says = (
        "claim {claim!r} already holds files ({entries}) in a folder with the name of a storage's snapshots, but files "
        "can be made in it: it is neither saved nor removed; move it elsewhere yourself, then submit the restore again"
    )


class TargetInUse(Final):
    claim: str
    pods: Sequence[str]
    says = (
        "claim {claim!r} is in use by pod {pods}: its files are replaced only while nobody else has them; stop that pod"
    )


class SavedGone(Final):
    claim: str
    saved_to: str
    says = (
        "claim {saved_to!r} is gone, to which the files of claim {claim!r} were saved: nothing is removed; submit "
        "the restore again, it saves them once more"
    )


class RestoredGone(Final):
    claim: str
    namespace: str
    why: str
    says = (
        "claim {claim!r} in namespace {namespace} does not hold the files of this backup ({why}): no APIManager is "
        "created, for 3scale would come up without them; find out who changes it, then submit the restore again"
    )


class SavedDiffers(Final):
    claim: str
    findings: Sequence[str] | Few
    says = (
        "what was saved is not what claim {claim!r} holds, {findings:count} finding(s): {findings:; }; nothing is "
        "removed, submit the restore again"
    )


class ReplacedClaimTaken(Final):
    name: str
    namespace: str
    says = (
        "a claim {name!r} exists already in namespace {namespace} and is not of this workflow: what is replaced is "
        "saved to a claim of its own; submit the restore under another name"
    )


class TargetDiffers(Final):
    claim: str
    findings: Sequence[str] | Few
    says = "the restored tree on claim {claim!r} is not the backup's: {findings}"


class WaitedInVain(Final):
    what: str
    wait_minutes: float
    last: str

    def compose(self) -> str:
        return (
            f"{self.what} did not come within {self.wait_minutes:g} minutes; last seen: {self.last}; "
            "all is restored, submit the restore again to go on waiting"
        )


class ApiManagerGone(Final):
    name: str
    namespace: str
    says = (
        "APIManager {name}, which this restore has made, is gone from namespace {namespace}: find out who has "
        "deleted it, then submit the restore again"
    )


class ResyncFailed(Final):
    pod: str
    status: int
    says = (
        "zync:resync:domains failed in pod {pod} (exit code {status}): look at the pod, then submit the restore "
        "again; it goes on from there"
    )
