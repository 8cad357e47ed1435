"""Arguments that are wrong whatever there is."""

from collections.abc import Sequence

from steps.errors.base import BadArgument, Final, several


class ArgumentsUnread(Final):
    says = (
        "Argo does not say the workflow's arguments in a form that this tool reads: nothing was done; run it with "
        "Argo Workflows 4.0 or 4.1"
    )


class WrongCommandLine(BadArgument):
    said: str
    says = "{said}"


class UnknownArguments(BadArgument):
    """`nearest`: for each of the names the known one that it looks like, or none."""

    names: Sequence[str]
    nearest: Sequence[str]
    known: Sequence[str]

    def compose(self) -> str:
        pairs = zip(self.names, self.nearest, strict=True)
        meant = [f"{name!r} ({known_one}?)" if known_one else repr(name) for name, known_one in pairs]
        return (
            f"this workflow has no argument {several(meant)}: nothing was done; submit it again with names among "
            f"{', '.join(self.known)}"
        )
