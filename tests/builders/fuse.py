"""A meter that ends a copy, as a kill does."""

from steps.files.meter import Meter


class Killed(Exception):
    """Stands for SIGKILL: nothing after it is done."""


class Fuse(Meter):
    """Ends a copy after so many counts, wherever that is."""

    def __init__(self, left):
        super().__init__()
        self.left = left

    def add(self, **counts):
        self.left -= 1
        if self.left < 0:
            raise Killed
        super().add(**counts)
