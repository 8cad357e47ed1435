"""Push and fetch beside restic by hand, memory, requests, room of 30 nights: `-m tests.benchmarks repository`."""

import argparse
import json
import os
import sys
from dataclasses import asdict
from pathlib import Path
from typing import Any

from tests.benchmarks.copying import record, sets
from tests.benchmarks.copying.sets import Set
from tests.benchmarks.repository import nights, rounds, stores, table
from tests.benchmarks.repository.rounds import Round
from tests.cluster.node.programs import home
from tests.stores import restic as restic_programs

_SETS = ("portal", "small", "deep")


def add(parser: argparse.ArgumentParser) -> None:
    """Add the options."""
    add = parser.add_argument
    add("--sets", default=",".join(_SETS), help=f"of {','.join(sets.names())} (%(default)s)")
    add("--stores", default=",".join(stores.KINDS), help="deep only in a folder (%(default)s)")
    add("--rounds", type=int, default=0, help="(portal 9, small 3, deep 1)")
    add("--scale", type=float, default=1.0, help="of the sets, to try it (%(default)s)")
    add("--nights", type=int, default=30, help="of small at --nights-scale; 0: none (%(default)s)")
    add("--nights-scale", type=float, default=0.1, help="(%(default)s)")
    add("--folder", type=Path, default=home() / "benchmarks", help="on the disk that is measured (%(default)s)")
    add("--output", type=Path, default=Path("repository.json"), help="the raw rounds (%(default)s)")
    add("--again", action="store_true", help="only show what --output holds")


def run(asked: argparse.Namespace) -> int:
    """Measure, keep the rounds, show them; 1 if a limit does not hold, 2 if nothing can be measured."""
    if not asked.again:
        found = restic_programs.debian_13()
        if found is None:
            sys.stderr.write(f"error: no restic: {restic_programs.HOW_TO}\n")
            return 2
        os.environ["PATH"] = f"{found.path.parent}{os.pathsep}{os.environ['PATH']}"
        _measure(asked, ".".join(map(str, found.version)))
    kept = json.loads(asked.output.read_text())
    measured = [Round(**each) for each in kept["rounds"]]
    sys.stdout.write(f"restic {kept['restic']}, {kept['machine']}\n" + "\n".join(table.lines(measured)) + "\n")
    if kept["nights"]:
        sys.stdout.write(f"\n{nights.line(kept['nights'])}\n")
    judged = list(table.verdicts(measured))
    sys.stdout.writelines(f"{'holds' if passed else 'FAILS'}: {text}\n" for text, passed in judged)
    return int(not all(passed for _, passed in judged))


def _measure(asked: argparse.Namespace, version: str) -> None:
    kept: dict[str, Any] = {"restic": version, "machine": record.machine(), "rounds": [], "nights": []}
    for name in filter(None, asked.sets.split(",")):
        wanted = Set(name, asked.scale)
        for kind in asked.stores.split(","):
            if wanted.is_for_local_only and kind != "folder":
                continue
            for each in rounds.run(wanted, kind, asked.rounds or wanted.rounds, asked.folder, _say):
                _say(f"{each.set} {each.store} night {each.night} {each.action} {each.program}: {each.restic_s:.2f} s")
                kept["rounds"].append(asdict(each))
                _keep(asked.output, kept)
    if asked.nights:
        kept["nights"] = nights.run(Set("small", asked.nights_scale), asked.nights, asked.folder, _say)
    _keep(asked.output, kept)


def _keep(path: Path, kept: dict[str, Any]) -> None:
    path.write_text(json.dumps(kept, indent=1) + "\n")


def _say(line: str) -> None:
    sys.stderr.write(f"{line}\n")
