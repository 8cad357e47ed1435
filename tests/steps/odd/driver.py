"""Runs the copier as a phase does, as any user, and says how it ended.

It starts as root and imports all that it needs before it becomes the user: an interpreter and its modules may lie where
only root may go.
"""

import codecs
import importlib
import json
import logging
import os
import pkgutil
import sys
import traceback
from pathlib import Path
from typing import Any

import steps
from steps import copier, errors, file_storage, seal, volume
from steps.copier import Work

PATIENCE_S = 6.0  # how long a name that only its folder shows is looked for

Request = dict[str, Any]


def save(asked: Request) -> Request:
    root = Path(asked["root"])
    with volume.durable(root):
        report = file_storage.save(Path(asked["source"]), root, lambda *_: None, asked["workers"])
    return report.model_dump(mode="json")["file_storage"]


def bring(asked: Request) -> Request:
    root, target = Path(asked["root"]), Path(asked["target"])
    work = Work(asked["workers"])
    with volume.durable(target):
        tally, found = file_storage.bring(
            lambda: seal.lines(root), root / volume.TREE, target, work, again=asked["again"]
        )
    return {"files": tally.files, "findings": found.first, "counts": work.meter.counts._asdict()}


def empty(asked: Request) -> Request:
    copier.empty(Path(asked["root"]))
    return {}


def content(asked: Request) -> Request:
    return {"names": volume.content(Path(asked["root"]))}


def begin(asked: Request) -> Request:
    who = volume.Begin(backup="nightly", workflow="nightly", workflow_uid="1")
    with volume.durable(Path(asked["root"])) as disk:
        states = [volume.begin(disk, who).value for _ in range(2)]
    return {"states": states}


PHASES = {each.__name__: each for each in (save, bring, empty, content, begin)}


def answer(asked: Request) -> Request:
    try:
        return {"facts": PHASES[asked["phase"]](asked)}
    except errors.PhaseError as error:
        return {"error": type(error).__name__, "sentence": str(error), "exit_code": error.exit_code}
    except Exception as error:  # noqa: BLE001  what is none of ours is for the test to judge
        traceback.print_exc()
        return {"error": type(error).__name__, "sentence": str(error), "exit_code": 1}


def become(user: int) -> None:
    for module in pkgutil.iter_modules(steps.__path__):
        if module.name != "__main__":
            importlib.import_module(f"steps.{module.name}")
    importlib.import_module("multiprocessing.popen_fork")  # else imported when the first worker starts
    codecs.lookup("ascii")
    os.setgroups([])
    os.setresgid(user, user, user)
    os.setresuid(user, user, user)


def main() -> None:
    asked = json.load(sys.stdin)
    logging.basicConfig(level=logging.INFO, format="%(message)s", stream=sys.stderr)
    copier._PATIENCE_S = PATIENCE_S
    if asked["user"]:
        become(asked["user"])
    sys.stdout.write(json.dumps(answer(asked)))


if __name__ == "__main__":
    main()
