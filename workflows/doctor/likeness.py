"""Whether an object in a cluster is as it was rendered.

A server adds defaults, and a controller adds annotations. So a rendered object need only be a part of the real one.
Nobody adds to rules and to Argo's objects. There one more field is what an older rendering asked for.
"""

import operator
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from steps.kubernetes.kinds import CRON_WORKFLOW, WORKFLOW_TEMPLATE
from workflows.rendering.document import Manifest

_KEPT = ("labels", "annotations")  # of the metadata
_EXACT = ("rules", "roleRef")  # of a Role and a RoleBinding
_OF_ARGO = (WORKFLOW_TEMPLATE.name, CRON_WORKFLOW.name)  # their CRDs have no defaults
_OF_A_PERSON = "suspend"  # of a CronWorkflow: `argo cron suspend` sets it


def differences(rendered: Manifest, real: Manifest) -> Iterator[str]:
    """Yield the paths of the parts that differ, two levels deep: `spec.templates[2]`, `metadata.labels`."""
    for name in _KEPT:
        if not is_part(rendered["metadata"].get(name), real["metadata"].get(name)):
            yield f"metadata.{name}"
    for name, wanted in rendered.items():
        if name in {"apiVersion", "kind", "metadata", "status"}:
            continue
        if name in _EXACT:
            yield from _unlike(name, _full(wanted), _full(real.get(name)), operator.eq)
        elif rendered["kind"] in _OF_ARGO:
            ours, theirs = _full(wanted), _full(real.get(name) or {})
            for key in sorted({*ours, *theirs} - {_OF_A_PERSON}):
                yield from _unlike(f"{name}.{key}", ours.get(key), theirs.get(key), operator.eq)
        elif isinstance(wanted, Mapping):
            for key, each in wanted.items():
                yield from _unlike(f"{name}.{key}", each, (real.get(name) or {}).get(key), is_part)
        else:
            yield from _unlike(name, wanted, real.get(name), is_part)


def _unlike(path: str, wanted: Any, found: Any, alike: Callable[[Any, Any], bool]) -> Iterator[str]:
    """Yield the items of a list that are not alike, or the path itself."""
    if isinstance(wanted, list) and isinstance(found, list) and len(wanted) == len(found):
        yield from (f"{path}[{number}]" for number, each in enumerate(wanted) if not alike(each, found[number]))
    elif not alike(wanted, found):
        yield path


def is_part(wanted: Any, found: Any) -> bool:
    """Whether all of a rendered value is in a real one. Lists are compared by position, and empty means absent."""
    if wanted is None:
        return True
    if isinstance(wanted, Mapping):
        real = found if isinstance(found, Mapping) else {}
        return (not wanted or isinstance(found, Mapping)) and all(
            is_part(value, real.get(key)) for key, value in wanted.items()
        )
    if isinstance(wanted, Sequence) and not isinstance(wanted, str):
        real_items = found or []
        return isinstance(real_items, list) and len(wanted) == len(real_items) and all(map(is_part, wanted, real_items))
    return bool(wanted == found) or (_is_empty(wanted) and _is_empty(found))


def _is_empty(value: Any) -> bool:
    return value is None or value in ("", [], {})


def _full(value: Any) -> Any:
    """Return a value without its empty parts, which a server leaves out."""
    if isinstance(value, Mapping):
        parts = {key: _full(each) for key, each in value.items()}
        return {key: each for key, each in parts.items() if not _is_empty(each)}
    return [_full(each) for each in value] if isinstance(value, list) else value
