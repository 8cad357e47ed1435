"""Where programs that the tests fetch or build are kept: outside the checkout, whole or not at all."""

import os
import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path

from tests.cluster.node.programs import home


def folder() -> Path:
    return home(os.environ)


def keep(name: str, fill: Callable[[Path], object]) -> Path:
    """Fill a folder once, and return it; a fill that fails or is killed leaves none of that name."""
    kept = folder() / name
    if not kept.exists():
        kept.parent.mkdir(parents=True, exist_ok=True)
        unfinished = Path(tempfile.mkdtemp(prefix=f".{name}.", dir=kept.parent))
        try:
            fill(unfinished)
            unfinished.rename(kept)
        finally:
            shutil.rmtree(unfinished, ignore_errors=True)
    return kept
