"""Label and field selectors, as far as `kubectl get -l` and the steps use them."""

from __future__ import annotations

import re
from typing import Any

from workflows.rehearsal import refusals
from workflows.rehearsal.kinds import Object

FIELDS = frozenset(
    {
        "involvedObject.kind",
        "involvedObject.name",
        "involvedObject.namespace",
        "involvedObject.uid",
        "metadata.name",
        "metadata.namespace",
        "reason",
        "status.phase",
        "type",
    }
)

_COMMA = re.compile(r",(?![^(]*\))")  # one that does not stand between parentheses
_SET = re.compile(r"^(?P<key>\S+)\s+(?P<how>in|notin)\s*\((?P<values>[^)]*)\)$")
_EQUALITY = re.compile(r"^(?P<key>[^!=\s]+)\s*(?P<how>!=|==|=)\s*(?P<value>\S*)$")


def labels_match(selector: str, labels: dict[str, str]) -> bool:
    """Say whether labels satisfy each term of a selector."""
    return all(_label_matches(term.strip(), labels) for term in _COMMA.split(selector) if term.strip())


def _label_matches(term: str, labels: dict[str, str]) -> bool:
    if found := _SET.match(term):
        values = {value.strip() for value in found["values"].split(",")}
        return (labels.get(found["key"]) in values) == (found["how"] == "in")
    if found := _EQUALITY.match(term):
        return (labels.get(found["key"]) == found["value"]) == (found["how"] != "!=")
    if term.startswith("!"):
        return term[1:].strip() not in labels
    if " " in term:
        raise refusals.bad_request(f"unable to parse requirement: found '{term}'")
    return term in labels


def fields_match(selector: str, obj: Object) -> bool:
    """Say whether an object satisfies each term of a field selector."""
    return all(_field_matches(term, obj) for term in selector.split(",") if term)


def _field_matches(term: str, obj: Object) -> bool:
    found = _EQUALITY.match(term)
    if not found or found["key"] not in FIELDS:
        raise refusals.bad_request(f"field label not supported: {found['key'] if found else term}")
    value: Any = obj
    for part in found["key"].split("."):
        value = value.get(part, {}) if isinstance(value, dict) else {}
    return ((value or "") == found["value"]) == (found["how"] != "!=")


def exact_name(selector: str) -> str:
    """Return the one name a field selector asks for, empty when it leaves that open."""
    found = re.search(r"(?:^|,)metadata\.name==?([^,]+)", selector)
    return found[1] if found else ""
