"""Runs the rendered workflows on this machine, so a rehearsal runs exactly the rendered manifests.

The engine takes the manifests that `kubectl apply` would send. It plays the part of Argo 4.1 that they use, and runs
each container as a process. It is strict: an unknown field, tag or path is an error. A rehearsal that ignored one would
promise more than the cluster keeps.
"""

import random
import string
import time
import uuid
from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

from workflows.rehearsal import errors
from workflows.rehearsal.argo import fields, nodes, tags
from workflows.rehearsal.argo.nodes import Node, Phase, Workflow
from workflows.rehearsal.argo.run import Run
from workflows.rehearsal.argo.scope import Subject
from workflows.rehearsal.kubelet.pod import Kubelet, Pods
from workflows.rehearsal.kubernetes.port import ClusterPort, Manifest
from workflows.rehearsal.kubernetes.store import copied

__all__ = ["Engine", "Node", "Workflow"]

_SUFFIX: Final = string.ascii_lowercase + string.digits


def silent(node: Node) -> None:
    """Report nothing."""


def nobody(_node: Node) -> bool:
    """Resume no gate, so that it waits for its deadline."""
    return False


class Engine:
    """Keeps templates and runs workflows in one namespace of a cluster."""

    def __init__(  # noqa: PLR0913  # what differs between a demonstration and a test, all but two with defaults
        self,
        cluster: ClusterPort,
        folder: Path,
        *,
        namespace: str,
        say: Callable[[Node], None] = silent,
        time_scale: float = 1.0,
        user: int | None = None,
        pending_s: float = 2.0,
        pods: Pods | None = None,
        resume: Callable[[Node], bool] = nobody,
    ) -> None:
        """Take a cluster and the folder of the volumes.

        `time_scale` multiplies back-offs, timeouts and deadlines. `user`: run each process under that UID, with group
        0. `pending_s`: seconds that a pod waits for a missing claim, before the clock is put forward. `pods`: run the
        pods elsewhere than on this machine. `resume`: asked at each gate whether a person resumes the workflow.
        """
        self._cluster = cluster
        self._namespace = namespace
        self._say = say
        self.resume = resume
        self._time_scale = time_scale
        self._kubelet = Kubelet(cluster, folder, namespace, user=user, time_scale=time_scale, pending_s=pending_s)
        self._pods = pods or self._kubelet
        self._templates: dict[str, Manifest] = {}

    def volume(self, claim_name: str) -> Path:
        """Return the folder that stands for a claim."""
        return self._kubelet.volume(claim_name)

    def apply(self, manifest: Manifest) -> None:
        """Check and keep a WorkflowTemplate. Apply all other kinds to the cluster.

        A CronWorkflow is checked, too.
        """
        if manifest["kind"] == "WorkflowTemplate":
            fields.check_template(manifest)
            self._templates[manifest["metadata"]["name"]] = copied(manifest)
        elif manifest["kind"] == "CronWorkflow":
            fields.check_cron(manifest)
            self._cluster.apply(manifest)
        else:
            self._cluster.apply(manifest)

    def submit(self, template: str, parameters: Mapping[str, str] = {}) -> Workflow:
        """Run a workflow from a template to its end, like `argo submit --from workflowtemplate/NAME -p KEY=VALUE`."""
        return self._submit(template, parameters, generated(template))

    # --- one workflow ---

    def _submit(
        self,
        template: str,
        parameters: Mapping[str, str],
        name: str,
        *,
        entrypoint: str | None = None,
        labels: Mapping[str, str] = {},
    ) -> Workflow:
        if template not in self._templates:
            raise errors.UnknownName("WorkflowTemplate", template, f"namespace {self._namespace}")
        spec = copied(self._templates[template]["spec"])
        spec["entrypoint"] = entrypoint or spec["entrypoint"]
        declared = spec.get("arguments", {}).get("parameters", [])
        values = {item["name"]: tags.as_text(item["value"]) for item in declared if item.get("value") is not None}
        arguments = values | {key: tags.as_text(value) for key, value in parameters.items()}
        metadata = {
            "name": name,
            "namespace": self._namespace,
            "labels": {
                f"{nodes.LABEL}/workflow-template": template,
                **labels,
                **spec.get("workflowMetadata", {}).get("labels", {}),
            },
        }
        new = Workflow(name, "", "Pending", template, arguments=arguments, spec=spec, metadata=metadata)
        new = self._show(new)
        if refusal := _refusal(declared, arguments):
            return self._show(replace(new, phase="Failed", message=f"invalid spec: {refusal}"))
        return self._run(new)

    def _run(self, workflow: Workflow) -> Workflow:
        created = datetime.fromisoformat(workflow.metadata["creationTimestamp"])
        subject = Subject(
            workflow.name,
            workflow.uid,
            self._namespace,
            created,
            workflow.spec,
            workflow.arguments,
            workflow.metadata["labels"],
        )
        run = self._new_run(subject)
        run.check_spec()
        return self._to_the_end(workflow, run)

    def _new_run(self, subject: Subject) -> Run:
        return Run(subject, self._pods, self._say, self._time_scale, self.resume)

    def _to_the_end(self, workflow: Workflow, run: Run) -> Workflow:
        started = datetime.now(UTC)
        self._show(replace(workflow, phase="Running", message=""))
        root = run.entrypoint(str(workflow.spec["entrypoint"]))
        phase: Phase = "Succeeded" if root.phase in ("Skipped", "Omitted") else root.phase
        message = root.message
        failed = nodes.failures(workflow.name, started, tuple(run.nodes.values()))
        if handler := workflow.spec.get("onExit"):
            last = run.exit_handler(handler, phase, nodes.quoted_failures(failed))
            if phase == "Succeeded" and last.phase in nodes.BROKEN:
                phase, message = last.phase, last.message
        everything = tuple(run.nodes.values())
        self._collect_pods(workflow, everything)
        return self._show(
            replace(
                workflow,
                phase=phase,
                message=message,
                nodes=everything,
                outputs=dict(run.outputs),
                failures=nodes.failures(workflow.name, started, everything),
            )
        )

    def _collect_pods(self, workflow: Workflow, ended: tuple[Node, ...]) -> None:
        """Delete the pods at once, as if the delay of `podGC` were over."""
        strategy = (workflow.spec.get("podGC") or {}).get("strategy")
        if strategy is None:
            return
        if strategy != "OnPodCompletion":
            raise errors.UnknownName("podGC.strategy that is played", strategy, f"workflow {workflow.name}")
        for pod in (attempt.pod for node in ended for attempt in node.attempts):
            if self._cluster.get("pods", self._namespace, pod) is not None:
                self._cluster.delete("pods", self._namespace, pod)

    def _show(self, workflow: Workflow) -> Workflow:
        """Write the Workflow to the cluster, and take over the uid and the time that the cluster gives."""
        stored = self._cluster.apply(nodes.as_object(workflow))
        given = stored.get("metadata", {}) if stored else {}
        metadata = {
            **workflow.metadata,
            "uid": given.get("uid") or workflow.uid or str(uuid.uuid4()),
            "creationTimestamp": given.get("creationTimestamp")
            or workflow.metadata.get("creationTimestamp")
            or nodes.stamp(time.time()),
        }
        return replace(workflow, uid=metadata["uid"], metadata=metadata)


def generated(name: str) -> str:
    """Return a unique name for a workflow, as `generateName` gives it."""
    return f"{name}-{''.join(random.choices(_SUFFIX, k=5))}"  # noqa: S311  # a name, as Kubernetes generates it


def _refusal(declared: list[dict[str, Any]], arguments: Mapping[str, str]) -> str:
    """Return Argo's message about the first missing argument, or an empty text.

    Argo does not compare the arguments of a workflow with the `enum` of its WorkflowTemplate (seen with Argo 4.1.2).
    """
    for parameter in declared:
        field = f"spec.arguments.{parameter['name']}"
        if parameter["name"] not in arguments:
            return f"{field}.value or {field}.valueFrom is required"
    return ""
