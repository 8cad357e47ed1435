"""What a database that can be copied says of itself, for the plan."""

from typing import NamedTuple


class Surveyed(NamedTuple):
    """Words about a database, and its size in bytes on its server."""

    words: str
    size_bytes: int
    warnings: tuple[str, ...] = ()
