"""Sizes in the canonical form of Kubernetes: a request for `1024Mi` is read as `1Gi`."""

import re
from decimal import Decimal

_BINARY = ("", "Ki", "Mi", "Gi", "Ti", "Pi", "Ei")
_DECIMAL = {-9: "n", -6: "u", -3: "m", 0: "", 3: "k", 6: "M", 9: "G", 12: "T", 15: "P", 18: "E"}
_EXPONENTS = {suffix: exponent for exponent, suffix in _DECIMAL.items()}
_FORM = re.compile(r"(?P<number>[+-]?([0-9]+(\.[0-9]*)?|\.[0-9]+))(?P<suffix>[KMGTPE]i|[numkMGTPE]|[eE][+-]?[0-9]+)?")


def canonical(text: str) -> str:
    """Return a quantity as the API server writes it.

    Raises:
        ValueError: the text is not a quantity.
    """
    found = _FORM.fullmatch(text)
    if not found:
        raise ValueError(text)
    number, suffix = Decimal(found["number"]), found["suffix"] or ""
    if suffix in _BINARY[1:]:
        return _in_binary(number * 1024 ** _BINARY.index(suffix))
    if suffix in _EXPONENTS:
        return _in_decimal(number.scaleb(_EXPONENTS[suffix]), _DECIMAL)
    exponents = {exponent: f"e{exponent}" if exponent else "" for exponent in _DECIMAL}
    return _in_decimal(number.scaleb(int(suffix[1:])), exponents)


def _in_binary(value: Decimal) -> str:
    if abs(value) < 1024:
        return _in_decimal(value, _DECIMAL)
    power = max(power for power in range(len(_BINARY)) if value % 1024**power == 0)
    return f"{int(value / 1024**power)}{_BINARY[power]}"


def _in_decimal(value: Decimal, suffixes: dict[int, str]) -> str:
    if value == 0:
        return "0"
    exponent = max(exponent for exponent in suffixes if value % Decimal(10) ** exponent == 0)
    return f"{int(value / Decimal(10) ** exponent)}{suffixes[exponent]}"
