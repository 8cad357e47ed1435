import re
import string

import pytest
import yaml
from hypothesis import example, given
from hypothesis import strategies as st

from workflows.rendering import document


def test_yaml_is_written_and_read_by_libyaml_where_it_is_there() -> None:
    assert yaml.__with_libyaml__
    assert document._Loader is yaml.CSafeLoader
    assert issubclass(document._Dumper, yaml.CSafeDumper)


def test_what_is_written_is_read_back_in_its_order() -> None:
    content = {"z": ["größe", "a: b", "1"], "a": {"n": 1, "text": "two\nlines"}}

    assert list(document.read_all(document.write(content) + "---\n" + document.write([1]))) == [content, [1]]
    assert document.write(content).startswith('z:\n- "gr\\xF6\\xDFe"\n')


# What YAML 1.1 (yaml.org/type) and go-yaml's resolve.go take for something else than a text.
MISREAD = re.compile(
    r"(y|n|yes|no|on|off|true|false|null|~|)|[-+]?[0-9][0-9_]*|[-+]?0o?[0-7_]+|[-+]?0x[0-9a-f_]+|[-+]?0b[01_]+"
    r"|[-+]?(\.[0-9_]+|[0-9][0-9_]*(\.[0-9_]*)?)(e[-+]?[0-9]+)?|[-+]?[0-9][0-9_]*(:[0-5]?[0-9])+(\.[0-9_]*)?"
    r"|[-+]?\.inf|\.nan|\d{4}-\d\d?-\d\d?([t \t].*)?|=|<<",
    re.IGNORECASE,
)
LIKE_NUMBERS = st.text("0123456789_.:+-eExXoObBTt ynYNinfa~", max_size=8)


@given(st.one_of(st.text(string.printable, max_size=12), LIKE_NUMBERS))
@example("1e3")
@example("0o7")
@example("y")
@example("2026-01-01")
@example("._")
def test_no_text_is_written_so_that_a_reader_takes_it_for_something_else(text: str) -> None:
    written = document.write({text: [text]})

    assert yaml.safe_load(written) == {text: [text]}
    assert not MISREAD.fullmatch(text) or written[0] in "'\"?"


@pytest.mark.parametrize(
    "text",
    ["on", "1e3", "0o7", "012", "1_000", "2026-01-01", "12:30:45", "y", "null", "~", "1E400", "0x1f", ".Inf", "="],
)
def test_a_text_that_looks_like_something_else_is_quoted(text: str) -> None:
    assert document.write({"name": text}) == f"name: '{text}'\n"


@pytest.mark.parametrize("text", ["10Gi", "3d", "15m", "no-node", "threescale", "1.2.3-a"])
def test_what_nobody_misreads_stays_as_it_is(text: str) -> None:
    assert document.write({"name": text}) == f"name: {text}\n"
