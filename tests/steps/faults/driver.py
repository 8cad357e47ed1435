"""The process whose system calls fail: it saves and restores what it is told to, a line each, and says how it ended."""

import json
import os
import sys
import traceback
from pathlib import Path
from typing import Any

from steps import errors
from steps.archive import contents
from steps.kubernetes.cluster import Cluster
from steps.parts import file_storage
from tests.steps.faults import seam
from tests.steps.faults.plan import Call

Request = dict[str, Any]


def save(asked: Request) -> Request:
    report = file_storage.save(Path(asked["source"]), Path(asked["root"]), _no_progress, asked["workers"])
    return report.model_dump(mode="json")["file_storage"]


def restore(asked: Request) -> Request:
    os.environ["KUBECONFIG"] = asked["kubeconfig"]
    cluster = Cluster.connect(asked["namespace"], 5.0)
    opened = contents.open_at(Path(asked["root"]))
    tally = file_storage.restore(cluster, opened, Path(asked["target"]), _no_progress, asked["workers"])
    return {"files": tally.files if tally else None}


def probe(asked: Request) -> Request:
    """Make one call in this process, then in one that is forked; how many bytes it did or its errno, negative."""
    here = _call(asked)
    reader, writer = os.pipe()
    child = os.fork()
    if not child:
        os.write(writer, str(_call(asked)).encode())
        os._exit(0)
    os.waitpid(child, 0)
    return {"here": here, "forked": int(os.read(reader, 9))}


def _call(asked: Request) -> int:
    call, path = Call(asked["call"]), asked["path"]
    try:
        if call is Call.REMOVE:
            os.unlink(path)  # noqa: PTH108  the call itself
            return 0
        descriptor = os.open(path, os.O_RDWR | (os.O_CREAT if call is Call.CREATE else 0))
        if call is Call.LOOK:
            os.fstat(descriptor)
        if call is Call.WRITE:
            return os.write(descriptor, bytes(100))
        if call is Call.READ and asked["vector"]:
            return os.readv(descriptor, [bytearray(100)])
        return len(os.read(descriptor, 100)) if call is Call.READ else 0
    except OSError as error:
        return -(error.errno or 0)


def _no_progress(_done: int, _total: int) -> None:
    pass


def answer(asked: Request) -> Request:
    try:
        return {"facts": {"save": save, "restore": restore, "probe": probe}[asked["phase"]](asked)}
    except errors.PhaseError as error:
        return {"error": type(error).__name__, "sentence": str(error), "exit_code": error.exit_code}
    except Exception as error:  # noqa: BLE001  what is none of ours is for the test to judge
        traceback.print_exc()
        return {"error": type(error).__name__, "sentence": str(error), "exit_code": 1}


def main() -> None:
    if table := os.environ.get("SEAM"):
        seam.install(Path(table))
    for line in sys.stdin:
        sys.stdout.write(json.dumps(answer(json.loads(line))) + "\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main()
