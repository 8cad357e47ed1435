from pathlib import Path
from typing import Annotated, Literal

import click
import pytest

from steps.contract import values
from steps.contract.declaration import Declared
from steps.contract.mounts import Mount
from steps.contract.value_kinds import OrNothing
from steps.phases.command_line import options_of, read


class Backup(Declared):
    folder: Annotated[Path, Mount.BACKUP]
    """Where it is mounted."""


class Asked(Declared):
    count: Annotated[int, values.COUNT] = 3
    """How many."""
    size: Annotated[str, OrNothing(values.SIZE)] = ""
    """Its size."""


class Both(Backup, Asked):
    approve: Literal["no", "yes"] = "no"
    """Whether a person approves."""


def told_all(**told):
    return read(Both, told).model_dump()


command = click.Command("both", params=options_of(Both), callback=told_all)


def told(*words):
    return command.main(("--folder", "a", *words), standalone_mode=False)


def test_options_stand_in_the_order_of_the_declaration():
    assert [option.name for option in command.params] == ["folder", "count", "size", "approve"]


def test_the_help_of_an_option_is_the_sentence_of_its_field():
    assert [option.help for option in command.params][1:3] == ["How many.", "Its size."]


def test_what_is_not_told_is_the_default():
    assert told() == {"count": 3, "size": "", "approve": "no", "folder": Path("a")}


def test_what_must_be_told_is_missed():
    with pytest.raises(click.MissingParameter) as missing:
        command.main((), standalone_mode=False)

    assert "'--folder'" in missing.value.format_message()


def test_what_is_told_is_read_by_its_kind():
    words = ("--count", "007", "--size", "1Gi", "--approve", "yes")

    assert told(*words) == {"count": 7, "size": "1Gi", "approve": "yes", "folder": Path("a")}


def test_to_people_yes_or_no_is_a_flag():
    options = options_of(Both, without=("folder", "count", "size"), flags=True)
    flagged = click.Command("flagged", params=options, callback=lambda approve: approve)

    assert [flagged.main(words, standalone_mode=False) for words in ([], ["--approve"])] == ["no", "yes"]


def test_only_what_may_be_nothing_is_told_as_an_empty_text():
    assert told("--size", "")["size"] == ""
    with pytest.raises(click.BadParameter, match="'' is not a whole number from 0 to 1000000"):
        told("--count", "")


@pytest.mark.parametrize(
    ("option", "text", "sentence"),
    [
        ("--count", "many", "'many' is not a whole number from 0 to 1000000"),
        ("--size", "0", "'0' is not a size: write a Kubernetes quantity"),
        ("--approve", "YES", "'YES' is not one of 'no', 'yes'"),
        ("--folder", "", "the path is empty"),
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
    assert "the path is empty" in capsys.readouterr().err


def test_the_help_lists_the_phases_in_the_order_in_which_they_run(run, capsys):
    assert run("restore", "--help") == 0
    listed = capsys.readouterr().out.partition("Commands:")[2]
    assert listed.index("prepare") < listed.index("apimanager") < listed.index("routes")
