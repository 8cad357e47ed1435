"""A file for its owner alone, in which an outer program gets a secret."""

import os
from pathlib import Path


def write(path: Path, text: str) -> Path:
    """Write a new file with mode 0600, and return its path. Raises FileExistsError."""
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w") as file:
        file.write(text)
    return path
