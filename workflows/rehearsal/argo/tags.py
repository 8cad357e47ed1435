"""Replaces the `{{tags}}` of a manifest by values.

Argo writes a template as JSON, replaces the tags in that text by escaped values, and reads the JSON again. So a tag
works in every string, also in keys, and a value can't break out of its string. A tag of a skipped or omitted node has
no value, which is not the same as an empty value. Argo leaves an unknown tag in the text, because it may become known
later. Here it is an error.
"""

import json
import re
from collections.abc import Mapping
from typing import Any, Final

from workflows.rehearsal import errors
from workflows.rehearsal.argo import expressions

Values = Mapping[str, str | None]  # None: the output of a task that was skipped or omitted and names no default

_TAG: Final = re.compile(r"\{\{(.*?)\}\}")


class Absent(Exception):
    """An argument needs the output of a task that never ran."""

    def __init__(self, tag: str) -> None:
        self.tag = tag
        super().__init__(
            f"unable to substitute {{{{{tag}}}}}: output is an absent optional (skipped/omitted node with no default)"
        )


def substitute(document: Any, values: Values, where: str, *, later: tuple[str, ...] = ()) -> Any:
    """Return the document with each tag replaced. Tags that begin with one of `later` stay for a later call."""

    def replaced(match: re.Match[str]) -> str:
        tag = match[1].strip()
        if later and tag.lstrip("= ").startswith(later):
            return match[0]
        value = _calculated(tag[1:], values, where) if tag.startswith("=") else _value(tag, values, where)
        return json.dumps(value, ensure_ascii=False)[1:-1]

    return json.loads(_TAG.sub(replaced, json.dumps(document, ensure_ascii=False)))


def only_tag(text: str) -> str | None:
    """Return the tag if the whole text is one tag."""
    match = _TAG.fullmatch(text.strip())
    return match[1].strip() if match else None


def as_text(value: Any) -> str:
    """Write the value of a parameter as Argo keeps it: strings unchanged, all else as JSON."""
    return value if isinstance(value, str) else json.dumps(value)


def _value(tag: str, values: Values, where: str) -> str:
    if tag not in values:
        raise errors.UnknownTag(tag, where)
    value = values[tag]
    if value is None:
        raise Absent(tag)
    return value


def _named(name: str, values: Values, where: str) -> str | None:
    """Return the value of a name in an expression. A name after `?.` may be missing."""
    return values.get(name.replace("?", "")) if "?" in name else _value(name, values, where)


def _calculated(escaped: str, values: Values, where: str) -> str:
    expression = json.loads(f'"{escaped}"')
    try:
        result = expressions.evaluate(expression, lambda name: _named(name, values, where))
    except expressions.Unreadable as error:
        raise errors.UnknownExpression(expression, where, str(error)) from error
    return as_text(result)
