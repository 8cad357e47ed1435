"""The room that many nights take in a repository, beside as many claims."""

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

from steps.archive import contents
from steps.repository import upload
from steps.restic import program
from steps.restic.store import Store
from tests.benchmarks.copying import sets
from tests.benchmarks.copying.sets import Set
from tests.benchmarks.repository import claims, programs, stores


def run(wanted: Set, nights: int, folder: Path, say: Callable[[str], None]) -> list[dict[str, Any]]:
    """Push night after night to one repository. `claims_bytes` are the disk blocks that the claims would take."""
    work, found, taken = folder / "work", [], 0
    shutil.rmtree(work, ignore_errors=True)
    (folder / "sets").mkdir(parents=True, exist_ok=True)
    sets.make(wanted, folder / "sets")
    source = folder / "sets" / wanted.folder
    with claims.namespace(work) as namespace, stores.place("folder", work / "stores") as place:
        store = place.make("nights")
        with program.opened(store, work / "private", work / "cache") as restic:
            restic.run("init")
            for night in range(1, nights + 1):
                changed = claims.change(wanted, source, f"night {night}") if night > 1 else wanted.files
                root = namespace.seal(source, "night", night)
                taken += sum(each.lstat().st_blocks * 512 for each in root.rglob("*"))
                upload.upload(restic, contents.open_at(root), "0123456789abcdef", "", lambda *_: None)
                namespace.drop("night")
                told = {"night": night, "changed": changed, "claims_bytes": taken}
                told |= {"room_bytes": place.room("nights"), "metadata_bytes": programs.tree_bytes(restic)}
                if night == nights:
                    told |= _kept(store, work)
                found.append({"set": wanted.name, "scale": wanted.scale, **told})
                say(f"night {night}: {told['room_bytes'] / 2**20:.1f} MiB beside {taken / 2**20:.1f} MiB of claims")
    shutil.rmtree(work)
    return found


def _kept(store: Store, work: Path) -> dict[str, float]:
    """What a check and a prune of all nights keep in their scratch folder, and their memory."""
    told = {}
    for command in ("check", "prune"):
        seen = programs.by_hand(store, work / f"of-{command}", [command])
        told |= {f"{command}_scratch_mib": seen["scratch_mib"], f"{command}_mib": seen["restic_mib"]}
    return told


def line(found: list[dict[str, Any]]) -> str:
    """Say what the last night found."""
    last, first = found[-1], found[0]
    room, claimed, metadata = (last[name] / 2**20 for name in ("room_bytes", "claims_bytes", "metadata_bytes"))
    return (
        f"{last['set']} at {last['scale']:g}, {last['night']} nights: repository {room:.1f} MiB "
        f"(first night {first['room_bytes'] / 2**20:.1f}, metadata of all {metadata:.1f}), claims {claimed:.1f} MiB, "
        f"{room / claimed:.3f} of them"
        + "".join(
            f"; {command}: {last[f'{command}_scratch_mib']:.0f} MiB of scratch, {last[f'{command}_mib']:.0f} of memory"
            for command in ("check", "prune")
            if f"{command}_mib" in last
        )
    )
