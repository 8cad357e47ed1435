"""What is to become of a database in a restore: it is filled, left or refused."""

from enum import Enum
from typing import NamedTuple

from steps.contract.names import PREFIX

MARKER = f"{PREFIX}restoring".encode()  # a key of a Redis that a restore has begun to fill; its value is the digest


class Becomes(Enum):
    """The action on a database. The value is the word of the plan."""

    FILLED = "create"
    LEFT = "keep"
    YOURS = "left to you"


class DatabaseTarget(NamedTuple):
    """The action on a database, with what is there."""

    becomes: Becomes
    words: str
    warnings: tuple[str, ...] = ()
