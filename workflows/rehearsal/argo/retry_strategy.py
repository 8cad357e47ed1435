"""Whether a failed try is followed by another, as Argo's `retryStrategy` decides it.

The order is that of Argo's controller. It waits the back-off, then checks the limit, then evaluates the expression. So
a try that failed for good costs its back-off, too.
"""

import re
from collections.abc import Mapping
from typing import Any, Final

from workflows.rehearsal import errors
from workflows.rehearsal.argo import expressions
from workflows.rehearsal.argo.nodes import Attempt

NO_MORE: Final = "No more retries left"
SAID_NO: Final = "retryStrategy.expression evaluated to false"
_UNITS_S: Final = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}


def verdict(strategy: Mapping[str, Any], last: Attempt, count: int, where: str) -> str | None:
    """Return the last message of the node if no try follows, else None."""
    if "limit" in strategy and count > int(strategy["limit"]):
        return NO_MORE
    if (expression := strategy.get("expression")) and not _agrees(expression, last, count, where):
        return SAID_NO
    return None


def backoff_s(strategy: Mapping[str, Any], count: int) -> float:
    """Return the seconds to wait after `count` failed tries. Argo waits only under a limit, and not beyond it."""
    backoff = strategy.get("backoff")
    if not backoff or "limit" not in strategy or count > int(strategy["limit"]):
        return 0.0
    factor = int(backoff.get("factor", 0))
    wait_s = duration_s(backoff["duration"]) * (factor ** (count - 1) if factor > 0 else 1)
    return min(wait_s, duration_s(backoff["cap"])) if "cap" in backoff else wait_s


def duration_s(text: str) -> float:
    """Read `90`, `15m` or `1h30m` as seconds."""
    text = str(text)
    if text.isdigit():
        return float(text)
    parts = re.findall(r"(\d+(?:\.\d+)?)(ms|[smhd])", text)
    if not parts or "".join(map("".join, parts)) != text:
        raise ValueError(f"has invalid duration format: {text!r}")
    return sum(float(number) * _UNITS_S[unit] for number, unit in parts)


def _agrees(expression: str, last: Attempt, count: int, where: str) -> bool:
    values: dict[str, expressions.Value] = {
        "retries": str(count - 1),
        "lastRetry.exitCode": "-1" if last.exit_code is None else str(last.exit_code),
        "lastRetry.status": last.phase,
        "lastRetry.duration": f"{last.duration_s:g}",
        "lastRetry.message": last.message,
    }
    try:
        return expressions.evaluate(expression, values.__getitem__) is True
    except (expressions.Unreadable, KeyError) as error:
        raise errors.UnknownExpression(expression, where, str(error)) from error
