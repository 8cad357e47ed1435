"""The options for schedules: their arguments, and the limits of the alerts."""

from collections.abc import Collection, Mapping, Sequence
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from workflows.commands import doubts
from workflows.commands.options import refuse
from workflows.rendering import cron as clock

if TYPE_CHECKING:
    from workflows.monitoring.alerts import Thresholds
    from workflows.schedule import Cron

_LONGEST = timedelta(days=3650)  # for an alert; Prometheus counts nanoseconds in 64 bits


def thresholds(told: Mapping[str, Any], max_shrink: float, by_night: Collection[str]) -> "Thresholds | None":
    """Return the limits of the alerts, or None without --monitoring.

    `by_night`: the operations that prove backups by schedule.
    """
    from workflows.monitoring.alerts import Thresholds

    expected, silent = (_time("--expected-every", told["expected_every"]), _time("--silent-for", told["silent_for"]))
    asked = {
        "verified": (told["verified_every"], "8d" if "verify" in by_night else ""),
        "proven": (told["proven_every"], "35d" if "drill" in by_night else ""),
    }
    verified, proven = (
        _time(f"--{name}-every", limit) if (limit := usual if said is None else said) else None
        for name, (said, usual) in asked.items()
    )
    if not told["monitoring"]:
        return None
    if told["namespace"] is None:
        refuse("--monitoring renders alerts for one installation. Add --namespace")
    if told["watchdog"] is None:
        refuse('--monitoring needs the metrics of the watchdog. Add --watchdog, for instance "17 * * * *"')
    _check_silence(told["watchdog"], silent, told["silent_for"])
    return Thresholds(
        expected_every=expected,
        verified_every=verified,
        proven_every=proven,
        silent_for=silent,
        max_shrink=max_shrink,
    )


def _check_silence(watchdog: str, silent: timedelta, text: str) -> None:
    """Refuse an alert that would fire between any two runs of the watchdog."""
    pause = clock.pause(watchdog)
    if pause is not None and silent <= pause:
        refuse(
            f"--silent-for {text}: --watchdog {watchdog!r} runs once in {doubts.told(pause)}, so the alert would "
            "fire between two runs. Give --silent-for a longer time"
        )


def _time(option: str, text: str) -> timedelta:
    """Read a duration of a known length. Months and years have none."""
    from steps.catalogue.durations import Duration

    found = Duration.read(text, option)
    if found.months or not timedelta(0) < found.rest <= _LONGEST:
        refuse(
            f"{option} {text!r} is not valid. Write weeks, days and hours, such as 26h or 8d, up to {_LONGEST.days}d"
        )
    return found.rest


def arguments(option: str, words: Sequence[str], of: str, cron: str | None) -> dict[str, str]:
    """Read the arguments of a schedule, or refuse them."""
    read = dict(word.partition("=")[::2] for word in words)
    if len(read) < len(words):
        refuse(f"{option} is given twice for the same name")
    if wrong := [word for word in words if "=" not in word]:
        refuse(f"{option} {wrong[0]!r} is not valid. Write NAME=VALUE, for instance storage-request=20Gi")
    if read and cron is None:
        refuse(f"{option} is for scheduled runs only. Add {of}")
    return read


def proofs(told: Mapping[str, Any]) -> "list[Cron]":
    """Return the schedules of verifications and drills."""
    from workflows.schedule import Cron

    namespace, scratch, drill = told["namespace"], told["drill_namespace"], told["drill"]
    of_verify = arguments("--verify-argument", told["verify_arguments"], "--verify", told["verify"])
    of_drill = arguments("--drill-argument", told["drill_arguments"], "--drill", drill)
    if drill is not None and scratch is None:
        refuse("--drill needs a scratch namespace. Add --drill-namespace")
    if "scratch-namespace" in of_drill:
        refuse("--drill-argument can't set scratch-namespace. Use --drill-namespace, which also gives the rights there")
    if scratch is not None and namespace is None:
        refuse("--drill-namespace gives rights to an account of another namespace. Add --namespace")
    if scratch is not None and scratch == namespace:
        refuse(f"--drill-namespace {scratch} is the namespace of the installation. Create a namespace for drills only")
    found = [
        ("verify", told["verify"], of_verify),
        ("drill", drill, {"scratch-namespace": scratch or "", **of_drill}),
    ]
    return [Cron(of, cron, given) for of, cron, given in found if cron is not None]
