"""What a phase is told, and can not do."""

import json
from collections.abc import Sequence

from steps.errors.base import Final, TryAgain, of_server, several


class NoBackup(Final):
    def __init__(self, namespace: str, why: Sequence[str]) -> None:
        super().__init__("; ".join([f"there is no complete backup in namespace {namespace}", *why]))


class BackupOverdue(Final):
    def __init__(self, name: str, namespace: str, age: str, limit: str, why: Sequence[str]) -> None:
        seen = f"the newest complete backup in namespace {namespace}, {name}, began {age} ago, more than {limit}"
        super().__init__("; ".join([seen, *why]))


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


class MoreDamaged(Final):
    def __init__(self, left_out: str) -> None:
        super().__init__(
            f"the plan is another one now, for other files are damaged than it said: {left_out}; no file was restored; "
            "plan again, and submit again if that is what you want"
        )


class TooLittleTime(Final):
    def __init__(self, phase: str, needed_s: int, left_s: int) -> None:
        super().__init__(
            f"{phase} needs {needed_s} s at the least and has {left_s} s left until the deadline: not begun; "
            "submit again, what this workflow made is kept"
        )


class ScratchIsOwn(Final):
    def __init__(self, namespace: str) -> None:
        super().__init__(
            f"scratch-namespace {namespace!r} is the namespace of the backup itself: name one that was made for drills "
            "and holds nothing else"
        )


class ScratchTaken(Final):
    def __init__(self, namespace: str, what: Sequence[str]) -> None:
        super().__init__(
            f"namespace {namespace} is no scratch namespace, it holds {several(what)}, which no drill of this "
            "namespace has made: nothing was changed there; name one that was made for drills"
        )


class ScratchNotCleared(Final):
    def __init__(self, scratch: str, what: Sequence[str], namespace: str) -> None:
        super().__init__(
            f"scratch namespace {scratch} still holds {several(what)}, which an earlier drill of namespace "
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
            f"not allowed to {' and '.join(verbs)} {resource} {several(names)}{' ' if names else ''}in scratch "
            f"namespace {namespace} (HTTP 403{of_server(server)}): "
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
            f"what was created in scratch namespace {namespace} is not what the backup holds ({several(differing)}): "
            "something on the cluster changes or removes such objects, a restore would meet it too"
        )


class NotRemoved(TryAgain):
    def __init__(self, namespace: str, left: Sequence[str]) -> None:
        super().__init__(
            f"scratch namespace {namespace} still holds {several(left)}, which this drill has made and deleted; "
            "looking again"
        )
