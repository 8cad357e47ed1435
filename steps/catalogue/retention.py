"""Which backups are deleted: restic's rules, and protections that override them. In doubt a backup is kept.

A rule such as `daily: 7` keeps the newest backup of each of the last seven days that have one, in a time zone. If there
are fewer days, it also keeps the oldest backup. `within` counts back from the newest backup (restic-forget(1)).

These backups are kept without a rule:

- the newest complete backup by each clock, the newest verified one and the newest proven one;
- the newest from before a shrink, and the smaller one that shows the shrink;
- a backup whose verification by shares is in progress;
- pinned backups, and manual ones or those of the operator unless an option includes them;
- as many as `minimum_redundancy` needs.

Only complete backups without damage count for the rules.

Each backup has two timestamps, the API server's and its pod's, and began at the earlier one. If the newest backup by
either clock failed, is damaged or shrank, nothing is deleted.

The claim of a failed run is deleted after `failed_after`, whoever asked for that run, because it holds no finished
backup. But a label can be lost. So a claim with a volume is deleted only after the volume was read and holds no
manifest.

By hand: GrandFatherSon keeps the oldest backup of each period and counts periods back from now, so nothing is left
when backups stop. rotate-backups and backups-rotate remove files in folders. None has such protections.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from itertools import pairwise
from typing import NamedTuple
from zoneinfo import ZoneInfo

from steps import errors
from steps.catalogue.catalogue import OPERATORS, OURS, BackupEntry, BackupState
from steps.catalogue.durations import Duration, zone
from steps.contract import values
from steps.contract.prune_contract import RulesAsked
from steps.contract.values import YES

NO_RULE = "no rule keeps it"
_OVER = "its run failed longer ago than failed-after"


@dataclass(frozen=True)
class Words:
    """The words of verdicts that depend on where the backups lie."""

    left: str = f"{_OVER} and its claim never had a volume"  # of a failed run, and may go
    server: str = "the newest by the API server's clock"
    by_hand: str = "kubectl delete pvc {0.name}"  # deletes a backup


OF_CLAIMS = Words()

_Size = tuple[int, int]  # files, bytes
Periods = Mapping[str, Callable[[datetime], object]]
PERIODS: Periods = {
    "hourly": lambda moment: (*moment.date().timetuple()[:3], moment.hour, moment.utcoffset()),
    "daily": lambda moment: moment.date(),
    "weekly": lambda moment: moment.isocalendar()[:2],
    "monthly": lambda moment: (moment.year, moment.month),
    "yearly": lambda moment: moment.year,
}  # in the order of the verdicts


@dataclass(frozen=True)
class Rules:
    """What is kept. Zero, or no duration, means that there is no such rule."""

    last: int = 0
    periods: Mapping[str, int] = field(default_factory=dict)  # by names of PERIODS
    within: Duration | None = None
    minimum_redundancy: int = 3
    max_shrink: float = values.MAX_SHRINK  # of files or bytes, against the backup before
    manual: bool = False  # also backups that a person asked for
    operators: bool = False  # also backups of the operator
    timezone: ZoneInfo = field(default_factory=lambda: ZoneInfo("UTC"))
    local: int | None = None  # claims that stay, where the others may go for their copies; None: no such rule
    failed_after: Duration | None = None  # age at which claims of failed runs are deleted; None: never
    words: Words = OF_CLAIMS

    @classmethod
    def of(cls, asked: RulesAsked) -> "Rules":
        """Parse the arguments.

        Raises:
            errors.BadDuration, errors.BadTimezone

        """
        return cls(
            last=asked.keep_last,
            periods={name: getattr(asked, f"keep_{name}") for name in PERIODS},
            within=_duration(asked.keep_within, "keep-within"),
            minimum_redundancy=asked.minimum_redundancy,
            max_shrink=asked.max_shrink,
            manual=asked.manual == YES,
            operators=asked.operators == YES,
            timezone=zone(asked.timezone),
            local=int(asked.keep_local) if asked.keep_local else None,
            failed_after=_duration(asked.failed_after, "failed-after"),
        )

    @property
    def any(self) -> bool:
        """Whether any rule is set."""
        return bool(self.last or self.within or any(self.periods.values())) or self.local is not None


def _duration(text: str, name: str) -> Duration | None:
    return Duration.read(text, name) if text else None


@dataclass(frozen=True)
class Copies:
    """What the repositories hold of the backups. `safe`: the place of each copy without which no claim may go.

    Every byte of such a copy was read back, and it is not damaged. `alone`: the backups that have no claim any more.
    """

    safe: Mapping[str, str] = field(default_factory=dict)  # by the digest of the manifest
    alone: Sequence[BackupEntry] = ()


NO_COPIES = Copies()


@dataclass(frozen=True)
class Verdict:
    """Whether a backup is kept, and why. `unread`: it is deleted only if its volume holds no manifest."""

    entry: BackupEntry
    keep: bool
    why: str
    unread: bool = False


@dataclass(frozen=True)
class Decision:
    """All verdicts, the newest backup first. `frozen` says why nothing is deleted, and is empty otherwise."""

    verdicts: Sequence[Verdict]
    frozen: str

    @property
    def to_delete(self) -> list[BackupEntry]:
        """The backups to delete, the oldest first, so that an interruption leaves the newest."""
        return [each.entry for each in self._going if not each.unread]

    @property
    def to_read(self) -> list[BackupEntry]:
        """The claims of failed runs whose volume must be read before they are deleted, the oldest first."""
        return [each.entry for each in self._going if each.unread]

    def text(self) -> list[str]:
        """Return one line with the verdict and the reason for each backup, and a line with the totals."""
        # aligned by hand: a pod logs it too, and its image has no rich; names of claims are ASCII
        width = max((len(each.entry.name) for each in self.verdicts), default=0)
        words = [("keep  " if each.keep else "delete", each.entry.name, each.why) for each in self.verdicts]
        lines = [errors.printable(f"{word}  {name:<{width}}  {why}") for word, name, why in words]
        if self.frozen:
            return [*lines, errors.printable(f"nothing is deleted: {self.frozen}")]
        unread = f", {len(self.to_read)} of them only after their volume is read" if self.to_read else ""
        going = len(self._going)
        return [*lines, f"{len(self.verdicts) - going} to keep, {going} to delete{unread}"]

    @property
    def _going(self) -> list[Verdict]:
        return [] if self.frozen else [each for each in reversed(self.verdicts) if not each.keep]


def decide(
    entries: Iterable[BackupEntry], rules: Rules, now: datetime, failed_run: str = "", copies: Copies = NO_COPIES
) -> Decision:
    """Judge all backups of a catalogue. `failed_run`: the newest run's workflow, if it failed and left no claim.

    With `keep-local`, claims and copies count together: as one backup, if their manifest is the same.
    """
    ordered = sorted(entries, key=_age, reverse=True)
    good = [entry for entry in ordered if _counts(entry)]
    over = {entry.uid for entry in ordered if _is_over(entry, rules, now)}
    reasons = {entry.uid: list(_standing(entry, rules, over=entry.uid in over)) for entry in ordered}
    if rules.local is None:
        _judge(good, rules, now, reasons)
    else:
        _judge_claims(good, rules.local, copies, reasons)
    verdicts = [
        _verdict(entry, reasons[entry.uid], rules, copies.safe.get(entry.manifest_sha256, ""), over=entry.uid in over)
        for entry in ordered
    ]
    every = sorted([*ordered, *copies.alone], key=_age, reverse=True)
    return Decision(verdicts, _frozen(every, rules, now, failed_run))


_Reasons = Mapping[str, list[str]]  # to keep a backup, by uid


def _judge(good: Sequence[BackupEntry], rules: Rules, now: datetime, reasons: _Reasons) -> None:
    """Add the reasons of the rules, and of the protections that override them."""
    for entry, reason in (*_by_rules(good, rules, now), *_protected(good, rules.words), *_before_shrinks(good, rules)):
        reasons[entry.uid].append(reason)
    kept = [entry for entry in good if reasons[entry.uid]]
    for entry in good:  # the newest first
        if len(kept) < rules.minimum_redundancy and not reasons[entry.uid]:
            reasons[entry.uid].append(f"needed for minimum-redundancy {rules.minimum_redundancy}")
            kept.append(entry)


def _judge_claims(good: Sequence[BackupEntry], local: int, copies: Copies, reasons: _Reasons) -> None:
    """Add the reasons to keep a claim where a copy may take its place.

    No backup is lost with such a claim. So each protection holds: what it protects stays, in a claim or in a copy.
    """
    for entry in [each for each in good if not reasons[each.uid]][:local]:
        reasons[entry.uid].append(f"keep-local {local}")
    for entry in good:
        if entry.manifest_sha256 not in copies.safe:
            reasons[entry.uid].append("no copy of it was read back whole")


def _age(entry: BackupEntry) -> tuple[datetime, datetime, str]:
    return entry.began, entry.created, entry.name


def _by_each_clock(entries: Sequence[BackupEntry], now: datetime) -> Iterator[list[BackupEntry]]:
    """The newest first: as they began, by the API server's clock, by those of the pods."""
    yield list(entries)
    yield sorted(entries, key=lambda entry: _past(entry, entry.created, now), reverse=True)
    yield sorted(entries, key=lambda entry: _past(entry, entry.started, now), reverse=True)


def _past(entry: BackupEntry, moment: datetime, now: datetime) -> datetime:
    """One of its two timestamps, or the earlier of both if this one is in the future: then the clock was ahead."""
    return moment if moment <= now else entry.began


def _counts(entry: BackupEntry) -> bool:
    return entry.state is BackupState.COMPLETE and not entry.damaged and not entry.going


def _verdict(entry: BackupEntry, reasons: Sequence[str], rules: Rules, copy: str, *, over: bool) -> Verdict:
    if reasons or not over:
        going = NO_RULE if rules.local is None else f"its copy {copy} was read back whole"
        return Verdict(entry, bool(reasons), ", ".join(reasons) or going)
    if entry.volume:
        return Verdict(entry, keep=False, why=f"{_OVER}, unless its volume holds a manifest", unread=True)
    return Verdict(entry, keep=False, why=rules.words.left)


def _is_over(entry: BackupEntry, rules: Rules, now: datetime) -> bool:
    """Whether the claim is of a run that failed before `failed_after`, by each clock that was not ahead."""
    if entry.state is not BackupState.FAILED or entry.maker != OURS or rules.failed_after is None:
        return False
    newest = max(_past(entry, moment, now) for moment in (entry.started, entry.created))
    return newest < rules.failed_after.before(now)


def _standing(entry: BackupEntry, rules: Rules, *, over: bool) -> Iterator[str]:
    """Yield the reasons to keep a backup whatever the rules are. `over`: the claim of an old failed run."""
    if entry.going:
        yield "its claim is being deleted"
    elif over and entry.volume and not entry.capacity:
        yield f"failed, and its claim is not bound to volume {entry.volume}"
    elif entry.state is not BackupState.COMPLETE and not over:
        yield f"{entry.state}{f': {entry.why}' if entry.why else ''}"
    elif entry.damaged:
        yield "damaged, delete it by hand if you don't need it"
    if entry.pinned:
        yield "pinned"
    if entry.verifying:
        yield f"verification in progress, {entry.verifying.position} of {entry.verifying.total} bytes read"
    if over:
        return
    if entry.maker == OPERATORS:
        if not rules.operators:
            yield "made by the operator"
    elif not entry.schedule and not rules.manual:
        yield "a person asked for it"


def _by_rules(good: Sequence[BackupEntry], rules: Rules, now: datetime) -> Iterator[tuple[BackupEntry, str]]:
    yield from ((entry, "last") for entry in good[: rules.last])
    for name, period in PERIODS.items():
        newest_of: dict[object, BackupEntry] = {}
        for entry in good:
            newest_of.setdefault(period(entry.began.astimezone(rules.timezone)), entry)
        count = rules.periods.get(name, 0)
        yield from ((entry, name) for entry in list(newest_of.values())[:count])
        if good and len(newest_of) < count and good[-1] not in newest_of.values():
            yield good[-1], f"oldest {name}"
    if rules.within and good:
        newest = min(good[0].began, now).astimezone(rules.timezone)  # both clocks may have been ahead of now
        since = rules.within.before(newest)
        yield from ((entry, "within") for entry in good if entry.began >= since)


def _protected(good: Sequence[BackupEntry], words: Words) -> Iterator[tuple[BackupEntry, str]]:
    """The newest by each clock: one of the clocks may have been ahead or behind."""
    if not good:
        return
    yield good[0], "the newest"
    yield max(good, key=lambda entry: entry.created), words.server
    if (newest := max(good, key=lambda entry: entry.started)) is not good[0]:
        yield newest, "the newest by its pod's clock"
    yield from ((entry, "the newest verified") for entry in [each for each in good if each.verified][:1])
    yield from ((entry, "the newest proven") for entry in [each for each in good if each.proven][:1])


def _frozen(ordered: Sequence[BackupEntry], rules: Rules, now: datetime, failed_run: str) -> str:
    if not rules.any:
        return "no retention rule is set"
    if failed_run:
        return f"the newest run failed: workflow {failed_run}"
    return next(filter(None, (_held_up(every, rules) for every in _by_each_clock(ordered, now))), "")


def _held_up(ordered: Sequence[BackupEntry], rules: Rules) -> str:
    """Return the reason to delete nothing that the newest backup gives, or an empty text."""
    newest = next((entry for entry in ordered if entry.state in {BackupState.COMPLETE, BackupState.FAILED}), None)
    if newest and newest.state is BackupState.FAILED:
        return f"the newest run failed: {newest.name}"
    if newest and newest.damaged:
        return f"the newest backup is damaged: {newest.name}"
    return _shrunk([entry for entry in ordered if _counts(entry)], rules.max_shrink)


def _shrunk(good: Sequence[BackupEntry], most: float) -> str:
    """Return how the newest backup is much smaller than the one before it, or an empty text."""
    counted = _counted(good)
    if len(good) > 1 and not good[0].external and counted and good[0] is not counted[0]:
        return f"the size of {good[0].name} is not known"
    for newer, older in pairwise(counted[:2]):
        if lost := _lost(_size(newer), _size(older), most):
            return f"{newer.name} has {lost.now} {lost.what}, {older.name} before it had {lost.before}"
    return ""


def _before_shrinks(good: Sequence[BackupEntry], rules: Rules) -> Iterator[tuple[BackupEntry, str]]:
    """Yield backups from before a shrink: the newest with a much smaller later one, and any with only such later ones.

    So a file that comes and goes in an emptied tree does not replace the backup from before it was emptied. The
    smaller backup that shows the shrink is kept too, so that a second run finds the same.
    """
    counted, most = _counted(good), rules.max_shrink
    smallest = largest = _size(counted[0]) if counted else (0, 0)
    found = False
    for older in counted[1:]:
        size = _size(older)
        if _lost(largest, size, most) or (not found and _lost(smallest, size, most)):
            found = True
            yield from _shown(counted, older, rules)
        smallest = min(smallest[0], size[0]), min(smallest[1], size[1])
        largest = max(largest[0], size[0]), max(largest[1], size[1])


def _shown(counted: Sequence[BackupEntry], older: BackupEntry, rules: Rules) -> Iterator[tuple[BackupEntry, str]]:
    newer, lost = next((each, lost) for each in counted if (lost := _lost(_size(each), _size(older), rules.max_shrink)))
    yield newer, f"shows that the backups shrank after {older.name}"
    yield (
        older,
        f"from before a shrink: {newer.name} has {lost.now} {lost.what}, this backup has {lost.before}. If the smaller "
        f"size is right, delete this backup by hand ({rules.words.by_hand.format(older)})",
    )


class _Lost(NamedTuple):
    what: str
    now: int
    before: int


def _lost(now: _Size, before: _Size, most: float) -> _Lost | None:
    """Return the count that shrank by more than the fraction `most`."""
    each = map(_Lost, ("files", "bytes"), now, before)
    return next((lost for lost in each if lost.now < lost.before * (1 - most)), None)


def _size(entry: BackupEntry) -> _Size:
    return entry.files or 0, entry.size_bytes or 0


def _counted(good: Sequence[BackupEntry]) -> list[BackupEntry]:
    return [entry for entry in good if entry.files is not None and entry.size_bytes is not None]
