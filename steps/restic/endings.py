"""What restic's exit code and words mean: the error that the phase ends with, and whether another try may help.

The codes are of restic's manual, "Exit codes". The texts were taken from restic 0.18.0 and 0.19.1 at work with faulty
stores; `tests/steps/restic/endings.json` keeps them. Most faults end with 1, or never: restic tries again for a quarter
of an hour. So its words decide: those at its end first, then the causes of what it tried again.
"""

import json
import re
import signal
from collections.abc import Iterable, Iterator
from dataclasses import fields

from steps import errors
from steps.restic import meanings

_UNREAD, _NONE, _LOCKED, _PASSWORD, _INTERRUPTED = 3, 10, 11, 12, 130
_KILLED = (-signal.SIGKILL, 128 + signal.SIGKILL)
_ENDED = (-signal.SIGINT, -signal.SIGTERM, 128 + signal.SIGTERM, _INTERRUPTED)
_LONGEST = 200  # characters of restic's words in a sentence

_RETRIED = re.compile(r" returned error, retrying after \S+: ")
_CONTROL = re.compile(r"\x1b\[[0-9;]*[A-Za-z]")
_PRIVATE = re.compile(r"(?<=//)[^/@\s]+(?=@)|(?<=\?)[^\s\"]+")  # user info, and a query, which may be signed
_ADDRESS = re.compile(r"(?m)^(s3|azure|gs|rest|sftp):")
_LOCK = re.compile(r"locked (?:exclusively )?by PID \d+ on (\S+) by")
_AGE = re.compile(r"lock was created at .*?\((\S+?)(?:\.\d+)?(m?s) ago\)")
# What says nothing of a cause. After a panic or an error of 0.19 the places in restic's code follow.
_NOISE = re.compile(
    r"signal interrupt received|.*context canceled|Is there a repository at|(s3|azure|gs|rest|sftp):\S+$|/\S*$|"
    r"goroutine |\t|github\.com/|main\.|runtime\.|Warning: at least one source|Fatal: There were \d+ errors|"
    r"the `unlock` command"
)
_PLACES = {
    "s3": "S3 bucket",
    "azure": "Azure container",
    "gs": "GCS bucket",
    "rest": "REST server",
    "sftp": "SFTP folder",
}


def of(
    code: int | None, stderr: str, *, repository: str, command: str, limit_s: float | None = None
) -> errors.PhaseError:
    """Return the error that an end of restic means.

    `code` is negative for a signal, and None if our own limit ended restic. In `stderr` secrets are masked already.
    `repository` is the name of the Secret.
    """
    text = _plain(stderr)
    lines = list(_by_weight(line for line in text.splitlines() if line.strip() and not _NOISE.match(line)))
    said = {"repository": repository, "command": command, "words": _quoted(lines[0]) if lines else "no words"}
    if found := _by_code(code, text, said):
        return found
    for rules in _precedence(code):
        for line in lines:
            for pattern, kind in rules:
                if re.search(pattern, line, re.IGNORECASE):
                    return _error(kind, {**said, "words": _quoted(line)})
    return _otherwise(code, said, bool(lines), limit_s)


def _error(kind: type[errors.PhaseError], said: dict[str, str]) -> errors.PhaseError:
    """Build an error from those facts that it has."""
    return kind(**{each.name: said[each.name] for each in fields(kind)})  # type: ignore[arg-type]  # each is a dataclass


def _plain(stderr: str) -> str:
    """Return the words of both forms, lines of text and of JSON, without control sequences."""
    return "\n".join(_words(_CONTROL.sub("", line)) for line in stderr.splitlines())


def _words(line: str) -> str:
    try:
        told = json.loads(line)
    except ValueError:
        return line
    if not isinstance(told, dict):
        return line
    error = told.get("error")
    return str(told.get("message") or (error.get("message") if isinstance(error, dict) else error) or "")


def _by_weight(lines: Iterable[str]) -> Iterator[str]:
    """Yield ssh's words, then restic's last words, then the causes of what it tried again, each from the last."""
    latest = list(lines)[::-1]
    yield from (line for line in latest if line.startswith("subprocess ssh:"))
    yield from (line for line in latest if not line.startswith("subprocess ssh:") and not _RETRIED.search(line))
    yield from (_RETRIED.split(line)[-1] for line in latest if _RETRIED.search(line))


def _precedence(code: int | None) -> tuple[meanings.Meanings, ...]:
    """Damage is the cause wherever it is named. A source that can't be read has causes in words like a store's."""
    return (meanings.DAMAGE,) if code == _UNREAD else (meanings.DAMAGE, meanings.KNOWN, meanings.LATE)


def _by_code(code: int | None, text: str, said: dict[str, str]) -> errors.PhaseError | None:
    """Return the error where the code alone decides."""
    if code == _PASSWORD:
        return errors.WrongPassword(said["repository"])
    if code == _NONE:
        address = _ADDRESS.search(text)
        return errors.NoRepository(said["repository"], _PLACES[address[1]] if address else "folder", said["words"])
    if code == _LOCKED:
        host, age = _LOCK.search(text), _AGE.search(text)
        told = host[1] if host else "unknown", f"{age[1]}{age[2]}" if age else "unknown"
        return errors.RepositoryLocked(said["repository"], *told)
    return _error(errors.ResticOutOfMemory, said) if code in _KILLED else None


def _otherwise(code: int | None, said: dict[str, str], told: bool, limit_s: float | None) -> errors.PhaseError:
    """Return the error where no words are known."""
    if code == _UNREAD:
        return _error(errors.SourceUnread, said)
    if code is None:
        within = "in time" if limit_s is None else f"within {limit_s:g} s"
        return _error(errors.StoreUnanswered, said if told else {**said, "words": f"no answer {within}"})
    if code in _ENDED:
        return _error(errors.ResticStopped, said)
    ended = f"exit code {code}" if code >= 0 else f"signal {-code}"
    return _error(errors.ResticFailed, {**said, "ended": ended})


def _quoted(line: str) -> str:
    """Return a line without what may be private, cut to what a sentence can hold."""
    words = " ".join(_PRIVATE.sub("***", line.removeprefix("subprocess ssh: ")).split()).rstrip(".")
    words = words.replace("Fatal: ", "").removeprefix("error: ")
    return words if len(words) <= _LONGEST else f"{words[:60]} ... {words[-(_LONGEST - 65) :]}"
