"""The record of a run: who did what, when, to which object, and how the run ended.

It names objects and holds nothing of their contents, not even digests: a short value of a Secret could be guessed from
its digest. The only digest is that of the backup's manifest. It tells two backups of the same name apart.
"""

import json
from collections import Counter
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from pathlib import PurePath
from typing import Annotated, Literal

from pydantic import (
    AfterValidator,
    AwareDatetime,
    BaseModel,
    ConfigDict,
    Field,
    JsonValue,
    SerializerFunctionWrapHandler,
    ValidationError,
    model_serializer,
)

from steps import errors
from steps.archive import layout, saved
from steps.archive.manifest import FileTree, Manifest, Report, misfits
from steps.contract.names import Operation
from steps.kubernetes import kinds, times

SCHEMA_VERSION: Literal[1] = 1
SAVED: Literal["saved"] = "saved"
CREATED: Literal["created"] = "created"
KEPT: Literal["kept"] = "kept"
REPLACED: Literal["replaced"] = "replaced"
UNTOUCHED: Literal["untouched"] = "untouched"
TRIED: Literal["tried"] = "tried"
RUNNING: Literal["running"] = "running"
SUCCEEDED: Literal["succeeded"] = "succeeded"
FAILED: Literal["failed"] = "failed"
REFUSED: Literal["refused"] = "refused"

Done = Literal["saved", "created", "kept", "replaced", "untouched", "tried"]
Counts = Mapping[str, int]


def _in_utc(moment: datetime) -> datetime:
    try:
        return moment.astimezone(UTC)
    except OverflowError as error:
        raise ValueError("the time can't be converted to UTC") from error


Moment = Annotated[AwareDatetime, AfterValidator(_in_utc)]
Number = Annotated[int, Field(gt=-1 << 63, lt=1 << 63)]
_MADE = (CREATED, REPLACED)


class _Model(BaseModel):
    model_config = ConfigDict(
        frozen=True, extra="forbid", defer_build=True
    )  # deferred: as in steps/archive/manifest.py


class Line(_Model):
    """One object.

    `untouched`: not compared, because this backup's restore had already created the APIManager. `tried`: by a dry run.
    `how`: the keys in which a kept object differs, or where a replaced object is saved.
    """

    kind: str
    name: str
    done: Done
    how: str = ""


class Phase(_Model):
    """One phase, in its successful try: when its process began, how long it took, and its counts."""

    phase: str
    began: Moment
    duration_s: float = Field(ge=0, allow_inf_nan=False)
    counts: dict[str, Number] = {}
    notes: tuple[str, ...] = ()

    @model_serializer(mode="wrap")
    def _as_before(self, write: SerializerFunctionWrapHandler) -> dict[str, object]:
        """Leave out empty notes, so that older versions of this tool can read the record."""
        found: dict[str, object] = write(self)
        if not self.notes:
            del found["notes"]
        return found


class Failure(_Model):
    """The message of a failed phase, with its code and facts if the phase could write them."""

    phase: str
    sentence: str
    code: str = ""
    facts: dict[str, JsonValue] = {}

    @model_serializer(mode="wrap")
    def _as_before(self, write: SerializerFunctionWrapHandler) -> dict[str, object]:
        """Leave out unknown fields, so that older versions of this tool can read the record."""
        found: dict[str, object] = write(self)
        return found if self.code else {"phase": self.phase, "sentence": self.sentence}


class Result(_Model):
    """The record. Times are in UTC. `ended` is None while it runs. `cut`: the number of object lines cut for size.

    `refused`: the arguments were refused before anything was done, so nothing failed.
    """

    schema_version: Literal[1] = SCHEMA_VERSION
    tool: str = "threescale-backup"
    tool_version: str
    operation: Operation
    outcome: Literal["running", "succeeded", "failed", "refused"] = RUNNING
    service_account: str
    workflow: str
    workflow_uid: str
    namespace: str
    claim: str
    backup: str = ""
    manifest_sha256: str = ""
    apimanager: str = ""
    threescale_version: str = ""
    file_storage: str = ""
    began: Moment
    ended: Moment | None = None
    phases: tuple[Phase, ...] = ()
    counts: dict[str, Number] = {}
    objects: tuple[Line, ...] = ()
    cut: int = 0
    failures: tuple[Failure, ...] = ()
    held_back: tuple[str, ...] = ()
    advice: str = ""
    snapshots: tuple[str, ...] | None = None  # REPOSITORY/ID of each copy of the backup; None: no repository

    def did(self, phase: Phase, lines: Iterable[Line] = (), *, last: bool = False) -> "Result":
        """Return the record after a successful phase. An object that this workflow created or replaced stays so."""
        before = {(line.kind, line.name): line for line in self.objects}
        mine = {(line.kind, line.name): line for line in lines}
        mine.update((key, line) for key, line in before.items() if key in mine and line.done in _MADE)
        done = {each.phase: each for each in self.phases}
        counts: dict[str, int] = {**Counter[str](line.done for line in mine.values()), **phase.counts}
        if not counts and phase.phase in done:  # a later try found everything done
            counts = done[phase.phase].counts
        notes = phase.notes or (done[phase.phase].notes if phase.phase in done else ())
        done[phase.phase] = phase.model_copy(update={"counts": counts, "notes": notes})
        return self._with(sorted(done.values(), key=lambda each: each.began), {**before, **mine}.values(), last=last)

    def failed(
        self, failures: Iterable[Failure], held_back: Iterable[str], advice: str, *, refused: bool = False
    ) -> "Result":
        """Return the record of a workflow that did not succeed."""
        told = {"failures": tuple(failures), "held_back": tuple(held_back), "advice": advice}
        return self.model_copy(update={**told, "outcome": REFUSED if refused else FAILED, "ended": times.now()})

    @property
    def last_seen(self) -> datetime:
        """The last known activity of this workflow."""
        return self.ended or max([self.began, *(phase.began for phase in self.phases)])

    def without_objects(self) -> "Result":
        """Return the record without its object lines, to save room."""
        return self.model_copy(update={"objects": (), "cut": self.cut + len(self.objects)})

    def _with(self, phases: list[Phase], objects: Iterable[Line], *, last: bool) -> "Result":
        totals: Counter[str] = Counter()
        for phase in phases:
            totals.update(phase.counts)
        return self.model_copy(
            update={
                "outcome": SUCCEEDED if last else RUNNING,
                "began": min([self.began, *(phase.began for phase in phases)]),
                "ended": times.now() if last else None,
                "phases": tuple(phases),
                "counts": dict(totals),
                "objects": tuple(sorted(objects, key=lambda line: (line.kind, line.name))),
                "failures": (),
                "held_back": (),
                "advice": "",  # of an earlier try
            }
        )


def lasted(phase: str, began: datetime, ended: datetime, counts: Counts | None = None) -> Phase:
    """Return a phase that lasted from `began` to `ended`."""
    duration_s = max(round((ended - began).total_seconds(), 3), 0.0)
    return Phase(phase=phase, began=began, duration_s=duration_s, counts=dict(counts or {}))


def of_file_tree(facts: FileTree | None) -> dict[str, int]:
    """Return the counts of System's files."""
    if facts is None:
        return {}
    found = {"files": facts.files - bool(facts.placeholder), "folders": facts.folders, "links": facts.links}
    rest = {"vanished": facts.vanished, "special": len(facts.special)}
    return {**found, "bytes": facts.size_bytes, **{name: number for name, number in rest.items() if number}}


def of_backup(begun: Result, manifest: Manifest, reports: Mapping[str, Report | None]) -> Result:
    """Return the record of a backup before its seal, from its phases' reports. `begun`: the record so far."""
    found = begun.model_copy(
        update={
            "backup": manifest.backup,
            "apimanager": manifest.source.apimanager,
            "threescale_version": manifest.source.threescale_version,
            "file_storage": str(manifest.source.external or manifest.source.file_storage),
            "began": begun.began if begun.phases else manifest.started,
        }
    )
    for phase, report in reports.items():
        lines = [_line(path, manifest.source.apimanager) for path in (report.objects if report else ())]
        if report and report.began and report.ended:
            timed = lasted(phase, report.began, report.ended, of_file_tree(report.file_storage))
            found = found.did(timed.model_copy(update={"notes": report.notes}), lines)
        else:  # no report, or one of another version of this tool: its objects are listed anyway
            found = found.model_copy(update={"objects": (*found.objects, *lines)})
    return found


def _line(path: str, apimanager: str) -> Line:
    kind = saved.kind_of(path)
    is_apimanager = kind == kinds.APIMANAGER.name  # its file name does not depend on its name
    return Line(kind=kind, name=apimanager if is_apimanager else PurePath(path).stem, done=SAVED)


def text(result: Result) -> str:
    """Return the text of a record, as it is stored on the volume and in a ConfigMap.

    Without copies, older versions can read it.
    """
    unknown_before = {"snapshots"} if result.snapshots is None else set()
    return layout.as_json(result.model_dump(mode="json", exclude=unknown_before)).decode()


def parse(data: str | bytes) -> Result:
    """Parse a record.

    Raises:
        errors.NoResult: the data are not a record that this version can read.

    """
    try:
        version = json.loads(data).get("schema_version")
    except (ValueError, AttributeError, RecursionError) as error:
        raise errors.NoResult("the text is not a JSON object") from error
    version = version if isinstance(version, int) else None
    if version != SCHEMA_VERSION:
        raise errors.NoResult(f"the record has schema version {version}, this tool reads {SCHEMA_VERSION}")
    try:
        return Result.model_validate_json(data)
    except ValidationError as error:
        raise errors.NoResult(f"these fields are invalid or missing ({misfits(error)})") from error
