"""Arguments that are invalid by themselves."""

from collections.abc import Sequence

from steps.errors.base import BadArgument, Final, several


class ArgumentsUnread(Final):
    says = (
        "This tool can't read the workflow's arguments in the form that Argo gives them. Nothing was done. "
        "Run the workflow with Argo Workflows 4.0.10 or later of 4.0, or 4.1.2 or later."
    )


class WrongCommandLine(BadArgument):
    said: str
    says = "{said}"


class UnknownArguments(BadArgument):
    """`nearest` has for each name the most similar known name, or an empty text."""

    names: Sequence[str]
    nearest: Sequence[str]
    known: Sequence[str]

    def compose(self) -> str:
        pairs = zip(self.names, self.nearest, strict=True)
        meant = [f"{name!r} ({known_one}?)" if known_one else repr(name) for name, known_one in pairs]
        return (
            f"This workflow has no argument {several(meant)}. Nothing was done. "
            f"Correct the name and submit again. The known names are: {', '.join(self.known)}."
        )
