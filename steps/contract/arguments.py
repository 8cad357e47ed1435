"""The arguments of a workflow, checked before any phase acts: their names, whether it is a plan, and who asked.

Argo accepts an argument of any name and ignores unknown ones, so a mistyped name would leave the default in effect.
`{{workflow.parameters}}` holds all arguments that were given: a JSON list of objects with `name` and `value` (Argo
4.1.2, `setGlobalParameters` in workflow/controller/operator.go).
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
FAILURE = "failure"  # an output of every phase: its error as JSON, if it failed
_SYNONYMS = {"prune": YES}  # the earlier word for `only`
_OF_SCHEDULE = "workflows.argoproj.io/cron-workflow"  # a label of workflows that a CronWorkflow started
_SHOWN = 100  # characters of an unknown name; difflib is slow with long names, and a message has little room


@dataclass(frozen=True)
class Given:
    """The arguments of a workflow, and whether a schedule started it."""

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
        """Check that the workflow knows each name.

        Raises:
            errors.UnknownArguments

        """
        if strangers := [name[:_SHOWN] for name in self.values if name not in known]:
            raise errors.UnknownArguments(strangers, [_nearest(name, known) for name in strangers], sorted(known))

    def is_plan(self, operation: str) -> bool:
        """Whether only a plan was requested."""
        return is_plan(operation, self.values.get(PLAN, NO))


def is_plan(operation: str, word: str) -> bool:
    """Whether this value of the argument `plan` requests only a plan."""
    return word == ONLY or word == _SYNONYMS.get(operation)


def words(operation: str) -> list[str]:
    """Return the values that an operation accepts for `plan`."""
    return [NO, ONLY, *filter(None, [_SYNONYMS.get(operation)])]


def _nearest(name: str, known: Collection[str]) -> str:
    """Return the known name that is most similar, empty if none is similar. Of two, the first by the alphabet."""
    similar = sorted(difflib.get_close_matches(name, known, n=max(1, len(known))))
    return max(similar, key=lambda each: difflib.SequenceMatcher(None, each, name).ratio(), default="")
