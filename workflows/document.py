"""YAML as people and programs write and read it, by libyaml where PyYAML was built with it: ten times as fast."""

from collections.abc import Iterator
from typing import Any

import yaml

Error = yaml.YAMLError

_Loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_Dumper = getattr(yaml, "CSafeDumper", yaml.SafeDumper)


def read_all(text: str) -> Iterator[Any]:
    """Read the documents of a text, one after the other.

    Raises:
        Error: at the first that is none.

    """
    return yaml.load_all(text, Loader=_Loader)


def write(content: object, width: int = 80) -> str:
    """Write one document, its keys in the order that they have."""
    return str(yaml.dump(content, Dumper=_Dumper, sort_keys=False, width=width))
