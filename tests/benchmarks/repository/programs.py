"""What is measured: the phases of push and fetch, and restic by hand with the same words and environment."""

import json
import os
import re
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from steps.archive import contents, layout
from steps.repository import sealed_content, snapshots, upload
from steps.restic.program import Restic
from steps.restic.store import Store
from tests.benchmarks.repository import watch
from workflows.rehearsal.rehearse import NAMESPACE

UID = "measured"
_CALLS = re.compile(r"restic: \d+ calls, [\d.]+ s \((.*?)\)")
_CALL = re.compile(r"(\d+) (\w+) ([\d.]+) s")
_ORIGIN = "0123456789abcdef"


class Failed(RuntimeError):
    """A program that was measured failed."""

    def __init__(self, command: Sequence[str], said: str) -> None:
        super().__init__(f"`{' '.join(command)}` failed:\n{said[-3000:]}")


def mounted(store: Store, folder: Path) -> Path:
    """Write a Secret as the kubelet mounts it."""
    secret = folder / store.name
    secret.mkdir(parents=True, exist_ok=True)
    for key, value in store.told.items():
        (secret / key).write_text(value)
    return secret


def phase(kubeconfig: Path, secret: Path, folder: Path, words: Sequence[str]) -> dict[str, Any]:
    """Run a phase with an empty cache. `calls` are those of restic: how many of each command, and their seconds."""
    outputs = folder / "outputs"
    outputs.mkdir(parents=True, exist_ok=True)
    of_all = ("--namespace", NAMESPACE, "--workflow", UID, "--workflow-uid", UID, "--outputs", str(outputs))
    mounts = (
        "--repository-secret",
        str(secret),
        "--private",
        str(folder / "private"),
        "--cache",
        str(folder / "cache"),
    )
    command = [sys.executable, "-m", "steps", *of_all, *words, *mounts]
    found = _watched(command, folder, {**os.environ, "KUBECONFIG": str(kubeconfig)})
    told = _CALLS.search(found["said"])
    calls = _CALL.findall(told[1]) if told else []
    found["calls"] = {name: [int(count), float(seconds)] for count, name, seconds in calls}
    found["outputs"] = {path.name: path.read_text() for path in outputs.iterdir() if path.is_file()}
    return found


def by_hand(store: Store, folder: Path, words: Sequence[str]) -> dict[str, Any]:
    """Run restic with an empty cache, in the environment and with the options that the phases give it."""
    restic = opened(store, folder)
    found = _watched(["restic", *words, *restic._options], folder, restic._environment)
    lines = [snapshots.read_message(line.encode()) for line in found["said"].splitlines()]
    return {**found, "summary": next((each for each in lines if each.get("message_type") == "summary"), {})}


def opened(store: Store, folder: Path) -> Restic:
    """A restic whose private files stay."""
    private, cache = folder / "private", folder / "cache"
    for each in (private, cache):
        each.mkdir(parents=True, exist_ok=True)
    for name, text in store.files().items():
        (private / name).write_text(text)
    return Restic(store, private, cache)


def backup_words(root: Path) -> list[str]:
    """The words of a backup, as push gives them."""
    found = contents.open_at(root)
    files = sealed_content.counts(found).files
    tags = [part for tag in snapshots.tags(found.facts, found.digest, files, "") for part in ("--tag", tag)]
    words = ["backup", "--json", *upload.READING, "--host", _ORIGIN, *snapshots.time_option(found.facts), *tags]
    return [*words, *upload.paths(found)]


def restore_words(snapshot: Mapping[str, Any], target: Path) -> list[str]:
    """The words of a restore, as fetch gives them."""
    root = next(path for path in snapshot["paths"] if path.endswith(layout.MANIFEST)).removesuffix(
        f"/{layout.MANIFEST}"
    )
    source = f"{snapshot['id']}:{root}"
    options = ["--overwrite", "always", "--sparse", "--exclude-xattr", "*", "--exclude", f"/{layout.MANIFEST}"]
    return ["restore", source, "--json", "--target", str(target), *options]


def tree_bytes(restic: Restic) -> int:
    """The bytes of all trees in a repository, as its indexes name them: metadata of files and folders."""
    total = 0
    for index in restic.run("list", "index", "--no-lock").decode().split():
        packs = json.loads(restic.run("cat", "index", "--no-lock", index))["packs"]
        total += sum(blob["length"] for pack in packs for blob in pack["blobs"] if blob["type"] == "tree")
    return total


def latest(restic: Restic) -> dict[str, Any]:
    """The newest snapshot, as restic prints it."""
    return dict(max(restic.json("snapshots", "--no-lock"), key=lambda each: str(each["time"])))


def _watched(command: Sequence[str], folder: Path, environment: Mapping[str, str]) -> dict[str, Any]:
    words = [sys.executable, str(watch.__file__), str(folder / "cache"), *command]
    (folder / "cache").mkdir(parents=True, exist_ok=True)
    done = subprocess.run(words, env=dict(environment), capture_output=True, text=True, check=True)  # noqa: S603  ours
    found = dict(json.loads(done.stdout))
    if found["code"]:
        raise Failed(command, found["said"])
    return found
