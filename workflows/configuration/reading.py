"""Makes an installation from a file and from options of a command line, or says what is wrong and where.

An option overrides the field of the file. Its items are added to those of a list or a map.
"""

import pathlib as files
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from pydantic import ValidationError

from workflows.configuration import checks, problems
from workflows.configuration.installation import Installation
from workflows.configuration.places import BadFileError, FileFields, Path, read, told
from workflows.configuration.problems import BadInstallationError, Problem

_MOST = 10  # problems in one answer


@dataclass
class Source:
    """Where the fields of an installation come from: a file, options, or both.

    `file`: its name, empty if there is none. `options`: the options of the command line by their fields.
    """

    file: str = ""
    options: Mapping[Path, str] = field(default_factory=dict)
    read: FileFields = field(default_factory=lambda: FileFields({}, {}))
    given: set[Path] = field(default_factory=set)

    def name(self, path: Path) -> str:
        """Return the name of a field: its option if the option was given or no file is used, else its path."""
        of_option = next((path[:end] for end in range(len(path), 0, -1) if path[:end] in self.options), None)
        if of_option is None or (self.file and not self.is_given(path)):
            return told(path)
        words = [str(part) for part in path[len(of_option) :] if not isinstance(part, int)]
        return " ".join([self.options[of_option], *words])

    def sentence(self, problem: Problem) -> str:
        """Return the sentence of a problem, with its place in the file."""
        text = problem.sentence
        for path in (problem.path, *self.options):
            text = text.replace(f"{{{told(path)}}}", self.name(path))
        if not self.file or self.is_given(problem.path):
            return text
        return f"{self.file}:{self.read.line(problem.path)}: {text}"

    def sentences(self, error: BadInstallationError) -> list[str]:
        """Return the sentences of the problems in the order of the file, at most ten."""
        by_line = sorted(error.problems, key=lambda problem: self.read.line(problem.path))
        found = [self.sentence(problem) for problem in by_line]
        more = len(found) - _MOST
        return [*found[:_MOST], *([f"and {more} more"] if more > 0 else [])]

    def override(self, path: Path, value: Any) -> None:
        """Put the value of an option over that of the file. Items of a list or map are added.

        Where the file has a value of another type, nothing is changed. Validation names that field.
        """
        here = self.read.fields
        for part in path[:-1]:
            if here.get(str(part)) is None:
                here[str(part)] = {}
            here = here[str(part)]
            if not isinstance(here, dict):
                return
        name = str(path[-1])
        before = here.get(name)
        if isinstance(value, Mapping):
            before = {} if before is None else before
            if isinstance(before, dict):
                here[name] = {**before, **value}
                self.given |= {(*path, each) for each in value}
        elif isinstance(value, Sequence) and not isinstance(value, str):
            before = [] if before is None else before
            if isinstance(before, list):
                here[name] = [*before, *value]
                self.given |= {(*path, len(before) + number) for number in range(len(value))}
        else:
            here[name] = value
            self.given.add(path)

    def installation(self) -> Installation:
        """Make the installation.

        Raises:
            BadInstallationError
        """
        try:
            made = Installation.model_validate(self.read.fields, by_alias=True, by_name=False)
        except ValidationError as error:
            found = [problems.of_fields(Installation, each) for each in error.errors()]
            raise BadInstallationError(found) from error
        if found := list(checks.problems(made)):
            raise BadInstallationError(found)
        return made

    def beside(self, path: Path, name: str) -> str:
        """Return the path of a file or folder that a field names. A file names it from its own folder."""
        return name if self.is_given(path) or name == "-" else str(files.Path(self.file).parent / name)

    def is_given(self, path: Path) -> bool:
        """Whether an option gave the field at a path, or all that is below it."""
        given_above = any(path[:end] in self.given for end in range(1, len(path) + 1))
        return given_above or (path not in self.read.lines and any(each[: len(path)] == path for each in self.given))


def of_file(name: str, text: str, options: Mapping[Path, str]) -> Source:
    """Read a file.

    Raises:
        BadFileError
    """
    try:
        return Source(name, options, read(text))
    except BadFileError as error:
        raise BadFileError(f"{name}:{error.line}: {error}" if error.line else f"{name}: {error}") from error
