"""Label and field selectors, read as strictly as Kubernetes reads them (apimachinery, pkg/labels and pkg/fields)."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from workflows.rehearsal.kubernetes import names, refusals
from workflows.rehearsal.kubernetes.kinds import Kind, Object
from workflows.rehearsal.kubernetes.refusals import Refused

Labels = dict[str, str]
Test = Callable[[Labels], bool]

_COMMON_FIELDS = frozenset({"metadata.name", "metadata.namespace"})
_MORE_FIELDS = {
    "events": {
        "involvedObject.apiVersion",
        "involvedObject.fieldPath",
        "involvedObject.kind",
        "involvedObject.name",
        "involvedObject.namespace",
        "involvedObject.resourceVersion",
        "involvedObject.uid",
        "reason",
        "type",
    },
    "namespaces": {"status.phase"},
    "pods": {"spec.nodeName", "spec.restartPolicy", "spec.serviceAccountName", "status.phase"},
    "secrets": {"type"},
}

_TOKEN = re.compile(r"\s*(==|!=|[=!(),<>]|[^\s=!(),<>]+|$)")
_SIGNS = frozenset({"==", "!=", "=", "!", "(", ")", ",", "<", ">", ""})
_END = ""
_UNABLE = "unable to parse requirement: "
_FIELD = re.compile(r"(?P<key>.*?)(?P<how>!=|==|=)(?P<value>.*)")


@dataclass(frozen=True)
class Selection:
    """The choice of a label and a field selector among the objects of a kind."""

    labels: list[Test]
    fields: list[Callable[[Object], bool]]

    @classmethod
    def of(cls, kind: Kind, labels: str, fields: str) -> Selection:
        """Read both selectors, or refuse them."""
        terms = [term for term in fields.split(",") if term]
        return cls(_Parser(labels).tests(), [_field_test(kind, fields, term) for term in terms])

    def holds(self, obj: Object) -> bool:
        """Whether an object satisfies each term."""
        own = obj["metadata"].get("labels") or {}
        return all(test(own) for test in self.labels) and all(test(obj) for test in self.fields)


class _Parser:
    """Reads a label selector from left to right."""

    def __init__(self, selector: str) -> None:
        self._tokens: list[str] = [*_TOKEN.findall(selector.strip()), _END]

    def tests(self) -> list[Test]:
        """Return a test for each of its requirements."""
        if self._next == _END:
            return []
        if self._next in _SIGNS - {"!"}:
            raise self._unexpected(", expected: !, identifier, or 'end of string'")
        found = [self._requirement()]
        while self._next == ",":
            self._take()
            if self._next in _SIGNS - {"!"}:
                raise self._unexpected(", expected: identifier after ','")
            found.append(self._requirement())
        if self._next != _END:
            raise self._unexpected(", expected: ',' or 'end of string'")
        return found

    @property
    def _next(self) -> str:
        return self._tokens[0]

    def _take(self) -> str:
        return self._tokens.pop(0)

    def _unexpected(self, expected: str, prefix: str = "") -> Refused:
        return refusals.bad_request(f"{prefix}found '{self._next}'{expected}")

    def _requirement(self) -> Test:
        absent = self._next == "!"
        if absent:
            self._take()
        key = self._identifier()
        _check("<nil>", key, names.wrong_key(key))
        if absent:
            return lambda labels: key not in labels
        if self._next in {_END, ","}:
            return lambda labels: key in labels
        return self._choice(key)

    def _choice(self, key: str) -> Test:
        if self._next not in {"=", "==", "!=", "in", "notin"}:
            raise self._unexpected(", expected: in, notin, =, ==, !=, gt, lt", _UNABLE)
        how = self._take()
        values = self._values() if how in {"in", "notin"} else {self._value()}
        for value in sorted(values):
            _check(f"values[0][{key}]", value, names.wrong_value(value))
        return lambda labels: (labels.get(key) in values) == (how not in {"!=", "notin"})

    def _identifier(self) -> str:
        if self._next in _SIGNS:
            raise self._unexpected(", expected: identifier", _UNABLE)
        return self._take()

    def _value(self) -> str:
        return "" if self._next in {_END, ","} else self._identifier()

    def _values(self) -> set[str]:
        if self._next != "(":
            raise self._unexpected(" expected: '('", _UNABLE)
        found = set()
        while self._next != ")":
            self._take()
            found.add("" if self._next in {",", ")"} else self._identifier())
            if self._next not in {",", ")"}:
                raise self._unexpected(", expected: ',' or ')'", _UNABLE)
        self._take()
        return found


def _check(place: str, text: str, wrong: str) -> None:
    if wrong:
        raise refusals.bad_request(f'{_UNABLE}{place}: Invalid value: "{text}": {wrong}')


def _field_test(kind: Kind, selector: str, term: str) -> Callable[[Object], bool]:
    found = _FIELD.fullmatch(term)
    if not found:
        raise refusals.bad_request(f"invalid selector: '{selector}'; can't understand '{term}'")
    key, value, equal = found["key"], found["value"], found["how"] != "!="
    if key not in _COMMON_FIELDS | _MORE_FIELDS.get(kind.resource, set()):
        raise refusals.bad_request(f"field label not supported: {key}")
    return lambda obj: (_field(obj, key) == value) == equal


def _field(obj: Object, path: str) -> str:
    value: Any = obj
    for part in path.split("."):
        value = value.get(part, {}) if isinstance(value, dict) else {}
    return str(value or "")


def exact_name(selector: str) -> str:
    """Return the one name that a field selector requires, or an empty text."""
    found = re.search(r"(?:^|,)metadata\.name==?([^,]+)", selector)
    return found[1] if found else ""
