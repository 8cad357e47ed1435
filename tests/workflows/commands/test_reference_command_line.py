"""The reference page of the command line, made from the commands."""

import inspect
from collections.abc import Iterator

import click

from tests.builders.reference import code, made_by, recorded, table
from workflows.__main__ import main

NAME = "threescale-backup"


def commands(command: click.Command, context: click.Context) -> Iterator[tuple[click.Command, click.Context]]:
    """All commands below one, with what is known of each."""
    yield command, context
    if isinstance(command, click.Group):
        for name, each in sorted(command.commands.items()):
            yield from commands(each, click.Context(each, info_name=name, parent=context))


def page_of_commands() -> Iterator[str]:
    yield from ("# Command line", "", made_by("tests/workflows/commands/test_reference_command_line.py"), "")
    yield "Every command has `--help`. It needs no cluster."
    for command, context in commands(main, click.Context(main, info_name=NAME)):
        usage = " ".join([context.command_path, *command.collect_usage_pieces(context)])
        yield from ("", f"## {context.command_path}", *paragraphs(command.help or ""), "", f"    {usage}")
        if isinstance(command, click.Group):
            told = ((code(name), each.get_short_help_str(500)) for name, each in sorted(command.commands.items()))
            yield from ("", *table("Command", "What it does", rows=told))
        parameters = [each for each in command.get_params(context) if "--help" not in each.opts]
        if arguments := [each for each in parameters if isinstance(each, click.Argument)]:
            told = (
                (code(each.make_metavar(context)), ARGUMENTS[str(each.make_metavar(context))]) for each in arguments
            )
            yield from ("", *table("Argument", "Meaning", rows=told))
        if options := [each for each in parameters if isinstance(each, click.Option)]:
            told_of = (cells(option, context) for option in options)
            yield from ("", *table("Option", "What it does", "Default", rows=told_of))
    yield from ("", "## Exit codes", "")
    yield from table("Code", "Meaning", rows=EXIT_CODES)
    yield from ("", "A command that fails prints one sentence to stderr.")
    yield "With `--output json`, it also prints the code, the facts and the sentence of the error to stdout."
    yield "[errors](errors.md) lists them. The steps of a workflow have [exit codes](exit-codes.md) of their own."


ARGUMENTS = {
    "NAME": "The claim of the backup, as `list` shows it.",
    "DIR|BACKUP": "The folder with the volume of the backup. With `--repository`, a backup as below BACKUP.",
    "ORIGIN": "The ID of another installation, as `list --repository -o wide` shows it.",
    "BACKUP": "The name of the backup, the ID of its snapshot, or `latest`.",
    "DIR": "The folder in which the volume of the backup is mounted, or a copy of the backup.",
    "FILE": "The result record, or `-` for stdin.",
    "[FILE]": "The file to write, by default `threescale-backup.yaml`.",
}
EXIT_CODES = [
    ("0", "Done. `rehearse`: the restored installation equals the saved one. `verify`: the backup is whole."),
    ("1", "Refused or failed. `verify`: the backup is damaged, or the operator could not restore it. "
     "`check`: the newest backup is too old. `plan restore`: the restore would be refused. "
     "`doctor`: a line says `error`. `manifests`: a field or a file to render from is invalid or missing."),
    ("2", "The command line is invalid, for instance an option or a number."),
]  # fmt: skip


def paragraphs(text: str) -> Iterator[str]:
    for paragraph in inspect.cleandoc(text).split("\n\n"):
        yield from ("", *(line.strip() for line in paragraph.splitlines()))


def cells(option: click.Option, context: click.Context) -> tuple[str, str, str]:
    """An option: its names with its value, its help, its default."""
    record = option.get_help_record(context)
    extra = option.get_help_extra(context)
    default = extra.get("default", "").strip("()")
    often = " May be given several times." if option.multiple else ""
    shown = "required" if extra.get("required") else default if " " in default else code(default) or "none"
    return code(record[0] if record else ""), (option.help or "") + often, shown


def test_the_page_of_the_command_line_is_as_the_commands_say() -> None:
    page, made = recorded("command-line.md", page_of_commands())

    assert page == made
