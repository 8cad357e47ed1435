"""ConfigMaps of this tool that several writers share: a new one, and a change that is made again after a conflict."""

import time
from collections.abc import Callable, Mapping

from steps import errors
from steps.contract.names import PART_OF
from steps.kubernetes.kinds import CONFIGMAP, Object

_TRIES, _PAUSE_S = 10, 0.05


def new(name: str, data: Mapping[str, str]) -> Object:
    """Return a ConfigMap to create."""
    metadata = {"name": name, "labels": dict(PART_OF)}
    return {"apiVersion": CONFIGMAP.api_version, "kind": CONFIGMAP.name, "metadata": metadata, "data": dict(data)}


def until_no_conflict(change: Callable[[], None]) -> None:
    """Run `change`, and again after each conflict with another writer. It reads the object each time.

    Raises:
        errors.AlreadyExists, errors.Conflict: by the last try. Otherwise what `change` raises.

    """
    for tries in range(1, _TRIES + 1):
        try:
            change()
        except (errors.AlreadyExists, errors.Conflict):
            if tries == _TRIES:
                raise
            time.sleep(_PAUSE_S)
        else:
            return
