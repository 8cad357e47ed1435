"""YAML for people and programs. It uses libyaml if PyYAML was built with that, which is ten times as fast."""

import re
from collections.abc import Iterator
from typing import Any

import yaml

from steps.contract.names import PART_OF

Manifest = dict[str, Any]  # an object of Kubernetes, as a document writes it
Error = yaml.YAMLError
_LABELLED = "".join(f"    {name}: {value}\n" for name, value in PART_OF.items())
_DEEPEST = 100  # levels of a file of a person, because objects are read by recursion

_Loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
# Texts that PyYAML writes bare, but some reader takes for a number, a boolean, a date or null: 1e3, 0o7, y, ._
# kubectl reads YAML 1.1 with go-yaml, others 1.2. So a text is quoted if either could misread it.
_MISREAD = re.compile(
    r"(?:[-+.]*[0-9][-+.:0-9_e]*|[-+]?0[box][0-9a-f_]*|[0-9]{4}-[0-9]{1,2}-[0-9]{1,2}[t \t].*|[-+]?\.?(?:inf|nan)"
    r"|[-+]?\._[_0-9]*|y|n|yes|no|on|off|true|false|null|~)\Z",
    re.IGNORECASE,
)


class BadTextError(ValueError):
    """The text of a file is not what it should hold. The message says what is wrong."""


class _Dumper(getattr(yaml, "CSafeDumper", yaml.SafeDumper)):  # type: ignore[misc]  # whichever there is
    """Quotes a text that some reader of YAML would read as another type."""


_Dumper.add_implicit_resolver("tag:yaml.org,2002:float", _MISREAD, None)


def read_all(text: str) -> Iterator[Any]:
    """Yield the documents of a text.

    Raises:
        Error: at the first document that is not valid.
    """
    return yaml.load_all(text, Loader=_Loader)


def read_plain(text: str) -> list[Any]:
    """Read all documents of a text. Aliases and very deep nesting are refused.

    Aliases can make a short text endlessly long, and no tool of Kubernetes writes them.

    Raises:
        Error: the text is not valid YAML, or not so plain.
    """
    depth = 0
    for event in yaml.parse(text, Loader=_Loader):
        depth += isinstance(event, yaml.CollectionStartEvent) - isinstance(event, yaml.CollectionEndEvent)
        if isinstance(event, yaml.AliasEvent):
            mark: Any = event.start_mark  # of libyaml or of PyYAML
            raise yaml.MarkedYAMLError(problem=f"aliases (*{event.anchor}) are not read", problem_mark=mark)
        if depth > _DEEPEST:
            raise Error(f"more than {_DEEPEST} levels are not read")
    try:
        return list(read_all(text))
    except (ValueError, LookupError, AttributeError, TypeError) as error:  # from PyYAML, for 2026-13-45 or !!int x
        raise Error(f"a value does not match its form or tag ({type(error).__name__})") from error


def write(content: object, width: int = 80) -> str:
    """Write one document. The keys keep their order."""
    return str(yaml.dump(content, Dumper=_Dumper, sort_keys=False, width=width))


def to_yaml(manifest: Manifest) -> str:
    """Write one manifest as a YAML document."""
    return write(manifest, width=120)


def file_name(manifest: Manifest) -> str:
    """Return the file name of a manifest. Each resource has a file of its own."""
    return f"{manifest['kind'].lower()}-{manifest['metadata']['name']}.yaml"


def is_file_of_ours(name: str, start: str) -> bool:
    """Whether an earlier rendering wrote a file, by its name and the start of its text."""
    found = [re.search(form, start, re.MULTILINE) for form in (r"^kind: (\S+)$", r"^  name: (\S+)$")]
    kind, own = (each[1] if each else "" for each in found)
    return name == f"{kind.lower()}-{own}.yaml" and _LABELLED in start
