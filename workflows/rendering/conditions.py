"""Conditions in Argo's language: each compares an output of a phase, or Argo's own status. Both sides are in quotes.

No condition holds an argument of a person: `x' != '' || 'a` would close the quotes and change the condition. The quotes
are needed for an output that was never made. Without quotes Argo can't read it, and the whole workflow ends as Error.
In quotes it is a text that equals nothing (both seen with Argo 4.1.2).
"""

from hera.expr import g

from steps.contract.arguments import REFUSED
from steps.contract.values import YES

SUCCEEDED = "Succeeded"
OUTPUTS = "workflow.outputs.parameters."  # the global outputs of a workflow
BROKEN = f"'{g.workflow.status:$}' != '{SUCCEEDED}'"  # if the exit handler has something to do


def equal(told: object, word: str) -> str:
    """Return the condition that a tag has this value."""
    return f"'{told}' == '{word}'"


def differ(told: object, word: str) -> str:
    """Return the condition that a tag has another value."""
    return f"'{told}' != '{word}'"


def both(*conditions: str) -> str:
    """Join conditions so that all must hold. Empty conditions are left out."""
    return " && ".join(filter(None, conditions))


def of_run(name: str) -> str:
    """Return the tag of a workflow's output. In a quoted condition, the tag of a missing output stays as text."""
    return f"{{{{{OUTPUTS}{name}}}}}"


def or_empty(name: str) -> str:
    """Return the same tag, but empty if the output was never made.

    In a metric or an argument the plain tag would stay: the metric would not be reported, and the argument would be the
    tag.
    """
    return f"{{{{={_or_empty(name)}}}}}"


def status() -> str:
    """Return the tag for how a workflow ended, or that the arguments of a person were refused."""
    return f"{{{{={_or_empty(REFUSED)} == '{YES}' ? '{REFUSED}' : workflow.status}}}}"


def _or_empty(name: str) -> str:
    return f"(workflow?.outputs?.parameters?.{name} ?? '')"
