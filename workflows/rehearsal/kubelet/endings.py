"""The results of an ended container: exit code, message, output parameters and log, as Argo reports them."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, Literal

from workflows.rehearsal.kubelet import container, volumes
from workflows.rehearsal.kubelet.container import Command, Mount

PodPhase = Literal["Pending", "Running", "Succeeded", "Failed", "Error"]  # as Argo reports it

MESSAGE_LIMIT_BYTES: Final = 4096  # kubelet: MaxContainerTerminationMessageLength
Read = Callable[[str], str | None]  # the content of a file of the container, None where there is none


@dataclass(frozen=True)
class Ending:
    """How a try ended."""

    phase: PodPhase
    message: str = ""
    exit_code: int | None = None
    outputs: Mapping[str, str] = field(default_factory=dict)
    log: str = ""


def of(template: Mapping[str, Any], mounts: Sequence[Mount], command: Command, code: int, reason: str = "") -> Ending:
    """Return how a container ended with this exit code. `reason`: why it was stopped, if it was."""
    log = command.log.read_text(errors="replace")

    def read(path: str) -> str | None:
        file = container.real_path(path, mounts, _where(template))
        return file.read_text() if file.is_file() else None

    if reason:
        return Ending("Failed", reason, code, outputs(template, read)[0], log)
    return judge(template, code, last_words(template, mounts, command, code) if code else "", log, read)


def judge(template: Mapping[str, Any], code: int, said: str, log: str, read: Read) -> Ending:
    """Return Argo's result for an exit code, the last message of a container and its files."""
    found, missing = outputs(template, read)
    if code:
        message = f"main: Error (exit code {code})" + (f": {said}" if said else "")
        return Ending("Failed", message, code, {} if missing else found, log)  # Argo 4.1.2 takes all of them or none
    if missing:
        why = f"wait: Error (exit code 1): open {missing}: no such file or directory"
        return Ending("Error", why, code, found, log)
    return Ending("Succeeded", "", code, found, log)


def last_words(template: Mapping[str, Any], mounts: Sequence[Mount], command: Command, code: int) -> str:
    """Read the termination message of a container that failed."""
    file = container.real_path(volumes.TERMINATION_LOG, mounts, _where(template))
    said = container.tail(file, MESSAGE_LIMIT_BYTES)
    if not said and code == container.NO_SUCH_COMMAND and not Path(command.argv[0]).exists():
        said = f'failed to find name in PATH: exec: "{command.argv[0]}": executable file not found in $PATH'
    return said


def outputs(template: Mapping[str, Any], read: Read) -> tuple[dict[str, str], str]:
    """Read the output parameters. Also return the first path without a file and without a default."""
    found, missing = {}, ""
    for parameter in (template.get("outputs") or {}).get("parameters") or []:
        source = parameter["valueFrom"]
        if (text := read(source["path"])) is not None:
            found[parameter["name"]] = text.removesuffix("\n")
        elif "default" in source:
            found[parameter["name"]] = str(source["default"])
        else:
            missing = missing or source["path"]
    return found, missing


def _where(template: Mapping[str, Any]) -> str:
    return f"template {template['name']}"
