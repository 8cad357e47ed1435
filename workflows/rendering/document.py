"""YAML as people and programs write and read it, by libyaml where PyYAML was built with it: ten times as fast."""

import re
from collections.abc import Iterator
from typing import Any

import yaml

from steps.contract.names import PART_OF

Manifest = dict[str, Any]  # an object of Kubernetes, as a document writes it
Error = yaml.YAMLError
_LABELLED = "".join(f"    {name}: {value}\n" for name, value in PART_OF.items())
_DEEPEST = 100  # levels of a file that a person has; what reads an object walks it by recursion

_Loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
# What some reader of YAML takes for a number, a boolean, a date or nothing, and PyYAML writes bare: 1e3, 0o7, y, ._
# kubectl reads YAML 1.1 by go-yaml, others 1.2, so a text is quoted where either might; too often does no harm.
_MISREAD = re.compile(
    r"(?:[-+.]*[0-9][-+.:0-9_e]*|[-+]?0[box][0-9a-f_]*|[0-9]{4}-[0-9]{1,2}-[0-9]{1,2}[t \t].*|[-+]?\.?(?:inf|nan)"
    r"|[-+]?\._[_0-9]*|y|n|yes|no|on|off|true|false|null|~)\Z",
    re.IGNORECASE,
)


class _Dumper(getattr(yaml, "CSafeDumper", yaml.SafeDumper)):  # type: ignore[misc]  # whichever there is
    """Quotes a text that would be misread: it looks like something of another type, so it can't stand bare."""


_Dumper.add_implicit_resolver("tag:yaml.org,2002:float", _MISREAD, None)


def read_all(text: str) -> Iterator[Any]:
    """Read the documents of a text, one after the other.

    Raises:
        Error: at the first that is none.

    """
    return yaml.load_all(text, Loader=_Loader)


def read_plain(text: str) -> list[Any]:
    """Read all documents of a text without aliases, not nested deeper than any object of Kubernetes is.

    Aliases make a short text long without end, and no tool of Kubernetes writes one.

    Raises:
        Error: it is no YAML, or not so plain.

    """
    depth = 0
    for event in yaml.parse(text, Loader=_Loader):
        depth += isinstance(event, yaml.CollectionStartEvent) - isinstance(event, yaml.CollectionEndEvent)
        if isinstance(event, yaml.AliasEvent):
            raise Error(f"aliases (*{event.anchor}) are not read")
        if depth > _DEEPEST:
            raise Error(f"more than {_DEEPEST} levels are not read")
    try:
        return list(read_all(text))
    except (ValueError, LookupError, AttributeError, TypeError) as error:  # of PyYAML's own, for 2026-13-45 or !!int x
        raise Error(f"a value is not what its form or tag says ({type(error).__name__})") from error


def write(content: object, width: int = 80) -> str:
    """Write one document, its keys in the order that they have."""
    return str(yaml.dump(content, Dumper=_Dumper, sort_keys=False, width=width))


def to_yaml(manifest: Manifest) -> str:
    """Write one manifest as a YAML document."""
    return write(manifest, width=120)


def file_name(manifest: Manifest) -> str:
    """Name the file of a manifest, one resource a file."""
    return f"{manifest['kind'].lower()}-{manifest['metadata']['name']}.yaml"


def is_file_of_ours(name: str, start: str) -> bool:
    """Whether a file is one that an earlier rendering has written, by its name and the start of its text."""
    found = [re.search(form, start, re.MULTILINE) for form in (r"^kind: (\S+)$", r"^  name: (\S+)$")]
    kind, own = (each[1] if each else "" for each in found)
    return name == f"{kind.lower()}-{own}.yaml" and _LABELLED in start
