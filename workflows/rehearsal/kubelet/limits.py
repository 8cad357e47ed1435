"""The limits of a run: its deadline, and a stop by a person."""

import time
from typing import Final

STEP_DEADLINE: Final = "Step exceeded its deadline"


class Limit:
    """Says when work must stop: at the workflow's deadline, or when a person stops it."""

    def __init__(self, deadline: float | None = None) -> None:
        self._deadline = deadline
        self._reason = ""

    def reason(self) -> str:
        """Return why work must stop. The text is empty as long as it may continue."""
        if not self._reason and self._deadline is not None and time.monotonic() > self._deadline:
            self._reason = STEP_DEADLINE
        return self._reason

    def left_s(self) -> float | None:
        """Return the seconds until the deadline, or None without a deadline."""
        return None if self._deadline is None else self._deadline - time.monotonic()

    def stop(self, reason: str) -> None:
        """Stop the work. The first reason is kept."""
        self._reason = self._reason or reason

    def put_forward(self) -> str:
        """Put the clock forward to the deadline. Return its reason, or an empty text without a deadline."""
        if self._deadline is not None:
            self.stop(STEP_DEADLINE)
        return self._reason
