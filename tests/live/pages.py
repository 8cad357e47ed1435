"""The commands of the pages, run by a shell as a person would run them."""

import os
import re
import subprocess
from pathlib import Path
from typing import Final

DOCS: Final = Path(__file__).parents[2] / "docs"
_BLOCK: Final = r"(?m)^(?: {4}.*\n)+"


def commands(page: str, title: str, *, before: int = 0, **words: str) -> str:
    """Return the block of commands after some words of a page, and as many before them, placeholders replaced."""
    above, found, below = (DOCS / page).read_text().partition(title)
    assert found
    blocks = [*re.findall(_BLOCK, above)[len(re.findall(_BLOCK, above)) - before :], *re.findall(_BLOCK, below)[:1]]
    script = re.sub(r"(?m)^ {4}", "", "".join(blocks))
    for placeholder, word in words.items():
        assert placeholder in script
        script = re.sub(rf"\b{placeholder}\b", word, script)
    return script


def run(script: str, kubeconfig: Path) -> None:
    command = ["bash", "-euo", "pipefail", "-c", script]
    subprocess.run(command, env={**os.environ, "KUBECONFIG": str(kubeconfig)}, check=True)  # noqa: S603  ours
