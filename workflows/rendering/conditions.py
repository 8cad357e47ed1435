"""Conditions as Argo reads them: each compares what a phase put out, or Argo's own status, in quotes on both sides.

No argument stands in one: `x' != '' || 'a` would close the quotes and decide for itself. Without quotes an output that
was never made is no word to Argo, so that the whole workflow ends as Error; in quotes it is a text that equals nothing
(both seen with Argo 4.1.2).
"""

from hera.expr import g

from steps.contract.arguments import REFUSED
from steps.contract.values import YES

SUCCEEDED = "Succeeded"
OUTPUTS = "workflow.outputs.parameters."  # which a phase makes for the whole workflow
BROKEN = f"'{g.workflow.status:$}' != '{SUCCEEDED}'"  # when something is left to do at the exit


def equal(told: object, word: str) -> str:
    """Whether a tag says this."""
    return f"'{told}' == '{word}'"


def differ(told: object, word: str) -> str:
    """Whether it says anything else."""
    return f"'{told}' != '{word}'"


def both(*conditions: str) -> str:
    """All of those that ask anything."""
    return " && ".join(filter(None, conditions))


def of_run(name: str) -> str:
    """The tag of a workflow's output; one that was never made stays as it is, for a condition in quotes."""
    return f"{{{{{OUTPUTS}{name}}}}}"


def or_empty(name: str) -> str:
    """The same, empty where it was never made: a metric is not told, and an argument is a tag, where a tag stays."""
    return f"{{{{={_or_empty(name)}}}}}"


def status() -> str:
    """How a workflow ended, or that its arguments were refused to a person."""
    return f"{{{{={_or_empty(REFUSED)} == '{YES}' ? '{REFUSED}' : workflow.status}}}}"


def _or_empty(name: str) -> str:
    return f"(workflow?.outputs?.parameters?.{name} ?? '')"
