"""Backups that are overdue or other than asked for, drills that can not go on, and time that a phase lacks."""

import json
from collections.abc import Sequence

from steps.errors.base import Final, TryAgain, of_server, several


class NoBackup(Final):
    namespace: str
    why: Sequence[str]

    def compose(self) -> str:
        return "; ".join([f"there is no complete backup in namespace {self.namespace}", *self.why])


class BackupOverdue(Final):
    name: str
    namespace: str
    age: str
    limit: str
    why: Sequence[str]

    def compose(self) -> str:
        newest = f"the newest complete backup in namespace {self.namespace}, {self.name},"
        seen = f"{newest} began {self.age} ago, more than {self.limit}"
        return "; ".join([seen, *self.why])


class NoManifest(Final):
    claim: str
    says = (
        "claim {claim} holds a backup without manifest.json, and does not say that the operator made it; restore "
        "another backup, or say -p made-by=operator if you know that it did"
    )


class NotTheOperators(Final):
    claim: str
    says = (
        "claim {claim} holds a manifest.json, so the operator did not make this backup; submit without made-by=operator"
    )


class OtherManifest(Final):
    asked: str
    found: str

    def compose(self) -> str:
        return (
            f"manifest-sha256 asks for the backup {self.asked}, and this volume holds "
            f"{self.found or 'one without manifest.json'}; nothing was changed; see whether the claim is the right one"
        )


class MarkedDamaged(Final):
    claim: str
    when: str
    damage: str

    def compose(self) -> str:
        return (
            f"claim {self.claim} is marked as damaged since {self.when}: {self.damage or 'nobody wrote down why'}; "
            "if it was mended, have threescale-verify read all of it again, which takes the mark away; else "
            "-p file-storage-damage=skip restores all files that are whole"
        )


class BackupChanged(Final):
    name: str
    planned: str
    found: str
    says = (
        "backup {name} is another one than this restore began with: its digest was {planned} and is {found}; see "
        "who writes to its volume, then submit again, which plans anew"
    )


class MoreDamaged(Final):
    left_out: str
    says = (
        "the plan is another one now, for other files are damaged than it said: {left_out}; no file was restored; "
        "plan again, and submit again if that is what you want"
    )


class TooLittleTime(Final):
    phase: str
    needed_s: int
    left_s: int
    says = (
        "{phase} needs {needed_s} s at the least and has {left_s} s left until the deadline: not begun; submit "
        "again, what this workflow made is kept"
    )


class ScratchIsOwn(Final):
    namespace: str
    says = (
        "scratch-namespace {namespace!r} is the namespace of the backup itself: name one that was made for drills "
        "and holds nothing else"
    )


class ScratchTaken(Final):
    namespace: str
    what: Sequence[str]
    says = (
        "namespace {namespace} is no scratch namespace, it holds {what}, which no drill of this namespace has "
        "made: nothing was changed there; name one that was made for drills"
    )


class ScratchNotCleared(Final):
    scratch: str
    what: Sequence[str]
    namespace: str
    says = (
        "scratch namespace {scratch} still holds {what}, which an earlier drill of namespace {namespace} has made, "
        "and whose ledger is gone: remove it with `kubectl delete secrets,configmaps -n {scratch} -l "
        "threescale-backup/drill={namespace}`"
    )


class NotAllowedInScratch(Final):
    namespace: str
    server: str
    group: str
    resource: str
    verbs: Sequence[str]
    names: Sequence[str]

    def compose(self) -> str:
        rule = {"apiGroups": [self.group], "resources": [self.resource], "verbs": list(self.verbs)}
        whole = json.dumps({**rule, "resourceNames": list(self.names)} if self.names else rule)
        names = f" {several(self.names)}" if self.names else ""
        return (
            f"not allowed to {' and '.join(self.verbs)} {self.resource}{names} "
            f"in scratch namespace {self.namespace} (HTTP 403{of_server(self.server)}): "
            f"add to the Role `threescale-drill-scratch` there {whole}, "
            f"or render it and its RoleBinding by `threescale-backup manifests --drill-namespace {self.namespace}` "
            "(and --from-apimanager FILE, --secret NAME, --configmap NAME)"
        )


class DrillRuns(Final):
    workflow: str
    says = "a drill of this namespace is under way, workflow {workflow}: wait until that has ended"


class LedgerTaken(Final):
    name: str
    namespace: str
    says = (
        "ConfigMap {name} in namespace {namespace} was not written by a drill, it lacks the labels of one: nothing "
        "was changed; drills need this name, so rename yours, or delete it if nobody needs it"
    )


class DrillOver(Final):
    workflow: str
    says = "what the drill {workflow} had made is removed already: submit a new one, a drill is not gone on with"


class LeftByDrill(Final):
    workflow: str
    namespace: str
    scratch: str
    reason: str
    says = (
        "what the drill {workflow} has left in namespace {scratch} can't be removed ({reason}): remove it with "
        "`kubectl delete secrets,configmaps -n {scratch} -l threescale-backup/drill={namespace}`, then `kubectl "
        "delete configmap threescale-drill -n {namespace}`"
    )


class ScratchClaimTaken(Final):
    name: str
    namespace: str
    says = (
        "a claim {name!r} exists already in namespace {namespace} and is not of this drill: submit it under "
        "another name"
    )


class DrillDiffers(Final):
    namespace: str
    differing: Sequence[str]
    says = (
        "what was created in scratch namespace {namespace} is not what the backup holds ({differing}): something "
        "on the cluster changes or removes such objects, a restore would meet it too"
    )


class NotRemoved(TryAgain):
    namespace: str
    left: Sequence[str]
    says = "scratch namespace {namespace} still holds {left}, which this drill has made and deleted; looking again"
