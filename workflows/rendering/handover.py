"""What tasks hand to each other: the names of it, the tag that stands for it, and the declaration of an output."""

from collections.abc import Iterable

from hera.expr import g
from hera.workflows import Parameter, Task, WorkflowTemplate
from hera.workflows.models import ValueFrom

CLAIM = "backupPersistentVolumeClaimName"  # the operator's spelling, in its status
APIMANAGER = "apiManagerSourceName"
CLAIM_NAME = "claim-name"
FILE_STORAGE = "file-storage"
REPLACED_CLAIM = "replaced-claim"
SCRATCH_CLAIM = "scratch-claim"

OUTPUTS_PATH = "/tmp/outputs"  # noqa: S108  an emptyDir, the only place that a phase may write besides its volumes


def value(name: str) -> str:
    """Write the tag of a template's own input parameter."""
    return f"{getattr(g.inputs.parameters, name):$}"


def words(names: Iterable[str]) -> list[str]:
    """Write input parameters as options of the same names."""
    return [word for name in names for word in (f"--{name}", value(name))]


def given_by(giver: Task | WorkflowTemplate, names: Iterable[str]) -> dict[str, Parameter]:
    """What a task has put out, or what a workflow is asked for, by name: arguments for the next task."""
    return {name: giver.get_parameter(name) for name in names}


def output(name: str, *, default: str | None = None, global_name: str | None = None) -> Parameter:
    """Declare a small file under the outputs folder as an output parameter."""
    return Parameter(
        name=name, value_from=ValueFrom(path=f"{OUTPUTS_PATH}/{name}", default=default), global_name=global_name
    )


def never_missing(told: Parameter) -> Parameter:
    """The same, empty where a phase that was refused has left none: for one that is missing Argo takes none at all."""
    has_default = told.value_from is None or told.value_from.default is not None
    return told if has_default else output(str(told.name), default="", global_name=told.global_name)


def for_run(name: str) -> Parameter:
    """An output of the whole workflow, for conditions and metrics; empty where the phase has nothing to say."""
    return output(name, default="", global_name=name)


def count(name: str) -> Parameter:
    """Declare an output that only tells a number; a phase that fails has none."""
    return output(name, default="")
