"""Settings and a Secret by which a workflow notifies."""

import base64
from typing import Any

from workflows.rehearsal.rehearse import SETTINGS

SECRET = "mine"  # noqa: S105  the name of a Secret, not its value
TOLD = SETTINGS.model_copy(update={"notify_secret": SECRET})


def give_url(stage: Any, url: str) -> None:
    metadata = {"name": SECRET, "namespace": stage.namespace}
    data = {"url": base64.b64encode(url.encode()).decode()}
    stage.kubernetes.apply({"apiVersion": "v1", "kind": "Secret", "metadata": metadata, "data": data})
