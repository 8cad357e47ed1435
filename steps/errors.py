"""Every way in which a phase can end badly, in one place.

A class is built from facts and composes its own sentence: what is wrong, where, and what the person can do. Whether a
try more can help is decided here and nowhere else: a phase exits with `exit_code`, and Argo's retry strategy reads it.
The facts are names, counts and paths, never the value of a Secret.
"""

import json
import traceback
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import PurePath
from typing import Any, ClassVar

REFUSED_EXIT = 1
TRY_AGAIN_EXIT = 75  # EX_TEMPFAIL of sysexits.h


def printable(text: str) -> str:
    """A text on one line that changes nothing on a terminal, whatever a name brings in."""
    return "".join(sign if sign.isprintable() else ascii(sign)[1:-1] for sign in text)


class PhaseError(Exception):
    """Base of all; its text is the last sentence of the phase, on one line whatever a name or a message brings in."""

    exit_code: ClassVar[int] = REFUSED_EXIT

    def __init__(self, sentence: str) -> None:
        super().__init__(printable(sentence))

    def __reduce__(self) -> tuple[Any, ...]:
        """Go from one process to another as the sentence; the facts are not needed twice."""
        return type(self).__new__, (type(self), *self.args), self.__dict__


class Final(PhaseError):
    """Refused or failed for good: the same try would end the same way."""


class TryAgain(PhaseError):
    """The same try may succeed a little later."""

    exit_code = TRY_AGAIN_EXIT


@dataclass
class Few:
    """The first ten of many names, and how many there are: as much as a sentence holds."""

    first: list[str] = field(default_factory=list)
    count: int = 0

    @classmethod
    def of(cls, names: Iterable[str]) -> "Few":
        """Count them all."""
        few = cls()
        for name in names:
            few.append(name)
        return few

    def append(self, name: str) -> None:
        """Count one more."""
        self.count += 1
        if len(self.first) < _LIMIT:
            self.first.append(name)

    def __len__(self) -> int:
        return self.count

    def __str__(self) -> str:
        return _several(self, "; ")


_LIMIT = 10


def _several(names: Sequence[str] | Few, comma: str = ", ") -> str:
    """Name the first ten, and how many more there are."""
    shown = comma.join(names.first if isinstance(names, Few) else names[:_LIMIT])
    return shown if len(names) <= _LIMIT else f"{shown} and {len(names) - _LIMIT} more"


def _free(needed_bytes: int | None, free_bytes: int | None) -> str:
    """Say what is free, and what else is short where that would do."""
    if free_bytes is None:
        return "the volume does not say how many are free"
    why = "" if needed_bytes is None or needed_bytes > free_bytes else ", so inodes or a quota ran out"
    return f"{free_bytes} bytes are free{why}"


# --- the border to Kubernetes ---


def _server(name: str) -> str:
    """Name the server that said so, where it is known."""
    return f"; server {name}" if name else ""


def withheld(reason: str, refuser: str) -> str:
    """Say in the place of a server's message that it is not shown, and who wrote it where that is known."""
    told = f"{reason}: " if reason else ""
    by = f", {refuser} refused it" if refuser else ""
    return f"{told}the server's message is withheld, because it may hold a Secret's data{by}"


class NotAllowed(Final):
    def __init__(self, verb: str, resource: str, name: str, namespace: str, message: str, server: str = "") -> None:
        super().__init__(
            f"not allowed to {verb} {resource}{f' {name!r}' if name else ''} in namespace {namespace} "
            f"(HTTP 403: {message or 'no message'}{_server(server)}): "
            "apply the Roles that `threescale-backup manifests` renders"
        )


class QuotaExceeded(Final):
    def __init__(self, resource: str, name: str, namespace: str, message: str, server: str = "") -> None:
        super().__init__(
            f"a quota of namespace {namespace} leaves no room for {resource} {name!r} ({message}{_server(server)}): "
            "raise the quota, delete old backup claims, or ask for less storage"
        )


class Rejected(Final):
    def __init__(self, verb: str, resource: str, name: str, status: int, message: str, server: str = "") -> None:
        super().__init__(
            f"Kubernetes rejected to {verb} {resource} {name!r} (HTTP {status}: {message}{_server(server)})"
        )


class UnknownResource(Final):
    def __init__(self, resource: str, server: str = "") -> None:
        super().__init__(f"the cluster knows no {resource}{_server(server)}")


class AlreadyExists(TryAgain):
    def __init__(self, resource: str, name: str, server: str = "") -> None:
        super().__init__(
            f"{resource} {name!r} appeared while it was being created (HTTP 409{_server(server)}); "
            "the next try looks at it"
        )


class NoAnswer(TryAgain):
    def __init__(self, verb: str, resource: str, name: str, reason: str, server: str = "") -> None:
        what = f"{resource} {name!r}" if name else resource
        super().__init__(f"no usable answer from Kubernetes to {verb} {what} ({reason}{_server(server)})")


class NotKnown(NoAnswer):
    """Who asks is not known, or no longer; what they may do was not even looked at."""

    def __init__(self, server: str) -> None:
        PhaseError.__init__(
            self,
            f"Kubernetes does not know who asks (HTTP 401{_server(server)}), also after the token was read again: "
            "the token has expired, its ServiceAccount is gone, or it belongs to another cluster",
        )


class Conflict(NoAnswer):
    """Somebody else has changed it since it was read, or writes it at this moment."""


class NoConnection(Final):
    def __init__(self, reason: str) -> None:
        super().__init__(
            f"no way to reach Kubernetes: {reason}; run this in a pod with a service account, or set KUBECONFIG"
        )


class Interrupted(TryAgain):
    def __init__(self) -> None:
        super().__init__("asked to stop (SIGTERM); stopped at a safe point, another try goes on from there")


class WorkerLost(TryAgain):
    def __init__(self, exit_code: int) -> None:
        super().__init__(
            f"a worker process was killed (exit code {exit_code}), as the kernel does where memory is short; "
            "another try goes on from there: give the phase more memory or fewer `--workers` if it happens again"
        )


class Unexpected(Final):
    def __init__(self, kind: str, place: str) -> None:
        super().__init__(f"unexpected {kind} at {place}: please report it")

    @classmethod
    def at(cls, error: BaseException) -> "Unexpected":
        """Say where an error came up that nobody foresaw; its message may quote data, so only its place is shown."""
        place = traceback.extract_tb(error.__traceback__)[-1]
        return cls(type(error).__name__, f"{PurePath(place.filename).name}:{place.lineno}")


# --- arguments ---


class BadArgument(Final):
    """The arguments themselves are wrong, whatever there is: whoever gave them can mend it at once."""


class ArgumentsUnread(Final):
    def __init__(self) -> None:
        super().__init__(
            "Argo does not say the workflow's arguments in a form that this tool reads: nothing was done; "
            "run it with Argo Workflows 4.0 or 4.1"
        )


class UnknownArguments(BadArgument):
    """`nearest`: for each of the names the known one that it looks like, or none."""

    def __init__(self, names: Sequence[str], nearest: Sequence[str], known: Sequence[str]) -> None:
        pairs = zip(names, nearest, strict=True)
        meant = [f"{name!r} ({known_one}?)" if known_one else repr(name) for name, known_one in pairs]
        super().__init__(
            f"this workflow has no argument {_several(meant)}: nothing was done; submit it again with names among "
            f"{', '.join(known)}"
        )


class BadName(BadArgument):
    def __init__(self, name: str) -> None:
        super().__init__(
            f"{name!r} can't name a backup: a claim that pods mount needs a DNS-1123 label "
            "(a-z, 0-9 and '-', at most 63 characters, a letter or digit first and last); choose another with -p name="
        )


class BadDomain(BadArgument):
    def __init__(self, value: str) -> None:
        super().__init__(
            f"{value!r} is no domain for wildcard-domain: write a DNS-1123 subdomain such as apps.example.com, "
            "without '*.'"
        )


class BadQuantity(BadArgument):
    def __init__(self, value: str, parameter: str) -> None:
        super().__init__(f"{value!r} is no size for {parameter}: write a Kubernetes quantity above zero such as 10Gi")


# --- what must be true before a backup ---


class NoApiManager(Final):
    def __init__(self, namespace: str) -> None:
        super().__init__(
            f"there is no APIManager in namespace {namespace}: run the backup where the 3scale installation is"
        )


class SeveralApiManagers(Final):
    def __init__(self, namespace: str, names: Sequence[str]) -> None:
        super().__init__(
            f"namespace {namespace} holds {len(names)} APIManagers ({_several(names)}) where 3scale supports one: "
            "delete those that are not the installation"
        )


class DatabasesNotExternal(Final):
    def __init__(self, apimanager: str, databases: Sequence[str]) -> None:
        super().__init__(
            f"APIManager {apimanager} runs {_several(databases)} inside the cluster: only installations with external "
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
        super().__init__(f"{kind} {_several(names)} missing in namespace {namespace}: 3scale can't be restored without")


class PlannedGone(Final):
    def __init__(self, kind: str, names: Sequence[str], namespace: str) -> None:
        super().__init__(
            f"{kind} {_several(names)} was in namespace {namespace} when the backup was planned, and is not now: "
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
            f"the APIManager names what is not in namespace {namespace}: {_several(references)}; "
            "create it, or take the reference out"
        )


class NamesTooLong(Final):
    def __init__(self, kind: str, names: Sequence[str], longest: int) -> None:
        super().__init__(
            f"a backup keeps each {kind} in a file of its name, which may have {longest} characters at most: "
            f"{_several(names)}; give it a shorter name, and name that in the APIManager"
        )


class NamesNotAllowed(Final):
    def __init__(self, resource: str, names: Sequence[str], namespace: str, server: str = "") -> None:
        rule = {"apiGroups": [""], "resources": [resource], "resourceNames": list(names), "verbs": ["get"]}
        super().__init__(
            f"not allowed to get {resource} {_several(names)} in namespace {namespace} "
            f"(HTTP 403{_server(server)}): add to the Role {json.dumps(rule)}, "
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
            f"system-database.URL, with one of {_several(names)}"
        )


class KeysMissing(Final):
    def __init__(self, kind: str, name: str, keys: Sequence[str], namespace: str) -> None:
        super().__init__(
            f"{kind} {name} in namespace {namespace} has no value under {_several(keys)}: "
            "complete it, 3scale can't be restored without"
        )


class ApiManagerReplaced(Final):
    def __init__(self, name: str, expected_uid: str, found_uid: str) -> None:
        super().__init__(
            f"APIManager {name} was replaced during the backup (uid {expected_uid} became {found_uid}): "
            "start a new backup"
        )


# --- claims ---


class BadDuration(BadArgument):
    def __init__(self, text: str, argument: str) -> None:
        super().__init__(
            f"{text!r} is no duration for {argument}: write years, months, weeks, days, hours such as 1y6m or 30d"
        )


class NoBackup(Final):
    def __init__(self, namespace: str, why: Sequence[str]) -> None:
        super().__init__("; ".join([f"there is no complete backup in namespace {namespace}", *why]))


class BackupOverdue(Final):
    def __init__(self, name: str, namespace: str, age: str, limit: str, why: Sequence[str]) -> None:
        seen = f"the newest complete backup in namespace {namespace}, {name}, began {age} ago, more than {limit}"
        super().__init__("; ".join([seen, *why]))


class BadTimezone(BadArgument):
    def __init__(self, name: str) -> None:
        super().__init__(f"{name!r} is no time zone of the IANA database, for instance Europe/Madrid or UTC")


class ClaimMissing(Final):
    def __init__(self, name: str, namespace: str, others: Sequence[str] = ()) -> None:
        hint = f"; the backups here are {_several(others)}" if others else ""
        super().__init__(f"there is no claim {name!r} in namespace {namespace}{hint}: check the name")


class ClaimGone(Final):
    def __init__(self, name: str, namespace: str) -> None:
        super().__init__(
            f"claim {name!r} was in namespace {namespace} and is gone: find out who deletes claims there, "
            "then submit again"
        )


class ClaimGoingAway(Final):
    def __init__(self, name: str, namespace: str) -> None:
        super().__init__(f"claim {name!r} in namespace {namespace} is being deleted: wait until it is gone")


class ClaimTaken(BadArgument):
    def __init__(self, name: str, namespace: str, holder: str) -> None:
        super().__init__(
            f"a claim {name!r} exists already in namespace {namespace} ({holder}): a backup never writes over another "
            "one; choose another with -p name="
        )


class ClaimInUse(Final):
    def __init__(self, name: str, access_mode: str, pods: Sequence[str]) -> None:
        super().__init__(
            f"claim {name!r} is {access_mode} and in use by pod {_several(pods)}: no second pod can mount it; "
            "stop that pod or move the data to a claim that several pods can mount"
        )


class ClaimOnTwoNodes(Final):
    def __init__(self, name: str, nodes: Sequence[str]) -> None:
        super().__init__(
            f"claim {name!r} is ReadWriteOnce and its pods run on nodes {_several(nodes)}: "
            "no pod can be placed beside all of them; bring them to one node"
        )


class ClaimUnbound(Final):
    def __init__(self, name: str, phase: str) -> None:
        super().__init__(f"claim {name!r} is {phase} and has no volume: it holds no backup; check the name")


class ClaimWithoutVolume(TryAgain):
    def __init__(self, name: str, event: str) -> None:
        super().__init__(f"claim {name!r} gets no volume ({event}): check its class, its volume and its size")


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


# --- volumes ---


class VolumeTaken(Final):
    def __init__(self, holder: str) -> None:
        super().__init__(
            f"the backup volume is not this workflow's own: it holds {holder}; nothing was changed, "
            "back up to another claim"
        )


class FileTooLarge(Final):
    def __init__(self, path: str, size_bytes: int, largest_bytes: int) -> None:
        super().__init__(
            f"{path} of the backup would have {size_bytes} bytes, and no restore reads more than {largest_bytes}: "
            "make what it comes from smaller, then back up again"
        )


class NotWritable(Final):
    def __init__(self, path: str, reason: str) -> None:
        super().__init__(
            f"can't write {path} ({reason}): a fresh volume often belongs to root, and then needs a group; render with "
            "`threescale-backup manifests --fs-group N` (on OpenShift the namespace gives one)"
        )


class ModeNotKept(Final):
    def __init__(self, path: str, found: str, wanted: str, use: str) -> None:
        super().__init__(
            f"the volume keeps no mode: {path} has {found} instead of {wanted}, so it could not be {use}; "
            "mount the volume with modes that the group may use (file_mode and dir_mode of SMB), or use another class"
        )


class LinksNotKept(Final):
    def __init__(self, path: str) -> None:
        super().__init__(f"the volume keeps no symbolic links, {path!r} is one; use a volume of another class")


class NameTaken(Final):
    def __init__(self, path: str) -> None:
        super().__init__(
            f"{path} is there already, made from another name: the volume does not tell them apart, by case or by the "
            "form of a letter; use a volume that does"
        )


class VolumeReadOnly(Final):
    def __init__(self, path: str) -> None:
        super().__init__(f"can't write {path}: the volume is mounted read-only or its file system has turned so")


class NotRemovable(Final):
    def __init__(self, path: str, reason: str) -> None:
        super().__init__(
            f"can't remove {path} ({reason}): remove it by hand, or use another volume; "
            "if the storage made it, have the storage hide it"
        )


class VolumeFull(Final):
    def __init__(self, path: str, needed_bytes: int | None, free_bytes: int | None) -> None:
        needed = "" if needed_bytes is None else f"{needed_bytes} bytes are needed, "
        super().__init__(f"no space for {path}: {needed}{_free(needed_bytes, free_bytes)}; use a larger claim")


class ReadFailed(Final):
    def __init__(self, paths: Sequence[str] | Few, reason: str) -> None:
        super().__init__(f"{len(paths)} could not be read ({reason}): {_several(paths)}")


class ChangedWhileRead(Final):
    def __init__(self, paths: Sequence[str] | Few) -> None:
        super().__init__(f"{len(paths)} changed during each of several reads: {_several(paths)}; back up when it rests")


class VolumeFailed(Final):
    def __init__(self, path: str, reason: str) -> None:
        super().__init__(f"the file system failed at {path} ({reason})")


class VolumeStale(TryAgain):
    def __init__(self, path: str) -> None:
        super().__init__(f"the volume's server lost its handle of {path} (ESTALE)")


# --- what a backup holds ---


class NotABackup(Final):
    def __init__(self, reason: str) -> None:
        super().__init__(f"this is no finished backup: {reason}")


class BackupDamaged(Final):
    def __init__(self, findings: Sequence[str] | Few) -> None:
        super().__init__(f"the backup is not whole, {len(findings)} finding(s): {_several(findings, '; ')}")


class SealLost(Final):
    def __init__(self, claim: str) -> None:
        super().__init__(
            f"claim {claim} holds a backup without manifest.json, and this tool made the claim: its seal is lost; "
            "restore another backup, or say -p made-by=operator if you know that the operator made this one"
        )


class NotSealed(Final):
    def __init__(self, claim: str) -> None:
        super().__init__(
            f"claim {claim} does not say that its backup was sealed, though a manifest.json lies on the volume; "
            "restore another backup, or say -p manifest-sha256=DIGEST if you have kept the digest of this one elsewhere"
        )


class NoManifest(Final):
    def __init__(self, claim: str) -> None:
        super().__init__(
            f"claim {claim} holds a backup without manifest.json, and does not say that the operator made it; restore "
            "another backup, or say -p made-by=operator if you know that it did"
        )


class NotTheOperators(Final):
    def __init__(self, claim: str) -> None:
        super().__init__(
            f"claim {claim} holds a manifest.json, so the operator did not make this backup; submit without "
            "made-by=operator"
        )


class OtherManifest(Final):
    def __init__(self, asked: str, found: str) -> None:
        super().__init__(
            f"manifest-sha256 asks for the backup {asked}, and this volume holds "
            f"{found or 'one without manifest.json'}; nothing was changed; see whether the claim is the right one"
        )


class MarkedDamaged(Final):
    def __init__(self, claim: str, when: str, damage: str) -> None:
        super().__init__(
            f"claim {claim} is marked as damaged since {when}: {damage or 'nobody wrote down why'}; if it was mended, "
            "have threescale-verify read all of it again, which takes the mark away; else -p file-storage-damage=skip "
            "restores all files that are whole"
        )


class BackupChanged(Final):
    def __init__(self, name: str, planned: str, found: str) -> None:
        super().__init__(
            f"backup {name} is another one than this restore began with: its digest was {planned} and is {found}; see "
            "who writes to its volume, then submit again, which plans anew"
        )


class NoDigests(Final):
    def __init__(self, name: str) -> None:
        super().__init__(
            f"backup {name} has no digests, so nothing tells which of its files are damaged; submit without "
            "file-storage-damage=skip"
        )


class MoreDamaged(Final):
    def __init__(self, left_out: str) -> None:
        super().__init__(
            f"the plan is another one now, for other files are damaged than it said: {left_out}; no file was restored; "
            "plan again, and submit again if that is what you want"
        )


class FilledWithout(Final):
    def __init__(self, claim: str, lacking: str) -> None:
        super().__init__(
            f"claim {claim} was filled by a restore of this backup that left files out: {lacking}; say "
            "-p file-storage-damage=skip to go on without them, or delete the claim if its files are not needed, and "
            "restore all of them"
        )


class TreeChanged(Final):
    def __init__(self, name: str) -> None:
        super().__init__(
            f"the files of backup {name} have other names, sizes or times than when this restore began; see who writes "
            "to its volume, then submit again"
        )


class UrlMissing(Final):
    def __init__(self) -> None:
        super().__init__(
            "there is no URL to send it to: the Secret that `--notify-secret` named is not there, or has no key `url`"
        )


class BadUrl(Final):
    def __init__(self) -> None:
        super().__init__("key `url` of the Secret holds no URL that begins with https:// or http:// and a host")


class NotDelivered(Final):
    def __init__(self, kind: str, tries: int) -> None:
        super().__init__(
            f"{kind} (tries: {tries}): see whether the URL in the Secret is right and can be reached from here"
        )


class NoResult(Final):
    def __init__(self, reason: str) -> None:
        super().__init__(
            f"this is no result record: {reason}; a backup's is its result.json, a restore's one entry of its ConfigMap"
        )


class PhasesMissing(Final):
    def __init__(self, phases: Sequence[str]) -> None:
        super().__init__(f"can't seal: no report of {_several(phases)} on the volume; run these phases first")


# --- what proves a backup ---


class BadSample(BadArgument):
    def __init__(self, sample: str) -> None:
        super().__init__(
            f"{sample!r} is no share for sample: write a percentage above 0% and up to 100%, such as 10%; empty: all"
        )


class NothingToProve(Final):
    def __init__(self, namespace: str, what: str) -> None:
        super().__init__(
            f"there is no complete backup of this tool in namespace {namespace} to {what}: make one, or name a claim "
            "with -p claim-name="
        )


class StillRunning(Final):
    def __init__(self, name: str, by: str) -> None:
        super().__init__(f"backup {name!r} is still being made ({by}): wait until that has ended")


class ScratchIsOwn(Final):
    def __init__(self, namespace: str) -> None:
        super().__init__(
            f"scratch-namespace {namespace!r} is the namespace of the backup itself: name one that was made for drills "
            "and holds nothing else"
        )


class ScratchTaken(Final):
    def __init__(self, namespace: str, what: Sequence[str]) -> None:
        super().__init__(
            f"namespace {namespace} is no scratch namespace, it holds {_several(what)}, which no drill of this "
            "namespace has made: nothing was changed there; name one that was made for drills"
        )


class ScratchNotCleared(Final):
    def __init__(self, scratch: str, what: Sequence[str], namespace: str) -> None:
        super().__init__(
            f"scratch namespace {scratch} still holds {_several(what)}, which an earlier drill of namespace "
            f"{namespace} has made, and whose ledger is gone: remove it with "
            f"`kubectl delete secrets,configmaps -n {scratch} -l threescale-backup/drill={namespace}`"
        )


class NotAllowedInScratch(Final):
    def __init__(
        self, namespace: str, server: str, group: str, resource: str, verbs: Sequence[str], names: Sequence[str]
    ) -> None:
        rule = {"apiGroups": [group], "resources": [resource], "verbs": list(verbs)}
        whole = json.dumps({**rule, "resourceNames": list(names)} if names else rule)
        super().__init__(
            f"not allowed to {' and '.join(verbs)} {resource} {_several(names)}{' ' if names else ''}in scratch "
            f"namespace {namespace} (HTTP 403{_server(server)}): "
            f"add to the Role `threescale-drill-scratch` there {whole}, "
            f"or render it and its RoleBinding by `threescale-backup manifests --drill-namespace {namespace}` "
            "(and --from-apimanager FILE, --secret NAME, --configmap NAME)"
        )


class DrillRuns(Final):
    def __init__(self, workflow: str) -> None:
        super().__init__(f"a drill of this namespace is under way, workflow {workflow}: wait until that has ended")


class LedgerTaken(Final):
    def __init__(self, name: str, namespace: str) -> None:
        super().__init__(
            f"ConfigMap {name} in namespace {namespace} was not written by a drill, it lacks the labels of one: "
            "nothing was changed; drills need this name, so rename yours, or delete it if nobody needs it"
        )


class DrillOver(Final):
    def __init__(self, workflow: str) -> None:
        super().__init__(
            f"what the drill {workflow} had made is removed already: submit a new one, a drill is not gone on with"
        )


class LeftByDrill(Final):
    def __init__(self, workflow: str, namespace: str, scratch: str, reason: str) -> None:
        super().__init__(
            f"what the drill {workflow} has left in namespace {scratch} can't be removed ({reason}): remove it with "
            f"`kubectl delete secrets,configmaps -n {scratch} -l threescale-backup/drill={namespace}`, then "
            f"`kubectl delete configmap threescale-drill -n {namespace}`"
        )


class ScratchClaimTaken(Final):
    def __init__(self, name: str, namespace: str) -> None:
        super().__init__(
            f"a claim {name!r} exists already in namespace {namespace} and is not of this drill: submit it under "
            "another name"
        )


class DrillDiffers(Final):
    def __init__(self, namespace: str, differing: Sequence[str]) -> None:
        super().__init__(
            f"what was created in scratch namespace {namespace} is not what the backup holds ({_several(differing)}): "
            "something on the cluster changes or removes such objects, a restore would meet it too"
        )


class NotRemoved(TryAgain):
    def __init__(self, namespace: str, left: Sequence[str]) -> None:
        super().__init__(
            f"scratch namespace {namespace} still holds {_several(left)}, which this drill has made and deleted; "
            "looking again"
        )


# --- what must be true before a restore ---


class InstallationLeft(Final):
    def __init__(self, namespace: str, what: Sequence[str]) -> None:
        super().__init__(
            f"namespace {namespace} still holds parts of a 3scale installation ({_several(what)}): "
            "delete it, or restore into another namespace"
        )


class InstallationGoing(TryAgain):
    def __init__(self, namespace: str, what: Sequence[str]) -> None:
        super().__init__(f"namespace {namespace} still holds {_several(what)}, perhaps on the way out; looking again")


class ApiManagerPresent(Final):
    def __init__(self, name: str, namespace: str) -> None:
        super().__init__(
            f"APIManager {name!r} exists in namespace {namespace} and was not made by a restore of this backup: "
            "nothing is restored over an installation; delete it or restore into another namespace"
        )


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


class ObjectsDiffer(Final):
    def __init__(self, namespace: str, differing: Sequence[str]) -> None:
        super().__init__(
            f"namespace {namespace} holds other values than the backup ({_several(differing)}): "
            "delete these objects if the backup's shall count, or say -p on-conflict=keep or on-conflict=replace"
        )


class TypesRefused(Final):
    def __init__(self, namespace: str, secrets: Sequence[str]) -> None:
        super().__init__(
            f"the backup holds Secrets that would let somebody sign in to the cluster of namespace {namespace}: "
            f"{_several(secrets)}; a restore creates none of these types, create them yourself if they are needed"
        )


class NotReplaceable(Final):
    def __init__(self, namespace: str, objects: Sequence[str]) -> None:
        super().__init__(
            f"Kubernetes changes no such object in place ({_several(objects)}, in namespace {namespace}): save and "
            "delete it yourself, or say -p on-conflict=keep"
        )


class ChangedSincePlan(Final):
    def __init__(self, namespace: str, changes: Sequence[str]) -> None:
        super().__init__(
            f"namespace {namespace} has changed since the plan ({_several(changes)}): nothing more is created or "
            "replaced; plan again"
        )


class PlanDiffers(Final):
    def __init__(self, asked: str, now: str) -> None:
        super().__init__(
            f"the plan is another one than {asked}: it is {now} now, its lines are in the log of this phase; nothing "
            "was changed; submit again with this digest if it is what you want"
        )


class TooLittleTime(Final):
    def __init__(self, phase: str, needed_s: int, left_s: int) -> None:
        super().__init__(
            f"{phase} needs {needed_s} s at the least and has {left_s} s left until the deadline: not begun; "
            "submit again, what this workflow made is kept"
        )


class ObjectsGoing(TryAgain):
    def __init__(self, namespace: str, names: Sequence[str]) -> None:
        super().__init__(f"in namespace {namespace} {_several(names)}: about to be deleted; looking again")


class ObjectsGoingStill(Final):
    def __init__(self, namespace: str, names: Sequence[str]) -> None:
        super().__init__(
            f"in namespace {namespace} {_several(names)}: the garbage collector is about to take it; "
            "wait until it is gone, or remove the owner reference"
        )


class TargetNotEmpty(Final):
    def __init__(self, claim: str, entries: Sequence[str]) -> None:
        super().__init__(
            f"claim {claim!r} already holds files ({_several(entries)}): nothing is restored over them; "
            "empty the claim, or say -p file-storage-conflict=replace"
        )


class TargetHoldsSnapshots(TargetNotEmpty):
    """The advice of the other one would not work: what may be a snapshot is neither saved nor removed."""

    def __init__(self, claim: str, entries: Sequence[str]) -> None:
        Final.__init__(
            self,
            f"claim {claim!r} already holds files ({_several(entries)}) in a folder with the name of a storage's "
            "snapshots, but files can be made in it: it is neither saved nor removed; move it elsewhere yourself, "
            "then submit the restore again",
        )


class TargetInUse(Final):
    def __init__(self, claim: str, pods: Sequence[str]) -> None:
        super().__init__(
            f"claim {claim!r} is in use by pod {_several(pods)}: its files are replaced only while nobody else has "
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
            f"{_several(findings, '; ')}; nothing is removed, submit the restore again"
        )


class ReplacedClaimTaken(Final):
    def __init__(self, name: str, namespace: str) -> None:
        super().__init__(
            f"a claim {name!r} exists already in namespace {namespace} and is not of this workflow: what is replaced "
            "is saved to a claim of its own; submit the restore under another name"
        )


class TargetDiffers(Final):
    def __init__(self, claim: str, findings: Sequence[str] | Few) -> None:
        super().__init__(f"the restored tree on claim {claim!r} is not the backup's: {_several(findings)}")


# --- waiting for 3scale ---


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


class ResyncUnknown(TryAgain):
    def __init__(self, pod: str, reason: str, server: str = "") -> None:
        super().__init__(f"no word of how zync:resync:domains ended in pod {pod} ({reason}{_server(server)})")
