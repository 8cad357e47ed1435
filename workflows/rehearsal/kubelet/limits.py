"""When work has to stop: at a deadline, or because a person stops it."""

import time
from typing import Final

STEP_DEADLINE: Final = "Step exceeded its deadline"


class Limit:
    """Says when work has to stop: at the workflow's deadline, or because a person stops it."""

    def __init__(self, deadline: float | None = None) -> None:
        self._deadline = deadline
        self._reason = ""

    def reason(self) -> str:
        """Return why work has to stop, empty while it may go on."""
        if not self._reason and self._deadline is not None and time.monotonic() > self._deadline:
            self._reason = STEP_DEADLINE
        return self._reason

    def left_s(self) -> float | None:
        """Return the seconds until the deadline, None where there is none."""
        return None if self._deadline is None else self._deadline - time.monotonic()

    def stop(self, reason: str) -> None:
        """Stop the work; the first reason stays."""
        self._reason = self._reason or reason

    def put_forward(self) -> str:
        """Put the clock forward to the deadline; return its reason, empty when there is no deadline."""
        if self._deadline is not None:
            self.stop(STEP_DEADLINE)
        return self._reason
