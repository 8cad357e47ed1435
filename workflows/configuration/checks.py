"""What no single field can tell: fields that need others, contradict them, or would be refused by each run."""

import importlib
import pkgutil
from collections.abc import Iterator, Mapping
from datetime import timedelta

from steps import contract
from steps.catalogue.durations import Duration
from steps.contract.declaration import DeclaredPhase
from steps.kubernetes.claims import quantity
from workflows import schedule
from workflows.configuration.installation import Installation, Scheduled
from workflows.configuration.places import Path, told
from workflows.configuration.problems import Problem, nearest
from workflows.monitoring.alerts import Thresholds
from workflows.rendering import cron as clock
from workflows.rendering.pods import PodNeeds

_LONGEST = timedelta(days=3650)  # for an alert; Prometheus counts nanoseconds in 64 bits
_DAY_H = 24
SCRATCH = "scratch-namespace"  # the argument of a drill that has a field of its own


def problems(installation: Installation) -> Iterator[Problem]:
    """Yield what is wrong with an installation whose single fields are valid."""
    yield from _of_drills(installation)
    yield from _of_schedules(installation)
    yield from _of_alerts(installation)
    yield from _of_phases(installation)
    yield from _of_accounts(installation)
    yield from _of_repositories(installation)
    yield from _of_databases(installation)


def thresholds(installation: Installation) -> Thresholds | None:
    """Return the limits of the alerts, or None without monitoring. The installation has no problems."""
    if not installation.monitoring.enabled:
        return None
    limits = {str(path[-1]): _length(text) for path, text in _limits(installation).items()}
    return Thresholds(
        expected_every=limits["expectedEvery"],
        verified_every=limits["verifiedEvery"] or None,
        proven_every=limits["provenEvery"] or None,
        silent_for=limits["silentFor"],
        pushed_every=limits["pushedEvery"] or None,
        lock_warning=limits["lockWarning"] or None,
        copied=bool(installation.repository.secrets),
        max_shrink=installation.retention.max_shrink,
    )


def _of_schedules(installation: Installation) -> Iterator[Problem]:
    for of in ("backup", "verify", "drill"):
        section: Scheduled = getattr(installation, of)
        if section.arguments and section.schedule is None:
            yield _problem((of, "arguments"), f"{{}} is for scheduled runs only. Add {{{of}.schedule}}")
    for of, _, arguments in installation.crons:
        for name, sentence in schedule.mistakes(of, arguments):
            if name != SCRATCH:
                separator = " " if sentence.startswith("'") else ": "
                yield _problem((of, "arguments", name), f"{{}}{separator}{sentence}")


def _of_drills(installation: Installation) -> Iterator[Problem]:
    namespace, drill = installation.namespace, installation.drill
    if drill.schedule is not None and drill.namespace is None:
        yield _problem(("drill", "schedule"), "{} needs a scratch namespace. Add {drill.namespace}")
    if SCRATCH in drill.arguments:
        why = "can't set scratch-namespace. Use {drill.namespace}, which also gives the rights there"
        yield _problem(("drill", "arguments"), "{} " + why)
    if drill.namespace is not None and namespace is None:
        yield _problem(("drill", "namespace"), "{} gives rights to an account of another namespace. Add {namespace}")
    if drill.namespace is not None and drill.namespace == namespace:
        why = "is the namespace of the installation. Create a namespace for drills only"
        yield _problem(("drill", "namespace"), f"{{}} {namespace} {why}")


def _of_alerts(installation: Installation) -> Iterator[Problem]:
    limits = _limits(installation)
    for path, text in limits.items():
        if text and not timedelta(0) < _length(text) <= _LONGEST:
            yield _problem(
                path,
                f"{{}} {text!r} is not valid. Write weeks, days and hours, such as 26h or 8d, up to {_LONGEST.days}d",
            )
    if not installation.monitoring.enabled:
        return
    enabled, cron = ("monitoring", "enabled"), installation.watchdog.schedule
    if installation.namespace is None:
        yield _problem(enabled, "{} renders alerts for one installation. Add {namespace}")
    if cron is None:
        yield _problem(enabled, '{} needs the metrics of the watchdog. Add {watchdog.schedule}, such as "17 * * * *"')
        return
    silent, pause = installation.monitoring.silent_for, clock.pause(cron)
    if pause is not None and timedelta(0) < _length(silent) <= pause:
        yield _problem(
            ("monitoring", "silentFor"),
            f"{{}} {silent}: {{watchdog.schedule}} {cron!r} runs once in {hours(pause)}, so the alert would fire "
            "between two runs. Give {} a longer time",
        )


def _of_phases(installation: Installation) -> Iterator[Problem]:
    known = phases()
    for name in (each for each in installation.pods.phases if each not in known):
        yield _problem(("pods", "phases", name), f"{{}} is not a phase. {nearest(name, sorted(known))}")
    yield from _of_resources(("pods",), installation.pods.of(()))
    for name in (each for each in installation.pods.phases if each in known):
        yield from _of_resources(("pods", "phases", name), installation.pods.of(known[name]))


def _of_resources(path: Path, needs: PodNeeds) -> Iterator[Problem]:
    """Yield requests above their limits. Both may come from the defaults."""
    for name, resources in (("resources", needs.resources), ("executorResources", needs.executor_resources)):
        for resource, asked in resources.requests.items():
            limit = resources.limits.get(resource)
            if limit is not None and quantity(asked) > quantity(limit):
                why = f"{resource} requests {asked}, more than its limit {limit}. Give both"
                yield _problem((*path, name), f"{{}}: {why}")


def _of_accounts(installation: Installation) -> Iterator[Problem]:
    names: dict[str, str] = {}
    for of in ("backup", "restore", "prune", "verify", "drill", "watchdog", "push", "fetch", "repository-prune"):
        name = installation.settings.account(f"threescale-{of}")
        if name in names:
            why = f"is the account of {names[name]} too. Each workflow needs an account of its own, for its own rights"
            yield _problem(("access", "accounts", of, "name"), f"{{}} {name} {why}")
        names[name] = of


def _of_repositories(installation: Installation) -> Iterator[Problem]:
    asked = installation.repository
    given = {
        "retention": bool(asked.retention.keeps),
        "keepLocal": bool(asked.keep_local),
        "pruneSecrets": bool(asked.prune_secrets),
        "pruneSchedule": asked.prune_schedule is not None,
    }
    if not asked.secrets:
        for name in (name for name, is_given in given.items() if is_given):
            yield _problem(("repository", name), "{} needs a repository. Add {repository.secrets}")
    elif len(set(asked.secrets)) < len(asked.secrets):
        yield _problem(("repository", "secrets"), f"{{}} names {asked.secrets[0]} twice. Name each repository once")
    elif asked.prune_secrets and len(asked.prune_secrets) != len(asked.secrets):
        why = f"has {len(asked.prune_secrets)} Secrets, and {{repository.secrets}} has {len(asked.secrets)}"
        yield _problem(("repository", "pruneSecrets"), f"{{}} {why}. Name one for each, in the same order")


def _of_databases(installation: Installation) -> Iterator[Problem]:
    asked = installation.databases
    if asked.image is None:
        for name in (name for name in ("copies", "credentials") if getattr(asked, name) is not None):
            why = "needs the image with the clients of databases. Add {databases.image}"
            yield _problem(("databases", name), f"{{}} {why}")
    elif installation.backup.schedule is not None and asked.copies is None:
        why = "is missing. Say which databases the schedule copies: their copies hold personal data in clear"
        yield _problem(("databases", "copies"), f"{{}} {why}. Write all, none, or names separated by commas")


def phases() -> dict[str, tuple[str, ...]]:
    """Return the phases by their names in the file, with their commands."""
    for module in pkgutil.iter_modules(contract.__path__):  # else only those phases that something has imported
        importlib.import_module(f"{contract.__name__}.{module.name}")
    found = _below(DeclaredPhase)
    return {"/".join(each.command): each.command for each in found if hasattr(each, "command")}


def hours(time: timedelta) -> str:
    """Write a duration as hours, or as whole days."""
    whole = int(time.total_seconds()) // 3600
    return f"{whole} h" if whole % _DAY_H else f"{whole // _DAY_H} d"


def _limits(installation: Installation) -> Mapping[Path, str]:
    """Return the limits of the alerts by their fields. An empty limit turns its alert off."""
    alarm = installation.monitoring
    usual = {
        "verifiedEvery": (alarm.verified_every, "8d" if installation.verify.schedule else ""),
        "provenEvery": (alarm.proven_every, "35d" if installation.drill.schedule else ""),
    }
    return {
        ("watchdog", "expectedEvery"): installation.watchdog.expected_every,
        ("monitoring", "silentFor"): alarm.silent_for,
        ("repository", "pushedEvery"): installation.pushed_every,
        ("repository", "lockWarning"): installation.repository.lock_warning if installation.repository.secrets else "",
        **{("monitoring", name): default if said is None else said for name, (said, default) in usual.items()},
    }


def _length(text: str) -> timedelta:
    """Return the length of a duration, or zero if it is empty or has months or years, whose length varies."""
    found = Duration.read(text or "0h", "")
    return timedelta(0) if found.months else found.rest


def _problem(path: Path, sentence: str) -> Problem:
    """Make a problem. `{}` in the sentence stands for the field itself."""
    return Problem(path, sentence.replace("{}", f"{{{told(path)}}}"))


def _below(of: type[DeclaredPhase]) -> list[type[DeclaredPhase]]:
    return [found for each in of.__subclasses__() for found in (each, *_below(each))]
