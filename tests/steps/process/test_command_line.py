import click
import pytest

from steps.contract import values
from steps.process.command_line import NamedPath, Value, all_of, one_of, or_nothing


@click.command()
@all_of(
    click.option("--count", type=Value(values.COUNT), default=3),
    or_nothing("--size", values.SIZE, "Its size."),
    one_of("--approve", ["no", "yes"], "Whether a person approves."),
)
@click.option("--folder", type=NamedPath())
def command(**told):
    return told


def told(*words):
    return command.main(words, standalone_mode=False)


def test_options_stand_in_their_order():
    assert [option.name for option in command.params] == ["count", "size", "approve", "folder"]


def test_what_is_not_told_is_the_default_nothing_or_the_first_word():
    assert told() == {"count": 3, "size": "", "approve": "no", "folder": None}


def test_what_is_told_is_read_by_its_kind():
    words = ("--count", "007", "--size", "1Gi", "--approve", "yes", "--folder", "a")

    assert told(*words) == {"count": 7, "size": "1Gi", "approve": "yes", "folder": "a"}


def test_only_what_may_be_nothing_is_told_as_an_empty_text():
    assert told("--size", "")["size"] == ""
    with pytest.raises(click.BadParameter, match="'' is no whole number from 0 to 1000000"):
        told("--count", "")


@pytest.mark.parametrize(
    ("option", "text", "sentence"),
    [
        ("--count", "many", "'many' is no whole number from 0 to 1000000"),
        ("--size", "0", "'0' is no size: write a Kubernetes quantity"),
        ("--approve", "YES", "'YES' is not one of 'no', 'yes'"),
        ("--folder", "", "an empty path names nothing"),
    ],
)
def test_what_is_wrong_is_refused_with_the_sentence_of_its_kind(option, text, sentence):
    with pytest.raises(click.BadParameter, match=sentence):
        told(option, text)


@pytest.mark.parametrize(
    "arguments",
    [
        ["backup", "seal", "--backup", ""],
        ["backup", "file-storage", "--backup", "b", "--file-storage="],
        ["notify", "--secret", ""],
    ],
    ids=str,
)
def test_an_empty_path_is_no_folder(run, capsys, arguments):
    assert run(*arguments) == 1
    assert "an empty path names nothing" in capsys.readouterr().err
