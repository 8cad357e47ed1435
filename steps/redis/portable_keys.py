"""The portable form of keys: one JSON line for each key, or for each page of a large one.

Payloads of DUMP are not used. A server refuses those of a newer version, and those of another engine.
Bytes that are not UTF-8 are in base64. An expiry is a moment, in milliseconds since 1970, and not a time that is left.
"""

import base64
import binascii
import json
import math
from typing import Any, NamedTuple

STRING, LIST, SET, SORTED_SET, HASH = "string", "list", "set", "zset", "hash"  # as TYPE calls them
GONE = "none"  # as TYPE calls a key that is not there
TYPES = (STRING, LIST, SET, SORTED_SET, HASH)

KeyValue = Any  # bytes; list[bytes]; list[tuple[bytes, float]] of a sorted set; list[tuple[bytes, bytes]] of a hash


class KeyRecord(NamedTuple):
    """A key, or a page of one. Page 0 begins the key anew. Type `none` deletes what earlier pages have said."""

    key: bytes
    type: str
    value: KeyValue = b""
    expires_ms: int | None = None
    page: int = 0
    more: bool = False  # whether another page follows


def text(record: KeyRecord) -> bytes:
    """Return the line of a record."""
    told: dict[str, Any] = {"key": _told(record.key), "type": record.type}
    if record.expires_ms is not None:
        told["expires_ms"] = record.expires_ms
    if record.page or record.more:
        told |= {"page": record.page, "more": record.more}
    if record.type != GONE:
        told["value"] = _value_told(record)
    return json.dumps(told, ensure_ascii=False, separators=(",", ":")).encode() + b"\n"


def parse(line: bytes) -> KeyRecord:
    """Read the line of a record.

    Raises:
        ValueError: the line is not one. The message names the field, and holds no value.

    """
    try:
        told = json.loads(line)
    except (ValueError, RecursionError) as error:
        raise ValueError("it is not JSON") from error
    if not isinstance(told, dict) or (unknown := told.keys() - {"key", "type", "value", "expires_ms", "page", "more"}):
        raise ValueError("it has unknown fields" if isinstance(told, dict) and unknown else "it is not an object")
    of_type, expires, page, more = (
        told.get("type"),
        told.get("expires_ms"),
        told.get("page", 0),
        told.get("more", False),
    )
    if not isinstance(of_type, str) or of_type not in {*TYPES, GONE}:
        raise ValueError("its type is unknown")
    if (expires is not None and type(expires) is not int) or type(page) is not int or page < 0:
        raise ValueError("its expiry or page is not a whole number")
    if type(more) is not bool or (of_type != GONE and "value" not in told):
        raise ValueError("it is not complete")
    value = b"" if of_type == GONE else _value_of(of_type, told["value"])
    return KeyRecord(_bytes(told.get("key")), of_type, value, expires, page, more)


def _told(data: bytes) -> str | dict[str, str]:
    try:
        return data.decode()
    except UnicodeDecodeError:
        return {"base64": base64.b64encode(data).decode()}


def _bytes(told: Any) -> bytes:
    if isinstance(told, str):
        try:
            return told.encode()
        except UnicodeEncodeError as error:
            raise ValueError("its text is not valid") from error
    if isinstance(told, dict) and told.keys() == {"base64"}:
        try:
            return base64.b64decode(told["base64"], validate=True)
        except (ValueError, TypeError, binascii.Error) as error:
            raise ValueError("it has invalid base64") from error
    raise ValueError("its key or value is neither text nor base64")


def _value_told(record: KeyRecord) -> Any:
    if record.type == STRING:
        return _told(record.value)
    if record.type == SORTED_SET:
        return [[_told(member), _score_told(score)] for member, score in record.value]
    if record.type == HASH:
        return [[_told(name), _told(value)] for name, value in record.value]
    return [_told(each) for each in record.value]


def _value_of(of_type: str, told: Any) -> KeyValue:
    if of_type == STRING:
        return _bytes(told)
    if not isinstance(told, list):
        raise ValueError("its value is not a list")  # noqa: TRY004  one kind of error for a line
    if of_type in {LIST, SET}:
        return [_bytes(each) for each in told]
    if not all(isinstance(each, list) and len(each) == 2 for each in told):
        raise ValueError("its value is not a list of pairs")
    if of_type == HASH:
        return [(_bytes(name), _bytes(value)) for name, value in told]
    return [(_bytes(member), _score(score)) for member, score in told]


def _score_told(score: float) -> float | str:
    """Return a score for JSON, which knows no infinity."""
    return score if math.isfinite(score) else ("inf" if score > 0 else "-inf")


def _score(told: Any) -> float:
    if told in ("inf", "-inf"):
        return float(told)
    try:
        score = math.nan if isinstance(told, bool | str) else float(told)
    except (TypeError, OverflowError):
        score = math.nan
    if not math.isfinite(score):
        raise ValueError("a score is not a number")
    return score
