"""What lies on the volume of a backup, judged without a line of the phases' own code."""

import inspect
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from tests.live.installation import Installation
from workflows.rehearsal import comparison
from workflows.rehearsal.comparison import Node, Snapshot
from workflows.rehearsal.threescale.objects import REFERENCED_SECRETS

TREE: Final = "system-filestorage-pvc/"
OBJECTS: Final = {
    "secrets": 13,
    "referenced/secrets": len(REFERENCED_SECRETS),
    "configmaps": 2,
    "referenced/configmaps": 2,
    "apimanager": 1,
}
_PATH: Final = "/storage"
_LOOK: Final = (
    inspect.getsource(comparison)
    + """
import json, sys
root = Path(sys.argv[1])
read = lambda name: (root / name).read_bytes() if (root / name).is_file() else b""
lines = [line.split("  ", 1) for line in read("SHA256SUMS").decode().splitlines()]
wrong = [name for sha256, name in lines if hashlib.sha256(read(name)).hexdigest() != sha256]
manifest = json.loads(read("manifest.json") or b"null")
print(json.dumps({"manifest": manifest, "listed": len(lines), "wrong": wrong, "entries": tree(root)}))
"""
)


@dataclass(frozen=True)
class Saved:
    """A backup's volume."""

    manifest: dict[str, Any] | None
    listed: int
    wrong: list[str]
    entries: dict[str, Node]

    @property
    def tree(self) -> dict[str, Node]:
        """System's files."""
        return {name.removeprefix(TREE): node for name, node in self.entries.items() if name.startswith(TREE)}

    def findings(self, before: Snapshot) -> list[str]:
        """Say in what it is not a whole and sealed backup of an installation."""
        counted = {folder: len(self.files(folder)) for folder in OBJECTS}
        problems = [
            "" if self.manifest else "no manifest",
            f"wrong sums: {self.wrong}" if self.wrong else "",
            "" if self.listed == sum(OBJECTS.values()) + 2 else f"{self.listed} sums",
            "" if counted == OBJECTS else f"objects: {counted}",
            "" if _bare(self.tree) == _bare(before.tree) else "other files than the installation's",
        ]
        return [problem for problem in problems if problem]

    def files(self, folder: str) -> list[str]:
        return [name for name, node in self.entries.items() if name.startswith(f"{folder}/") and node.kind == "file"]


def look(installation: Installation, claim: str) -> Saved:
    """Take down what is on the volume of a claim."""
    said = json.loads(installation.run(_LOOK, _PATH, claims={_PATH: claim}))
    entries = {name: Node(*node) for name, node in said.pop("entries").items()}
    return Saved(**said, entries=entries)


def _bare(tree: Mapping[str, Node]) -> dict[str, tuple[str, str, int]]:
    """Kind and content of all entries, the times of files too."""
    return {name: (node.kind, node.content, node.mtime_ns if node.kind == "file" else 0) for name, node in tree.items()}
