from fractions import Fraction

import pytest

from steps.contract import values
from steps.contract.value_kinds import OrNothing
from steps.files import medium


@pytest.mark.parametrize(
    ("kind", "text", "value"),
    [
        (values.FRACTION, "0", 0),
        (values.FRACTION, "1", 1),
        (values.FRACTION, ".5", 0.5),
        (values.FRACTION, "5e-1", 0.5),
        (values.LIMIT_S, "0.1", 0.1),
        (values.LIMIT_S, "3600", 3600),
        (values.COUNT, "0", 0),
        (values.COUNT, "007", 7),
        (values.COUNT, "1000000", 1_000_000),
        (values.USER, "1", 1),
        (values.GROUP, "0", 0),
        (values.GROUP, "1000660000", 1000660000),  # as OpenShift gives them
        (values.GROUP, "2147483647", 2147483647),
        (values.USER, "2147483647", 2147483647),
    ],
)
def test_a_number_is_read_from_the_least_to_the_most(kind, text, value):
    assert kind.read(text) == value


@pytest.mark.parametrize(
    ("kind", "texts"),
    [
        (values.FRACTION, ["", "1.01", "-0.1", "+1", "nan", "inf", "1e9", "0x1", "1_0", " 1", "1\n", "٣"]),
        (values.LIMIT_S, ["0", "0.0", "3600.1"]),
        (values.COUNT, ["", "1000001", "-1", "+1", "1.0", "1e3", "1\n", "٣", "00000000001"]),
        (values.USER, ["0", "2147483648"]),
        (values.SIZE, ["", "0", "0Gi", "-1Gi", "8Ei", "9223372036854775808", "1K", "1gi", "1 Gi", "1e100", "1Gi\n"]),
        (values.SHARE, ["", "0%", "0.000%", "100.001%", "-1%", "10", "%", "10 %", "1e1%", "10%\n"]),
        (values.DURATION, ["", "1", "d", "-1d", "1.5d", "6m1y", "1d 2h", "1D", "30s", "1234567d", "1d\n"]),
        (values.BACKUP, ["", "a" * 64, "a.b", "-a", "a-", "A", "a_b", "a\n"]),
        (values.CLAIM, ["", "a" * 254, ".a", "a.", "a..b", "a.-b", "A.b"]),
        (values.CRON_WORKFLOW, ["a" * 53]),
        (values.DOMAIN, ["", "*.apps.example.com", "a" * 64, ".".join(["a" * 62] * 4) + ".aa", "a..b", "A.b"]),
        (values.VERSION, ["", "2", "2.", "v2.16", "2.16.", "2.16\n"]),
    ],
)
def test_what_lies_beyond_an_edge_or_has_another_form_is_refused(kind, texts):
    assert [text for text in texts if kind.fits(text)] == []


@pytest.mark.parametrize(
    "text", ["1", "1n", "5m", "1k", "1e3", "1E3", "1E", ".5Ki", "+1.5Gi", "7Ei", "9223372036854775807"]
)
def test_a_size_above_zero_that_the_server_does_not_cap_is_taken(text):
    assert values.SIZE.read(text) == text


@pytest.mark.parametrize(("text", "part"), [("0.001%", Fraction(1, 100_000)), ("12.5%", Fraction(1, 8)), ("100%", 1)])
def test_a_share_is_a_part_of_all(text, part):
    assert values.SHARE.part(text) == part


@pytest.mark.parametrize(
    ("text", "parts"), [("1y2m3w4d5h", [1, 2, 3, 4, 5]), ("30d", [0, 0, 0, 30, 0]), ("0h", [0, 0, 0, 0, 0])]
)
def test_a_duration_has_its_parts(text, parts):
    assert values.DURATION.parts(text) == parts


@pytest.mark.parametrize(
    ("kind", "text"),
    [
        (values.BACKUP, "a" * 63),
        (values.BACKUP, "0-9"),
        (values.CLAIM, "a" * 253),
        (values.CLAIM, "a.b-c.9"),
        (values.CRON_WORKFLOW, "a" * 52),
        (values.DOMAIN, "apps.example.com"),
        (values.DOMAIN, ".".join(["a" * 62] * 4) + ".a"),
        (values.DOMAIN, "a" * 63),
        (values.VERSION, "2.16"),
        (values.VERSION, "2.16.1-mas"),
        (values.FRACTION, "0.50"),
    ],
)
def test_what_is_checked_stays_as_it_was_written(kind, text):
    assert kind.check(text) == text


@pytest.mark.parametrize(
    ("kind", "text", "sentence"),
    [
        (values.COUNT, "many", "'many' is not a whole number from 0 to 1000000"),
        (values.LIMIT_S, "0", "'0' is not a number above 0 and up to 3600"),
        (values.VOLUME, "A", "'A' is not a valid name of a PersistentVolume: write a DNS-1123 subdomain "),
        (values.BACKUP, "A" * 61, f"'{'A' * 60}'... is not a valid name of a backup: write a DNS-1123 label "),
    ],
)
def test_a_refusal_shows_the_start_of_what_was_written_and_says_what_is_wanted(kind, text, sentence):
    with pytest.raises(ValueError, match="is not a ") as error:
        kind.read(text)

    assert str(error.value).startswith(sentence)


def test_nothing_is_let_through_only_where_it_may_be():
    kind = OrNothing(values.SIZE)

    assert (kind.name, kind.read(""), kind.read("1Gi")) == ("quantity", "", "1Gi")
    with pytest.raises(ValueError, match="'0' is not a size"):
        kind.read("0")


def test_no_more_workers_may_be_asked_for_than_a_medium_gets_by_itself():
    assert values.MOST_WORKERS == medium.MOST
