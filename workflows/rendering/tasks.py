"""The wiring of a workflow: each input of a phase comes from an earlier phase, or else from a person."""

from collections.abc import Mapping, Sequence
from types import MappingProxyType

from hera.workflows import Parameter, Task, WorkflowTemplate

from steps.contract.declaration import Declared, DeclaredPhase
from workflows.rendering.parameters import declare
from workflows.rendering.phase import USUAL, Pod, phase
from workflows.rendering.settings import Settings


class NotGivenError(ValueError):
    """A phase needs an input that no earlier phase gives and that is no argument of the workflow."""


class Tasks:
    """Makes the tasks of a workflow in their order."""

    def __init__(self, settings: Settings, workflow: WorkflowTemplate, asked: type[Declared]) -> None:
        self._settings = settings
        self._known: Sequence[str] = list(declare(asked))  # the first phase that judges checks them
        self._given = {name: workflow.get_parameter(name) for name in self._known}

    def __call__(
        self,
        declared: type[DeclaredPhase],
        pod: Pod = USUAL,
        *,
        when: str = "",
        given: Mapping[str, str] = MappingProxyType({}),
        fixed: Mapping[str, str] = MappingProxyType({}),
        first: Sequence[str] = (),
    ) -> Task:
        """Make the next task. `given`: values of inputs by name. `fixed`: options of its pod by field.

        `first`: the arguments that come before the others, to keep their order (`About.first`).

        Raises:
            NotGivenError
        """
        judged = self._known if declared.judges else None
        self._known = () if declared.judges else self._known
        template = phase(self._settings, declared, pod, known=judged, fixed=fixed)
        name = declared.command[-1]
        task = Task(
            name=name, template=template, arguments=self._arguments(name, declared, given, first), when=when or None
        )
        self._given |= {each.name: task.get_parameter(each.name) for each in declared.gives}
        return task

    def _arguments(
        self, name: str, declared: type[DeclaredPhase], given: Mapping[str, str], first: Sequence[str]
    ) -> dict[str, Parameter | str]:
        known: dict[str, Parameter | str] = {**self._given, **given}
        needed = dict.fromkeys([*first, *declare(declared)])
        if lacking := [each for each in needed if each not in known]:
            raise NotGivenError(
                f"{name} needs {', '.join(lacking)}: no earlier phase gives this, and it is no argument of the workflow"
            )
        return {each: known[each] for each in needed}
