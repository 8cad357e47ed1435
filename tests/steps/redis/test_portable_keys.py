"""The portable form of keys: out and back, and what is not a line of it."""

import json
import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as draw

from steps.redis import portable_keys
from steps.redis.portable_keys import HASH, LIST, SET, SORTED_SET, STRING, KeyRecord

data = draw.binary(max_size=12) | draw.text(max_size=12).map(str.encode)
scores = draw.floats(allow_nan=False)
VALUES = {
    STRING: data,
    LIST: draw.lists(data, max_size=4),
    SET: draw.lists(data, max_size=4),
    SORTED_SET: draw.lists(draw.tuples(data, scores), max_size=4),
    HASH: draw.lists(draw.tuples(data, data), max_size=4),
}
records = draw.sampled_from(sorted(VALUES)).flatmap(
    lambda name: draw.builds(
        KeyRecord,
        data,
        draw.just(name),
        VALUES[name],
        draw.none() | draw.integers(0, 1 << 45),
        draw.integers(0, 5),
        draw.booleans(),
    )
)


@settings(max_examples=200, deadline=None)
@given(records)
def test_any_key_comes_back_from_its_line(record):
    line = portable_keys.text(record)

    assert line.endswith(b"\n")
    assert line.count(b"\n") == 1
    assert portable_keys.parse(line) == record


def test_text_can_be_read_by_a_person():
    line = portable_keys.text(KeyRecord("größe".encode(), STRING, b"7", 1_700_000_000_000))

    assert line.decode() == '{"key":"größe","type":"string","expires_ms":1700000000000,"value":"7"}\n'


def test_bytes_that_are_no_text_are_in_base64():
    assert json.loads(portable_keys.text(KeyRecord(b"\xff", STRING, b"")))["key"] == {"base64": "/w=="}


def test_an_infinite_score_is_a_word():
    line = portable_keys.text(KeyRecord(b"k", SORTED_SET, [(b"a", math.inf), (b"b", -math.inf)]))

    assert json.loads(line)["value"] == [["a", "inf"], ["b", "-inf"]]


LINE = {"key": "k", "type": "string", "value": "v"}


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ({"key": 1}, "its key or value is neither text nor base64"),
        ({"key": "\ud800"}, "its text is not valid"),
        ({"value": {"base64": "*"}}, "it has invalid base64"),
        ({"value": {"base64": 3}}, "it has invalid base64"),
        ({"type": "stream"}, "its type is unknown"),
        ({"type": []}, "its type is unknown"),
        ({"expires_ms": "soon"}, "its expiry or page is not a whole number"),
        ({"page": -1}, "its expiry or page is not a whole number"),
        ({"more": 1}, "it is not complete"),
        ({"other": 1}, "it has unknown fields"),
        ({"type": "list"}, "its value is not a list"),
        ({"type": "hash", "value": [["a"]]}, "its value is not a list of pairs"),
        ({"type": "zset", "value": [["a", "b"]]}, "a score is not a number"),
        ({"type": "zset", "value": [["a", True]]}, "a score is not a number"),
        ({"type": "zset", "value": [["a", 10**400]]}, "a score is not a number"),
        ({"type": "zset", "value": [["a", math.nan]]}, "a score is not a number"),
    ],
)
def test_what_is_no_key_is_refused_with_its_reason(change, why):
    with pytest.raises(ValueError, match="^" + why) as raised:
        portable_keys.parse(json.dumps({**LINE, **change}).encode())

    assert str(raised.value) == why


@pytest.mark.parametrize("line", [b"", b"{", b"[]", b"\xff", b"[" * 100_000, b'{"key":"k","type":"string"}'])
def test_a_line_that_was_cut_is_refused(line):
    with pytest.raises(ValueError, match=r"^it is not"):
        portable_keys.parse(line)
