"""Backups that are overdue or not the expected one, drills that cannot continue, and phases that lack time."""

import json
from collections.abc import Sequence

from steps.errors.base import Final, TryAgain, as_sentence, of_server, several


class NoBackup(Final):
    namespace: str
    why: Sequence[str]

    def compose(self) -> str:
        missing = f"Namespace {self.namespace} has no complete backup."
        advice = "Check the schedule and the last backup workflow there. Make a backup if none is running."
        return " ".join([missing, *map(as_sentence, self.why), advice])


class BackupOverdue(Final):
    name: str
    namespace: str
    age: str
    limit: str
    why: Sequence[str]

    def compose(self) -> str:
        newest = f"The newest complete backup in namespace {self.namespace} is {self.name}."
        began = f"It began {self.age} ago, more than {self.limit}."
        advice = "Check the schedule and the last backup workflow there. Make a backup if none is running."
        return " ".join([newest, began, *map(as_sentence, self.why), advice])


class NotPushed(Final):
    namespace: str
    newest: str  # empty: no backup has a copy
    age: str
    limit: str

    def compose(self) -> str:
        none = f"No backup in namespace {self.namespace} has a copy in the repositories."
        late = (
            f"The newest backup in namespace {self.namespace} with a copy in the repositories is {self.newest}. "
            f"It began {self.age} ago, more than {self.limit}."
        )
        return f"{late if self.newest else none} Read the last push, then submit `threescale-push`."


class CopiesDamaged(Final):
    snapshots: Sequence[str]
    says = (
        "{snapshots:count} snapshot(s) in the repositories are damaged: {snapshots}. "
        "Repair the repository, then push the backups of these snapshots again."
    )


class NoManifest(Final):
    claim: str
    says = (
        "Claim {claim} holds a backup without manifest.json. The claim does not say that the operator made the backup. "
        "Restore another backup, or use -p made-by=operator if you know that the operator made this one."
    )


class NotTheOperators(Final):
    claim: str
    says = (
        "Claim {claim} holds a manifest.json, so the operator did not make this backup. "
        "Leave out -p made-by=operator and submit again."
    )


class OtherManifest(Final):
    asked: str
    found: str

    def compose(self) -> str:
        return (
            f"The argument manifest-sha256 asks for the backup {self.asked}, but this volume holds "
            f"{self.found or 'a backup without manifest.json'}. Nothing was changed. Check the name of the claim."
        )


class MarkedDamaged(Final):
    claim: str
    when: str
    damage: str

    def compose(self) -> str:
        found = f"The reason is: {self.damage.removesuffix('.')}." if self.damage else "No reason is recorded."
        return (
            f"Claim {self.claim} is marked as damaged since {self.when}. {found} "
            "If the backup was repaired, read all of it again with threescale-verify, which removes the mark. "
            "Otherwise use -p file-storage-damage=skip to restore all files that are whole."
        )


class BackupChanged(Final):
    name: str
    planned: str
    found: str
    says = (
        "Backup {name} is not the one that this restore began with. Its digest was {planned} and is {found} now. "
        "Find out who writes to its volume, then submit again to make a new plan."
    )


class MoreDamaged(Final):
    left_out: str
    says = (
        "Other files are damaged than the plan said: {left_out}. No file was restored. "
        "Plan again, then submit again if you want the new plan."
    )


class TooLittleTime(Final):
    phase: str
    needed_s: int
    left_s: int
    says = (
        "Phase {phase} needs at least {needed_s} s, but only {left_s} s are left until the deadline. "
        "It was not started. Submit again. The results of this workflow so far are kept."
    )


class ScratchIsOwn(Final):
    namespace: str
    says = (
        "The argument scratch-namespace is {namespace!r}, the namespace of the backup itself. "
        "Name a namespace that was made for drills and holds nothing else."
    )


class ScratchTaken(Final):
    namespace: str
    what: Sequence[str]
    says = (
        "Namespace {namespace} is not a scratch namespace. It holds {what}, which no drill of this namespace created. "
        "Nothing was changed there. Name a namespace that was made for drills."
    )


class ScratchNotCleared(Final):
    scratch: str
    what: Sequence[str]
    namespace: str
    says = (
        "Scratch namespace {scratch} still holds {what}. An earlier drill of namespace {namespace} created this, "
        "and the ledger of that drill is gone. Remove the objects with "
        "`kubectl delete secrets,configmaps -n {scratch} -l threescale-backup/drill={namespace}`."
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
        also = " The file names Secrets and ConfigMaps below access." if self.names else ""
        return (
            f"Not allowed to {' and '.join(self.verbs)} {self.resource}{names} "
            f"in scratch namespace {self.namespace} (HTTP 403{of_server(self.server)}). "
            f"Set drill.namespace in threescale-backup.yaml to {self.namespace} and apply the file again."
            f"{also} Or add the rule {whole} to the Role `threescale-drill-scratch` there."
        )


class DrillRuns(Final):
    workflow: str
    says = "Workflow {workflow} runs a drill of this namespace. Wait until that workflow has ended."


class LedgerTaken(Final):
    name: str
    namespace: str
    says = (
        "ConfigMap {name} in namespace {namespace} was not written by a drill: it lacks the labels of a drill. "
        "Nothing was changed. Drills need this name. Rename your ConfigMap, or delete it if nobody needs it."
    )


class DrillOver(Final):
    workflow: str
    says = "The objects of drill {workflow} are removed already, and a drill can't be resumed. Submit a new drill."


class LeftByDrill(Final):
    workflow: str
    namespace: str
    scratch: str
    reason: str
    says = (
        "Drill {workflow} left objects in namespace {scratch} that can't be removed. {reason:sentence} "
        "Remove them with `kubectl delete secrets,configmaps -n {scratch} -l threescale-backup/drill={namespace}`, "
        "then run `kubectl delete configmap threescale-drill -n {namespace}`."
    )


class ScratchClaimTaken(Final):
    name: str
    namespace: str
    says = (
        "Claim {name!r} already exists in namespace {namespace} and does not belong to this drill. "
        "Submit the drill again: its new workflow has another name."
    )


class DrillDiffers(Final):
    namespace: str
    differing: Sequence[str]
    says = (
        "The objects created in scratch namespace {namespace} differ from the backup ({differing}). "
        "Something on the cluster changes or removes such objects, and a restore would meet the same problem. "
        "Find out what does that, then submit a new drill."
    )


class NotRemoved(TryAgain):
    namespace: str
    left: Sequence[str]
    says = (
        "Scratch namespace {namespace} still holds {left}, which this drill created and deleted. "
        "The next try looks again."
    )
