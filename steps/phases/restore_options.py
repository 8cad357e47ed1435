"""What the phases of a restore are told."""

from collections.abc import Mapping
from pathlib import Path
from typing import TypedDict

import click

from steps.contract import values
from steps.parts.conflicts import KEEP, REFUSE, REPLACE, OnConflict
from steps.phases import options
from steps.phases.options import FOLDER
from steps.phases.run import NOTHING
from steps.process.command_line import Value, all_of, one_of, or_nothing

ready = one_of("--ready", ["as-before", "available", "deployments"], "What to wait for.")
wait_minutes = click.option(
    "--wait-minutes", type=Value(values.MINUTES), default=60, show_default=True, help="Limit of each wait."
)
OPERATOR = "operator"
SKIP = "skip"


def read_names(_context: click.Context, _option: click.Parameter, value: str | None) -> list[str] | None:
    """Names as an earlier phase put them out; None: it did not run."""
    return [name for name in value.split(",") if name != NOTHING] if value else None


def read_versions(_context: click.Context, _option: click.Parameter, value: str) -> dict[str, str]:
    """What `as_versions` wrote."""
    pairs = [pair.partition("=") for pair in value.split(",") if pair not in {NOTHING, ""}]
    if wrong := [name for name, sign, _ in pairs if not sign]:
        raise click.BadParameter(f"{wrong[0]!r} is no NAME=VERSION")
    return {name: version for name, _, version in pairs}


def as_versions(versions: Mapping[str, str]) -> str:
    """The resourceVersions of objects, by name, as an output."""
    return ",".join(f"{name}={version}" for name, version in versions.items()) or NOTHING


on_conflict = one_of("--on-conflict", [REFUSE, KEEP, REPLACE], "What becomes of objects that say something else.")
file_conflict = one_of(
    "--file-storage-conflict", [REFUSE, REPLACE], "What becomes of files in a system-storage that is there."
)
file_damage = one_of(
    "--file-storage-damage",
    [REFUSE, SKIP],
    "What becomes of a backup of whose files some are damaged; skip: all others are restored.",
)
replaced_claim = click.option("--replaced-claim", default="", help="Claim to which what is replaced is saved first.")
replaced = click.option("--replaced", "root_of_replaced", type=FOLDER, required=True, help="Where it is mounted.")


# What a phase that restores objects is told of those that say something else.
conflicts = all_of(
    replaced_claim,
    click.option(
        "--saved-secrets",
        "--saved-configmaps",
        "versions",
        default="",
        callback=read_versions,
        metavar="NAME=VERSION,...",
        help="Those that were saved, to be replaced.",
    ),
    click.option(
        "--differing-secrets",
        "--differing-configmaps",
        "differing",
        callback=read_names,
        metavar="NAMES",
        help="Those that differed when it was planned.",
    ),
    on_conflict,
)


class ConflictTold(TypedDict):
    """What `conflicts` gives."""

    on_conflict: str
    differing: list[str] | None
    versions: dict[str, str]
    replaced_claim: str


def conflict(told: ConflictTold) -> OnConflict:
    """What `conflicts` says of objects that say something else."""
    return OnConflict(told["on_conflict"], told["differing"] or (), told["versions"], told["replaced_claim"])


kept = click.option(
    "--kept-secrets",
    "--kept-configmaps",
    "kept",
    callback=read_names,
    metavar="NAMES",
    help="Those that were somebody else's when it was planned.",
)
digest = click.option(
    "--backup-digest", "digest", default="", help="The backup with which the restore began; empty: as its claim says."
)
opened = all_of(options.mounted, digest)
domain = or_nothing("--wildcard-domain", values.DOMAIN, "Another than the backup's; empty: as it was.")
# The Secrets of the databases: expected, or restored.
databases = all_of(
    one_of("--database-secrets", ["expect", "restore"], "Whether they must be there before."),
    or_nothing("--database-overrides", values.SECRET, "A Secret whose keys SECRET.KEY replace the backup's."),
)
# All that the plan of a restore depends on.
planned = all_of(
    options.mounted,
    one_of("--made-by", ["", OPERATOR], "operator: it has no manifest, all the same."),
    click.option(
        "--manifest-sha256",
        default="",
        callback=lambda _context, _option, value: value.strip().lower(),
        help="Digest of the backup's manifest, kept elsewhere; empty: the claim's.",
    ),
    or_nothing("--storage-class", values.STORAGE_CLASS, "Class of the new system-storage; empty: as it was."),
    one_of("--access-mode", values.ACCESS_MODES, "Its access mode; empty: as it was."),
    or_nothing("--storage-request", values.SIZE, "Its size; empty: as it was, or as the data need."),
    or_nothing("--threescale-version", values.VERSION, "3scale's major.minor, where the operator's can't be read."),
    domain,
    databases,
    options.workers(told=False),
    ready,
    wait_minutes,
    click.option("--time-limit", default="", expose_value=False, help="Of the workflow, for this phase."),
    file_damage,
    file_conflict,
    on_conflict,
)


class PlanAsked(TypedDict):
    """What `planned` gives."""

    claim: str
    root: Path
    manifest_sha256: str
    made_by: str
    storage_class: str
    access_mode: str
    storage_request: str
    threescale_version: str
    wildcard_domain: str
    database_secrets: str
    database_overrides: str
    ready: str
    wait_minutes: float
    on_conflict: str
    file_storage_conflict: str
    file_storage_damage: str
