"""A WorkflowTemplate that tells of itself: of its runs to Prometheus, and of its results to a URL of the user's."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from hera.workflows import Parameter, WorkflowTemplate

from workflows.monitoring import metrics, notification
from workflows.rendering.parameters import declare
from workflows.rendering.settings import Settings
from workflows.rendering.template import About, Watched, workflow_template


@contextmanager
def watched(
    settings: Settings,
    about: About,
    at_the_end: Callable[[], Mapping[str, Any]] | None = None,
    arguments: Mapping[str, Parameter] | None = None,
) -> Iterator[WorkflowTemplate]:
    """Open one; `arguments`: with other defaults than what it is asked has."""
    asked = arguments or declare(about.asked)
    told = Watched(metrics.of_runs(about.operation, asked), notification.task)
    with workflow_template(settings, about, asked, told, at_the_end) as built:
        yield built
