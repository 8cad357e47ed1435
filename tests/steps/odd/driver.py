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
from steps import errors
from steps.archive import begin_marker, layout, seal
from steps.files import copy_out, durability, removal, volume
from steps.files.meter import Work
from steps.parts import file_storage

PATIENCE_S = 6.0  # how long a name that only its folder shows is looked for

Request = dict[str, Any]


def save(asked: Request) -> Request:
    root = Path(asked["root"])
    with durability.durable(root):
        report = file_storage.save(Path(asked["source"]), root, lambda *_: None, asked["workers"])
    return report.model_dump(mode="json")["file_storage"]


def bring(asked: Request) -> Request:
    root, target = Path(asked["root"]), Path(asked["target"])
    work = Work(asked["workers"])
    with durability.durable(target):
        tally, found = file_storage.bring(
            lambda: seal.lines(root), root / layout.TREE, target, work, again=asked["again"]
        )
    return {"files": tally.files, "findings": found.first, "counts": work.meter.counts._asdict()}


def empty(asked: Request) -> Request:
    removal.empty(Path(asked["root"]))
    return {}


def content(asked: Request) -> Request:
    return {"names": volume.content(Path(asked["root"]))}


def begin(asked: Request) -> Request:
    who = begin_marker.Begin(backup="nightly", workflow="nightly", workflow_uid="1")
    with durability.durable(Path(asked["root"])) as disk:
        states = [begin_marker.begin(disk, who).value for _ in range(2)]
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
    for module in pkgutil.walk_packages(steps.__path__, "steps."):
        if module.name != "steps.__main__":
            importlib.import_module(module.name)
    importlib.import_module("multiprocessing.popen_fork")  # else imported when the first worker starts
    codecs.lookup("ascii")
    os.setgroups([])
    os.setresgid(user, user, user)
    os.setresuid(user, user, user)


def main() -> None:
    asked = json.load(sys.stdin)
    logging.basicConfig(level=logging.INFO, format="%(message)s", stream=sys.stderr)
    copy_out._PATIENCE_S = PATIENCE_S
    if asked["user"]:
        become(asked["user"])
    sys.stdout.write(json.dumps(answer(asked)))


if __name__ == "__main__":
    main()
