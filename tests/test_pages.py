"""The pages: how long their sentences are, where their links lead, and whether their commands are there."""

import ast
import re
import statistics
from collections.abc import Callable, Iterator
from pathlib import Path

import click
import pytest

from steps.contract.database_contract import BackupArgumentsWithDatabases, RestoreArgumentsWithDatabases
from steps.contract.declaration import Declared, fields_of
from steps.contract.drill_contract import DrillArguments
from steps.contract.fetch_contract import FetchArguments
from steps.contract.prune_contract import PruneArguments, RepositoryPruneArguments
from steps.contract.push_contract import PushArguments
from steps.contract.verify_contract import VerifyArguments
from steps.contract.watchdog_contract import WatchdogArguments
from tests.builders.documentation import MADE, PAGES, ROOT, commands, name_of
from workflows.__main__ import main

MEAN, MOST = 16, 28  # words: of a sentence on average, and below which nine of ten stay
TEMPLATES: dict[str, type[Declared]] = {
    "backup": BackupArgumentsWithDatabases,
    "restore": RestoreArgumentsWithDatabases,
    "verify": VerifyArguments,
    "drill": DrillArguments,
    "prune": PruneArguments,
    "repository-prune": RepositoryPruneArguments,
    "watchdog": WatchdogArguments,
    "push": PushArguments,
    "fetch": FetchArguments,
}


CODE = sorted([*(ROOT / "steps").rglob("*.py"), *(ROOT / "workflows").rglob("*.py")])


def paragraphs(text: str) -> Iterator[str]:
    """The prose of a page, without tables, code and headings; each item of a list stands for itself."""
    found: list[str] = []
    for line in [*re.sub(r"^```.*?^```$", "", text, flags=re.MULTILINE | re.DOTALL).splitlines(), ""]:
        item = re.match(r" {0,3}([-*]|\d+\.) +", line)
        is_prose = bool(line.strip()) and not line.startswith(("|", "    ", "#", "<"))
        if found and (item or not is_prose):
            yield " ".join(found)
            found = []
        if is_prose:
            found.append(line[item.end() if item else 0 :].strip())


def docstrings(text: str) -> Iterator[str]:
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef) and (said := ast.get_docstring(node)):
            yield from (" ".join(part.split()) for part in said.split("\n\n"))


def of_pages() -> list[str]:
    return [each for page in PAGES if MADE not in page.parents for each in paragraphs(page.read_text())]


def of_docstrings() -> list[str]:
    return [each for path in CODE for each in docstrings(path.read_text())]


@pytest.mark.parametrize("prose", [of_pages, of_docstrings], ids=["pages", "docstrings"])
def test_sentences_are_short(prose: Callable[[], list[str]]) -> None:
    sentences = [sentence for each in prose() for sentence in re.split(r"(?<=[.!?])\s+", each)]
    counts = sorted(count for sentence in sentences if (count := len(sentence.split())) > 2)

    assert statistics.mean(counts) <= MEAN
    assert counts[len(counts) * 9 // 10] < MOST


def anchors(text: str) -> set[str]:
    """The names of a page's headings, as a forge makes them."""
    headings = re.findall(r"^#+ (.+)$", text, re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", each.lower()).strip().replace(" ", "-") for each in headings}


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_links_lead_somewhere(page: Path) -> None:
    astray = []
    for link in re.findall(r"\]\(([^)\s]+)\)", page.read_text()):
        path, _, anchor = link.partition("#")
        target = page.parent / path if path else page
        is_elsewhere = re.match(r"[a-z]+:", link) is not None
        if not is_elsewhere and not (target.exists() and (not anchor or anchor in anchors(target.read_text()))):
            astray.append(link)

    assert astray == []


def known_options(words: list[str]) -> tuple[str, set[str]]:
    """The command that words name, and its options."""
    command: click.Command = main
    path = ["threescale-backup"]
    while isinstance(command, click.Group) and words and (inner := command.commands.get(words[0])):
        command = inner
        path.append(words.pop(0))
    parameters = command.get_params(click.Context(command))
    return " ".join(path), {option for each in parameters for option in each.opts} | {"--help", "-h", "--version"}


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_a_command_has_the_options_that_a_page_gives_it(page: Path) -> None:
    unknown = []
    for line in commands(page.read_text()):
        for said in re.findall(r"(?:^|[\s|/])threescale-backup ((?:[a-z]+ ?)+.*?)(?=\||$)", line):
            path, known = known_options(said.split())
            options = re.findall(r"(?:^|\s)(--?[a-z][a-z0-9-]*)", said)
            unknown += [f"{path} {option}" for option in options if option not in known]

    assert unknown == []


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_a_workflow_has_the_arguments_that_a_page_gives_it(page: Path) -> None:
    unknown = []
    for line in commands(page.read_text()):
        for template, said in re.findall(r"workflowtemplate/threescale-([\w-]+)(.*)", line):
            known = {each.told_as for each in fields_of(TEMPLATES[template])}
            unknown += [f"{template} {name}" for name in re.findall(r"-p ([\w-]+)=", said) if name not in known]

    assert unknown == []


def messages(text: str) -> dict[str, str]:
    """The message under each heading of the page of errors."""
    return dict(re.findall(r"^## (\S+)\n(?:(?!## |> ).*\n)*> (.+)$", text, re.MULTILINE))


def test_a_link_to_an_error_quotes_its_message() -> None:
    said = messages((MADE / "errors.md").read_text())
    page = (ROOT / "docs/how-to/troubleshoot.md").read_text()
    links = re.findall(r"\[([^\]]+)\]\(\.\./reference/errors\.md#([\w-]+)\)", page)
    assert links

    assert [f"{code}: {words}" for words, code in links if words.lower() not in said[code].lower()] == []
