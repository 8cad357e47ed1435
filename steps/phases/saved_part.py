"""One part of a backup: its data, then its report. What has a report is not saved again."""

import logging
from collections.abc import Callable

from steps import errors
from steps.archive import begin_marker, layout, manifest
from steps.archive.begin_marker import VolumeState
from steps.archive.manifest import Report
from steps.contract.backup_contract import SavePart
from steps.files import durability, writing
from steps.kubernetes import times
from steps.phases.run import Run

log = logging.getLogger(__name__)


def save(run: Run, told: SavePart, part: str, act: Callable[[], Report]) -> Report:
    """Save the data of one part, sync them, and write the report. A part that has a report is skipped."""
    run.need(part)
    began = times.now()
    with durability.durable(told.backup) as disk:
        state = begin_marker.begin(disk, run.begin(told.claim))
        found = manifest.reported(told.backup, part)
        if found:
            log.info("%s: skipped, already done", part)
        elif state is VolumeState.SEALED:
            raise errors.VolumeTaken(f"a {layout.MANIFEST}, but no report of {part}")
        else:
            saved = act()
            notes = (*saved.notes, *writing.mode_notes())
            found = saved.model_copy(update={"began": began, "ended": times.now(), "notes": notes})
            manifest.report(disk, part, found)
    log.info("%s: done", part)
    return found
