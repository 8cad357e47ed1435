"""How fast trees are copied, beside `cp`, `rsync` and `tar`, and if the gate holds: `-m tests.benchmarks copy`."""

import argparse
import sys
from collections.abc import Callable, Collection
from pathlib import Path
from statistics import median
from typing import Final

from tests.benchmarks.copying import errors, gate, media, plan, programs, record, rounds, sets, table
from tests.cluster.node.programs import home

DEFAULT_SETS: Final = ("portal", "small", "big")  # deep is on demand
_STARTS: Final = 5


def add(parser: argparse.ArgumentParser) -> None:
    """Add the options."""
    parser.usage = "%(prog)s [options]"  # a mistyped word is told below it
    usual = plan.Plan
    add = parser.add_argument
    add("--sets", type=_words(sets.names()), default=DEFAULT_SETS, help=f"of {','.join(sets.names())}")
    add("--media", type=_media, default=(media.LOCAL, gate.SLOW), help="local, or a delay such as 1ms")
    add("--caches", type=_words(plan.CACHES), default=plan.CACHES, help="of the local disk: cold,warm")
    add("--actions", type=_words(programs.ACTIONS), default=programs.ACTIONS, help=",".join(programs.ACTIONS))
    add("--programs", type=_words(programs.WORDS), default=programs.WORDS, help=f"of {','.join(programs.WORDS)}")
    add("--workers", type=_counts, default=(), help="of ours (1,4,8,16 for a backup, else 4,8)")
    add("--rounds", type=_count, default=0, help="(portal 9, big 5, small 3, deep 1; 3 on a slow medium)")
    add("--scale", type=_scale, default=1.0, help="of the sets, to try it (%(default)s)")
    add("--slow-files", type=_count, default=usual.slow_files, help="most files of a slow medium's set (%(default)s)")
    add("--slow-mib", type=_count, default=usual.slow_mib, help="and the most MiB (%(default)s)")
    add("--folder", type=Path, default=home() / "benchmarks", help="on the disk that is measured (%(default)s)")
    add("--output", type=Path, default=Path("rounds.json"), help="the raw rounds (%(default)s)")
    add("--again", action="store_true", help="only show what --output holds")


def run(asked: argparse.Namespace) -> int:
    """Measure, keep the rounds, show them; 1 if a line of the gate does not hold, 2 if nothing can be measured."""
    try:
        if not asked.again:
            measure(asked)
        measured, starts_s = record.read(asked.output)
    except (errors.Impossible, OSError) as error:
        _say(f"error: {error}")
        return 2
    for name, found in starts_s.items():
        sys.stdout.write(f"interpreter's start, {name}: {median(found):.3f} s, not in the times of ours\n")
    sys.stdout.write("\n" + "\n".join(table.lines(measured)) + "\n")
    verdicts = gate.judge(measured)
    sys.stdout.writelines(f"{verdict}\n" for verdict in verdicts)
    return 1 if any(verdict.passed is False for verdict in verdicts if not verdict.is_aim) else 0


def measure(asked: argparse.Namespace) -> None:
    """Measure what is asked for and possible; what was measured is kept after every round.

    Raises:
        errors.Impossible

    """
    wanted = plan.Plan(
        sets=tuple(sets.Set(name, asked.scale) for name in asked.sets),
        media=_possible_media(asked.media),
        caches=_possible_caches(asked.caches),
        actions=asked.actions,
        workers=asked.workers,
        words=asked.programs,
        rounds=asked.rounds,
        slow_files=asked.slow_files,
        slow_mib=asked.slow_mib,
    )
    asked.output.open("a").close()  # better now than after the first round
    starts_s: dict[str, list[float]] = {}
    done: list[plan.Round] = []
    for each in rounds.run(wanted, asked.folder, _say):
        starts_s = starts_s or rounds.start_s(asked.rounds or _STARTS)
        done.append(each)
        record.write(asked.output, done, starts_s)
    if not done:
        raise errors.NothingToMeasure


def _say(line: str) -> None:
    sys.stderr.write(f"{line}\n")


def _possible_media(names: tuple[str, ...]) -> tuple[media.Medium, ...]:
    found = tuple(media.Medium(name) for name in names)
    if not all(each.is_local for each in found):
        try:
            media.build()
        except errors.MediumFailed as failure:
            _say(f"left out: {failure}")
            return tuple(each for each in found if each.is_local)
    return found


def _possible_caches(names: tuple[str, ...]) -> tuple[str, ...]:
    if plan.COLD in names and not rounds.caches_can_be_dropped():
        _say("left out: a cold cache needs root and /proc/sys/vm/drop_caches")
        return tuple(name for name in names if name != plan.COLD)
    return names


def _words(known: Collection[str]) -> Callable[[str], tuple[str, ...]]:
    def words(text: str) -> tuple[str, ...]:
        found = tuple(text.split(","))
        if unknown := [word for word in found if word not in known]:
            raise argparse.ArgumentTypeError(f"{unknown[0]!r} is none of {', '.join(known)}")
        return found

    return words


def _media(text: str) -> tuple[str, ...]:
    found = tuple(text.split(","))
    if unknown := [word for word in found if not media.is_name(word)]:
        raise argparse.ArgumentTypeError(f"{unknown[0]!r} is neither local nor a delay such as 1ms")
    return found


def _counts(text: str) -> tuple[int, ...]:
    return tuple(_count(word) for word in text.split(","))


def _count(text: str) -> int:
    if not text.isdecimal() or not int(text):
        raise argparse.ArgumentTypeError(f"{text!r} is no number from 1 on")
    return int(text)


def _scale(text: str) -> float:
    try:
        found = float(text)
    except ValueError:
        found = 0
    if not 0 < found <= 1:
        raise argparse.ArgumentTypeError(f"{text!r} is no number above 0 and up to 1")
    return found
