"""The kinds of values of arguments: numbers, shares, durations, sizes and names of Kubernetes objects.

Fields of `steps.contract` are annotated with a kind. The commands use it as the type of an option, and pydantic as a
validator, so both refuse the same values. `nan` and other values that can't be compared are refused.
"""

import re
from collections.abc import Mapping, Sequence
from decimal import Decimal
from fractions import Fraction
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pydantic import GetCoreSchemaHandler, GetJsonSchemaHandler
    from pydantic_core import CoreSchema

_SHOWN = 60  # characters of a refused value in a message
_WHOLE = re.compile(r"[0-9]{1,10}")
_REAL = re.compile(r"([0-9]{1,9}(\.[0-9]{0,20})?|\.[0-9]{1,20})([eE][+-]?[0-9]{1,2})?")
_SHARE = re.compile(r"([0-9]{1,3}(?:\.[0-9]{1,3})?)%")
_DURATION = re.compile("".join(rf"(?:([0-9]{{1,6}}){unit})?" for unit in "ymwdh"))
SUFFIX = r"([KMGTPE]i|[numkMGTPE]|[eE][+-]?[0-9]{1,2})?"
_SIZE = re.compile(rf"\+?([0-9]{{1,20}}(?:\.[0-9]{{0,20}})?|\.[0-9]{{1,20}}){SUFFIX}")
_LABEL = re.compile(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?")
_SUBDOMAIN = re.compile(rf"{_LABEL.pattern}(\.{_LABEL.pattern})*")
NOTHING = "-"  # an output without a value; some versions of Argo take an empty one as no argument
_LARGEST_SIZE = (1 << 63) - 1  # apimachinery caps larger values (resource.Quantity)
_THOUSANDS = {unit: Decimal(1000) ** (power - 3) for power, unit in enumerate(["n", "u", "m", "", *"kMGTPE"])}
_BINARY = {f"{unit}i": Decimal(1024) ** power for power, unit in enumerate("KMGTPE", 1)}


class ValueKind:
    """A kind of value. As the annotation of a field, it also validates texts for pydantic."""

    name = "text"
    words: Sequence[str] = ()  # that Argo's form offers
    pattern = ""  # of the texts, for readers of a JSON Schema; empty if there is none

    def __init__(self, wanted: str = "") -> None:
        self.wanted = wanted  # ends the sentence "'x' is "

    def read(self, text: str) -> Any:
        """Read a value of this kind from a text.

        Raises:
            ValueError: the text is not of this kind. The message says why, for a person.

        """
        if not self.fits(text):
            raise ValueError(self._refusal(text))
        return text

    def fits(self, text: str) -> bool:  # noqa: ARG002  any text fits, unless a kind overrides this
        """Whether the text is of this kind."""
        return True

    def check(self, text: str) -> str:
        """Return the text unchanged if it is of this kind.

        Raises:
            ValueError

        """
        self.read(text)
        return text

    def __get_pydantic_core_schema__(self, source: Any, handler: "GetCoreSchemaHandler") -> "CoreSchema":
        from pydantic_core import core_schema  # only validation needs it

        return core_schema.no_info_wrap_validator_function(
            lambda told, other: self.read(told) if isinstance(told, str) else other(told), handler(source)
        )

    def __get_pydantic_json_schema__(self, source: "CoreSchema", handler: "GetJsonSchemaHandler") -> dict[str, Any]:
        return self.schema()

    def schema(self) -> dict[str, Any]:
        """Return the JSON Schema of a value in a file.

        YAML reads a text such as `10` as a number, and `true` as a boolean. So they are valid if the text is.
        """
        number = "number" if self.fits("1.5") else "integer" if self.fits("1") else ""
        others = [each for each in (number, "boolean" if self.fits("true") else "") if each]
        return {"type": ["string", *others] if others else "string", **_matching(self.pattern)}

    def _refusal(self, text: str) -> str:
        shown = repr(text[:_SHOWN]) + ("..." if len(text) > _SHOWN else "")
        return f"{shown} is {self.wanted}"


class RealNumber(ValueKind):
    """A number from `least` to `most`. With `above`, `least` itself is refused."""

    name = "number"

    def __init__(self, least: int, most: int, *, above: bool = False) -> None:
        super().__init__(f"not a number {f'above {least} and up' if above else f'from {least}'} to {most}")
        self._least, self._most, self._above = least, most, above

    def fits(self, text: str) -> bool:
        if not _REAL.fullmatch(text):
            return False
        number = float(text)
        return self._least <= number <= self._most and not (self._above and number == self._least)

    def schema(self) -> dict[str, Any]:
        least = "exclusiveMinimum" if self._above else "minimum"
        return {"type": ["number", "string"], least: self._least, "maximum": self._most, **_matching(_REAL.pattern)}

    def read(self, text: str) -> float:
        return float(super().read(text))


class WholeNumber(ValueKind):
    """A whole number from `least` to `most`."""

    name = "number"
    pattern = _WHOLE.pattern

    def __init__(self, least: int, most: int) -> None:
        super().__init__(f"not a whole number from {least} to {most}")
        self._least, self._most = least, most

    def fits(self, text: str) -> bool:
        return bool(_WHOLE.fullmatch(text)) and self._least <= int(text) <= self._most

    def schema(self) -> dict[str, Any]:
        found = {"type": ["integer", "string"], "minimum": self._least, "maximum": self._most}
        return {**found, **_matching(_WHOLE.pattern)}

    def read(self, text: str) -> int:
        return int(super().read(text))


class Name(ValueKind):
    """A valid name of a Kubernetes object. With `label`, a dot is refused."""

    name = "name"

    def __init__(self, of: str, *, label: bool = False, most: int = 253) -> None:
        signs = "'-'" if label else "'-' and '.'"
        rule = "label" if label else "subdomain"
        super().__init__(
            f"not a valid name of {of}: write a DNS-1123 {rule} (a-z, 0-9, {signs}, at most {most} characters, a "
            "letter or digit first and last)"
        )
        self._form, self._most = _LABEL if label else _SUBDOMAIN, most
        self.pattern = self._form.pattern

    def fits(self, text: str) -> bool:
        return len(text) <= self._most and bool(self._form.fullmatch(text))

    def schema(self) -> dict[str, Any]:
        return {**super().schema(), "maxLength": self._most}


class ResticDuration(ValueKind):
    """A duration of years, months, weeks, days and hours in restic's notation."""

    name = "duration"
    pattern = f"(?=.){_DURATION.pattern}"

    def __init__(self) -> None:
        super().__init__("not a duration: write years, months, weeks, days and hours such as 1y6m or 30d")

    def fits(self, text: str) -> bool:
        return bool(text) and bool(_DURATION.fullmatch(text))

    def parts(self, text: str) -> list[int]:
        """Return the numbers of years, months, weeks, days and hours. Raises ValueError."""
        found = _DURATION.fullmatch(self.read(text))
        return [int(part or 0) for part in found.groups()] if found else []


class Size(ValueKind):
    """A Kubernetes quantity above zero, small enough that the API server does not cap it."""

    name = "quantity"
    pattern = _SIZE.pattern

    def __init__(self, noun: str = "size", such_as: str = "10Gi") -> None:
        super().__init__(f"not a {noun}: write a Kubernetes quantity above zero such as {such_as}")

    def fits(self, text: str) -> bool:
        found = _SIZE.fullmatch(text)
        return found is not None and 0 < _bytes(*found.groups()) <= _LARGEST_SIZE

    def schema(self) -> dict[str, Any]:
        return {**super().schema(), "exclusiveMinimum": 0}


class Share(ValueKind):
    """A share in per cent, above 0% and up to 100%."""

    name = "share"
    pattern = _SHARE.pattern

    def __init__(self) -> None:
        super().__init__("not a share: write a percentage above 0% and up to 100%, such as 10%")

    def fits(self, text: str) -> bool:
        found = _SHARE.fullmatch(text)
        return found is not None and 0 < Fraction(found[1]) <= 100

    def part(self, text: str) -> Fraction:
        """Return the share as a fraction of 1. Raises ValueError."""
        return Fraction(self.check(text).removesuffix("%")) / 100


class Like(ValueKind):
    """A text that matches a regular expression."""

    def __init__(self, pattern: str, wanted: str) -> None:
        super().__init__(wanted)
        self._form, self.pattern = re.compile(pattern), pattern

    def fits(self, text: str) -> bool:
        return bool(self._form.fullmatch(text))


class OrNothing(ValueKind):
    """A value of a kind, or an empty text, which a workflow passes on for an argument that was not given."""

    def __init__(self, kind: ValueKind) -> None:
        super().__init__(kind.wanted)
        self.name, self._kind = kind.name, kind

    def fits(self, text: str) -> bool:
        return not text or self._kind.fits(text)

    def schema(self) -> dict[str, Any]:
        return {**self._kind.schema(), **_matching(f"({self._kind.pattern})?")}


class NumberOrNothing(ValueKind):
    """A whole number from `least` to `most`. An empty text becomes None: a phase then chooses by what it sees."""

    name = "number"

    def __init__(self, least: int, most: int, words: Sequence[str] = ()) -> None:
        self._count, self.words = WholeNumber(least, most), words
        super().__init__(self._count.wanted)

    def fits(self, text: str) -> bool:
        return not text or self._count.fits(text)

    def read(self, text: str) -> int | None:
        return self._count.read(text) if text else None

    def schema(self) -> dict[str, Any]:
        return {**self._count.schema(), **_matching(f"({_WHOLE.pattern})?")}


class NameList(ValueKind):
    """Names from the output of an earlier phase, separated by commas. None if the phase did not run."""

    name = "names"

    def read(self, text: str) -> tuple[str, ...] | None:
        return tuple(_listed(text)) if text else None


class DatabaseNames(ValueKind):
    """`all`, `none`, or some of the three databases, separated by commas."""

    name = "databases"
    every = ("system-database", "backend-redis", "system-redis")  # in the order in which they are copied
    words = (
        "all",
        "none",
        *every,
        "system-database,backend-redis",
        "system-database,system-redis",
        "backend-redis,system-redis",
    )

    def __init__(self) -> None:
        super().__init__(f"not all, none, or names separated by commas: {', '.join(self.every)}")

    def fits(self, text: str) -> bool:
        return text in ("all", "none") or (bool(text) and set(text.split(",")) <= set(self.every))

    def chosen(self, text: str) -> list[str]:
        """Return the names that a value means, in the order in which they are copied."""
        asked = self.every if text == "all" else text.split(",")
        return [name for name in self.every if name in asked]


class Versions(ValueKind):
    """The resourceVersions of objects by name, from the output of an earlier phase."""

    name = "versions"

    def __init__(self) -> None:
        super().__init__("not in the form NAME=VERSION,...")

    def fits(self, text: str) -> bool:
        return all("=" in pair for pair in _listed(text))

    def read(self, text: str) -> dict[str, str]:
        super().read(text)
        return dict(pair.split("=", 1) for pair in _listed(text))

    def told(self, versions: Mapping[str, str]) -> str:
        """Return the text for `read`."""
        return ",".join(f"{name}={version}" for name, version in versions.items()) or NOTHING


class DigestText(ValueKind):
    """A digest, or an empty text. Spaces around it and capital letters are accepted."""

    name = "digest"

    def read(self, text: str) -> str:
        return text.strip().lower()


def _listed(text: str) -> list[str]:
    return [each for each in text.split(",") if each not in {NOTHING, ""}]


def _matching(pattern: str) -> dict[str, str]:
    """Return the pattern as JSON Schema has it, which would find it anywhere in a text."""
    return {"pattern": f"^(?:{pattern})$"} if pattern else {}


def _bytes(number: str, suffix: str | None) -> Decimal:
    suffix = suffix or ""
    if suffix[:1] in {"e", "E"} and len(suffix) > 1 and suffix not in _BINARY:
        return Decimal(f"{number}{suffix}")
    return Decimal(number) * (_BINARY.get(suffix) or _THOUSANDS[suffix])
