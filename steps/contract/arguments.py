"""What a person gave a workflow, judged before any phase acts: the names, whether it is a mere plan, who asked.

Argo takes an argument of any name and ignores the unknown ones, so that a default would act in the place of what was
meant. `{{workflow.parameters}}` holds all that were given: a JSON list, for each an object with `name` and `value`
(Argo 4.1.2, `setGlobalParameters` in workflow/controller/operator.go).
"""

import difflib
import json
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field

from steps import errors
from steps.contract.values import NO, YES

PLAN = "plan"
ONLY = "only"
REFUSED = "refused"  # an output of each first phase
FAILURE = "failure"  # an output of every phase: its error for a program, where it has failed
_SYNONYMS = {"prune": YES}  # the word that it had before
_OF_SCHEDULE = "workflows.argoproj.io/cron-workflow"  # a label of what a CronWorkflow started
_SHOWN = 100  # characters of an unknown name: difflib takes long for long ones, and a sentence has little room


@dataclass(frozen=True)
class Given:
    """The arguments of a workflow, and whether a schedule asked for it."""

    values: Mapping[str, str] = field(default_factory=dict)
    by_schedule: bool = False

    @classmethod
    def read(cls, parameters: str, labels: str) -> "Given":
        """Read them as Argo's tags `workflow.parameters` and `workflow.labels.json` give them.

        Raises:
            errors.ArgumentsUnread

        """
        try:
            values = {str(each["name"]): str(each.get("value", "")) for each in json.loads(parameters)}
            labelled = _OF_SCHEDULE in (json.loads(labels) or {})
        except (ValueError, TypeError, AttributeError, KeyError, RecursionError) as error:
            raise errors.ArgumentsUnread from error
        return cls(values, labelled)

    def check(self, known: Collection[str]) -> None:
        """See that each name is one that the workflow knows.

        Raises:
            errors.UnknownArguments

        """
        if strangers := [name[:_SHOWN] for name in self.values if name not in known]:
            raise errors.UnknownArguments(strangers, [_nearest(name, known) for name in strangers], sorted(known))

    def is_plan(self, operation: str) -> bool:
        """Whether it was only asked what would be done."""
        return is_plan(operation, self.values.get(PLAN, NO))


def is_plan(operation: str, word: str) -> bool:
    """Whether this word of the argument `plan` asks only what would be done: the one function that knows it."""
    return word == ONLY or word == _SYNONYMS.get(operation)


def words(operation: str) -> list[str]:
    """What an operation takes for `plan`."""
    return [NO, ONLY, *filter(None, [_SYNONYMS.get(operation)])]


def _nearest(name: str, known: Collection[str]) -> str:
    """The known name that looks most like it, empty where none does."""
    return next(iter(difflib.get_close_matches(name, known, n=1)), "")
