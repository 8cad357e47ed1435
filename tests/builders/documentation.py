"""The pages of the project, and the commands in them."""

import re
from pathlib import Path

ROOT = Path(__file__).parents[2]
MADE = ROOT / "docs/reference"  # from the code
PAGES = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md"), *(ROOT / "tests").rglob("*.md")])


def name_of(path: Path) -> str:
    return str(path.relative_to(ROOT))


def commands(text: str) -> list[str]:
    """The lines of code of a page, those that go on in the next one put together."""
    fenced = re.findall(r"^```\w*\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)
    indented = re.findall(r"(?m)^ {4}(.*)$", text)
    lines = "\n".join([*fenced, *indented]).replace("\\\n", " ").replace("|\n", "| ")
    return lines.splitlines()
