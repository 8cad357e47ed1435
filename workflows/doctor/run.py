"""The small Workflow of the doctor, from its creation to its removal."""

from contextlib import suppress

from steps import errors
from steps.kubernetes import fields
from steps.kubernetes.cluster import Cluster
from steps.kubernetes.kinds import POD, WORKFLOW, Kind, Object
from steps.kubernetes.workflow import WORKFLOW_LABEL
from steps.process import interruption
from workflows.doctor import unstarted

ENDED = frozenset({"Succeeded", "Failed", "Error"})
_REMOVAL_S = 60.0  # Kubernetes gives a pod 30 s to end
_KEPT_S = 60  # by Argo, if nobody removes it
_OF_SPEC = ("serviceAccountName", "imagePullSecrets", "securityContext", "podSpecPatch")
_OF_TEMPLATE = (
    "automountServiceAccountToken",
    "nodeSelector",
    "tolerations",
    "priorityClassName",
    "metadata",
    "podSpecPatch",
)
_OF_CONTAINER = ("image", "imagePullPolicy", "command", "resources", "securityContext")


def workflow_of(template: Object, name: str, wait_s: float) -> Object:
    """Return a Workflow whose pod is that of the first phase of a WorkflowTemplate, and only prints a help."""
    spec = template["spec"]
    phase = next(each for each in spec["templates"] if "container" in each)
    container = {**_part(phase["container"], _OF_CONTAINER), "args": ["--help"]}
    return {
        "apiVersion": WORKFLOW.api_version,
        "kind": WORKFLOW.name,
        "metadata": {"name": name, "labels": template["metadata"].get("labels") or {}},
        "spec": {
            **_part(spec, _OF_SPEC),
            "entrypoint": "help",
            "activeDeadlineSeconds": int(wait_s) + _KEPT_S,
            "ttlStrategy": {"secondsAfterCompletion": _KEPT_S},
            "templates": [{**_part(phase, _OF_TEMPLATE), "name": "help", "container": container}],
        },
    }


def _part(obj: Object, keys: tuple[str, ...]) -> Object:
    return {key: obj[key] for key in keys if key in obj}


class Run:
    """One run of the Workflow. `pod` is its pod as it was seen last, because Argo may delete a pod early."""

    def __init__(self, cluster: Cluster, workflow: Object, look_s: float) -> None:
        self.cluster = cluster
        self.pod: Object = {}
        self._workflow, self._look_s = workflow, look_s
        self._name = str(workflow["metadata"]["name"])
        self._may_exist = True

    def create(self) -> None:
        """Create the Workflow. Raises as `Cluster.create`."""
        try:
            self.cluster.create(WORKFLOW, self._workflow)
        except errors.Final:  # any other error leaves open whether it exists
            self._may_exist = False
            raise

    def end(self, wait_s: float) -> Object:
        """Return the Workflow when it has ended, can't get its image, or after `wait_s` seconds.

        Raises as `Cluster.get`.
        """
        seen = self._workflow
        for _ in interruption.looks(wait_s, self._look_s):
            seen = self.cluster.get(WORKFLOW, self._name) or seen
            self.pod = next(iter(self._pods()), self.pod)
            if fields.phase(seen) in ENDED or unstarted.is_hopeless(self.pod):
                break
        return seen

    def removed(self) -> list[str]:
        """Remove the Workflow and its pods, and return those that stay, in the form `workflow/NAME`."""
        if not self._may_exist:
            return []
        left = [f"workflow/{self._name}"]
        with suppress(errors.Final):
            for _ in interruption.looks(_REMOVAL_S, self._look_s):
                with suppress(errors.TryAgain):
                    left = self._remaining()
                if not left:
                    break
        return left

    def _remaining(self) -> list[str]:
        """Delete all that is there, and return it."""
        workflow = self.cluster.get(WORKFLOW, self._name)
        found = [*([(WORKFLOW, workflow)] if workflow else []), *((POD, pod) for pod in self._pods())]
        for kind, obj in found:
            if not fields.is_going(obj):
                self._delete(kind, obj)
        return [f"{kind.name.lower()}/{obj['metadata']['name']}" for kind, obj in found]

    def _delete(self, kind: Kind, obj: Object) -> None:
        """Delete an object. A pod that may not be deleted goes with its Workflow."""
        try:
            self.cluster.delete(kind, obj["metadata"]["name"], obj["metadata"]["uid"])
        except errors.NotAllowed:
            if kind != POD:
                raise

    def _pods(self) -> list[Object]:
        """Return the pods of the Workflow, none if they may not be read."""
        try:
            return self.cluster.list(POD, f"{WORKFLOW_LABEL}={self._name}")
        except errors.NotAllowed:
            return []
