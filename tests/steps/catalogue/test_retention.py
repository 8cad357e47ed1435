from collections import Counter
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from steps.catalogue.catalogue import OPERATORS, OURS, BackupState, Proof
from steps.catalogue.durations import Duration
from steps.catalogue.retention import PERIODS, Rules, decide
from steps.catalogue.rotation import Rotation
from tests.builders.listings import NOW, backup, nights

MADRID = ZoneInfo("Europe/Madrid")
FORMATS = {"hourly": "%Y-%m-%d %H %z", "daily": "%Y-%m-%d", "weekly": "%G-%V", "monthly": "%Y-%m", "yearly": "%Y"}


def kept(decision):
    return [each.entry.name for each in decision.verdicts if each.keep]


def why(decision, name):
    (found,) = (each.why for each in decision.verdicts if each.entry.name == name)
    return found


@pytest.mark.lesson(17)
class TestAsRestic:
    """The examples of restic's documentation, doc/060_forget.rst, "Removing snapshots according to a policy"."""

    def test_sundays_for_twelve_weeks_keep_the_last_four_for_four_days(self):
        sundays = nights(12, timedelta(weeks=1), newest=datetime(2019, 11, 17, 11, tzinfo=UTC))

        decision = decide(sundays, Rules(periods={"daily": 4}), NOW)

        days = [each.entry.started.date().isoformat() for each in decision.verdicts if each.keep]
        assert days == ["2019-11-17", "2019-11-10", "2019-11-03", "2019-10-27"]
        assert [entry.started.date().isoformat() for entry in decision.to_delete] == [
            *("2019-09-01", "2019-09-08", "2019-09-15", "2019-09-22"),
            *("2019-09-29", "2019-10-06", "2019-10-13", "2019-10-20"),
        ]

    def test_an_empty_policy_removes_nothing(self):
        assert decide(nights(9), Rules(last=0), NOW).to_delete == []

    @pytest.mark.thorough
    def test_a_hundred_years_of_nights(self):
        every = nights(36525, newest=datetime(2014, 12, 31, 2, tzinfo=UTC))
        rules = Rules(periods={"daily": 7, "weekly": 5, "monthly": 12, "yearly": 75})

        reasons = Counter(
            reason for each in decide(every, rules, NOW).verdicts if each.keep for reason in each.why.split(", ")
        )

        assert {name: reasons[name] for name in rules.periods} == rules.periods
        assert 7 + 4 + 10 + 74 <= len(kept(decide(every, rules, NOW))) <= 7 + 4 + 12 + 75

    def test_where_there_are_fewer_the_oldest_is_kept_too(self):
        every = nights(10)

        decision = decide(every, Rules(periods={"monthly": 12}), datetime(2026, 11, 20, tzinfo=UTC))

        assert why(decision, "night-9") == "oldest monthly"


def test_within_counts_from_the_newest_backup():
    decision = decide(nights(10), Rules(within=Duration.read("3d", "keep-within")), NOW + timedelta(days=300))

    assert kept(decision) == [f"night-{number}" for number in range(4)]


def test_hours_within_are_hours_in_the_night_that_has_one_less():
    newest = datetime(2026, 3, 29, 10, tzinfo=UTC)
    every = nights(3, timedelta(hours=23, minutes=30), newest=newest)
    rules = Rules(within=Duration.read("24h", "keep-within"), minimum_redundancy=0, timezone=MADRID)

    assert why(decide(every, rules, NOW), "night-1") == "within"


def test_a_duration_of_ages_keeps_all():
    assert len(kept(decide(nights(5), Rules(within=Duration.read("9999y", "keep-within")), NOW))) == 5


@pytest.mark.parametrize(
    ("moment", "rules", "count"),
    [
        (datetime(2026, 10, 25, 0, 30, tzinfo=UTC), {"hourly": 2}, 2),  # 2:30 twice: the clock goes back at 3
        (datetime(2026, 3, 29, 0, 30, tzinfo=UTC), {"hourly": 2}, 2),  # 1:30 and 3:30: it goes on at 2
    ],
)
def test_the_nights_of_daylight_saving_have_their_hours(moment, rules, count):
    pair = [backup("later", moment + timedelta(hours=1)), backup("earlier", moment)]

    decision = decide(pair, Rules(periods=rules, minimum_redundancy=0, timezone=MADRID), NOW)

    assert [each.why.split(", ")[0] for each in decision.verdicts] == ["hourly"] * count


def test_a_day_is_one_of_the_time_zone():
    late, early = datetime(2026, 11, 18, 22, 30, tzinfo=UTC), datetime(2026, 11, 18, 23, 30, tzinfo=UTC)
    rules = Rules(periods={"daily": 2}, minimum_redundancy=0, timezone=MADRID)

    pair = [backup("a", late), backup("b", early)]

    assert why(decide(pair, rules, NOW), "a") == "daily"
    assert why(decide(pair, replace(rules, timezone=ZoneInfo("UTC")), NOW), "a") == "oldest daily"  # of one day


@pytest.mark.lesson(18)
class TestNever:
    RULES = Rules(last=1, minimum_redundancy=1)

    def test_a_pinned_one(self):
        old = replace(nights(9)[8], pinned=True)

        assert why(decide([*nights(8), old], self.RULES, NOW), "night-8") == "pinned"

    def test_the_newest_that_is_verified_or_proven(self):
        every = nights(9)
        every[5] = replace(every[5], verified=Proof(NOW, "v"))
        every[6] = replace(every[6], verified=Proof(NOW, "v"), proven=Proof(NOW, "p"))
        every[7] = replace(every[7], proven=Proof(NOW, "p"))

        decision = decide(every, self.RULES, NOW)

        assert kept(decision) == ["night-0", "night-5", "night-6"]
        assert (why(decision, "night-5"), why(decision, "night-6")) == ("the newest verified", "the newest proven")

    def test_the_newest_to_the_api_server_where_a_clock_went_back(self):
        every = nights(4)
        every[2] = replace(every[2], created=NOW + timedelta(hours=1))

        assert kept(decide(every, self.RULES, NOW)) == ["night-0", "night-2"]

    def test_the_newest_to_its_own_clock_where_the_api_server_s_went_back(self):
        every = nights(4)
        every[2] = replace(every[2], started=NOW + timedelta(hours=1))

        decision = decide(every, self.RULES, NOW)

        assert kept(decision) == ["night-0", "night-2"]
        assert why(decision, "night-2") == "the newest by its pod's clock"

    def test_one_whose_verification_by_shares_is_under_way(self):
        every = nights(9)
        every[7] = replace(every[7], verifying=Rotation(10, 1000, "ab" * 32))

        decision = decide(every, self.RULES, NOW)

        assert kept(decision) == ["night-0", "night-7"]
        assert why(decision, "night-7") == "verification in progress, 10 of 1000 bytes read"

    def test_so_many_that_fewer_than_the_minimum_stay(self):
        decision = decide(nights(9), Rules(last=1), NOW)

        assert kept(decision) == ["night-0", "night-1", "night-2"]
        assert why(decision, "night-0") == "last, the newest, the newest by the API server's clock"
        assert why(decision, "night-2") == "needed for minimum-redundancy 3"

    @pytest.mark.parametrize(
        ("change", "said"),
        [
            ({"schedule": ""}, "a person asked for it"),
            ({"maker": "3scale-operator", "schedule": "", "workflow": ""}, "made by the operator"),
            ({"state": BackupState.RUNNING}, "running"),
            (
                {"state": BackupState.UNKNOWN, "why": "its labels name another backup, x"},
                "unknown: its labels name another",
            ),
            ({"state": BackupState.FAILED}, "failed"),
            ({"damaged": Proof(NOW, "v")}, "damaged, delete it by hand if you don't need it"),
            ({"going": True}, "its claim is being deleted"),
        ],
    )
    def test_what_nobody_asked_to_touch(self, change, said):
        every = nights(9)
        every[8] = replace(every[8], **change)

        assert why(decide(every, self.RULES, NOW), "night-8").startswith(said)

    def test_those_are_judged_where_it_was_asked_for(self):
        every = nights(9)
        every[7] = replace(every[7], schedule="")
        every[8] = replace(every[8], schedule="", workflow="", maker="3scale-operator")

        rules = replace(self.RULES, manual=True, operators=True)
        assert kept(decide(every, rules, NOW)) == ["night-0"]

    def test_what_does_not_count_leaves_as_many_that_do(self):
        every = nights(9)
        every[1] = replace(every[1], damaged=Proof(NOW, "v"))

        assert kept(decide(every, Rules(last=1), NOW)) == ["night-0", "night-1", "night-2", "night-3"]


def shrunk(*files):
    """Nights with so many files, the newest first."""
    pairs = zip(nights(len(files)), files, strict=True)
    return [replace(entry, files=count, size_bytes=count * 100) for entry, count in pairs]


@pytest.mark.lesson(8)
class TestFromBeforeAShrink:
    RULES = Rules(last=2, minimum_redundancy=1)
    WHY = (
        "from before a shrink: night-{1} has {2} files, this backup has {3}. If the smaller size is right, delete "
        "this backup by hand (kubectl delete pvc night-{0})"
    )

    def test_the_newest_full_one_stays_through_all_nights_of_an_empty_source(self):
        every = nights(9, newest=NOW - timedelta(days=40))
        for night in range(40):
            empty = backup(f"empty-{night}", NOW - timedelta(days=39 - night), files=0, size_bytes=0)
            every = [empty, *every]
            gone = decide(every, Rules(last=3), NOW).to_delete
            every = [entry for entry in every if entry not in gone]

        assert [entry.name for entry in every] == ["empty-39", "empty-38", "empty-37", "night-0"]

    def test_it_says_what_it_is_and_who_deletes_it(self):
        decision = decide(shrunk(2, 2, 2, 10, 10), self.RULES, NOW)

        assert kept(decision) == ["night-0", "night-1", "night-3"]
        assert why(decision, "night-3") == self.WHY.format(3, 0, 2, 10)

    @pytest.mark.parametrize("change", [{"files": 4}, {"size_bytes": 499}])
    def test_of_files_and_of_bytes(self, change):
        every = [replace(entry, **change) for entry in nights(3)] + nights(9)[3:]

        assert kept(decide(every, self.RULES, NOW)) == ["night-0", "night-1", "night-3"]

    def test_it_stays_though_later_ones_have_as_many_again(self):
        decision = decide(shrunk(10, 10, 10, 1, 1, 10, 10), self.RULES, NOW)

        assert kept(decision) == ["night-0", "night-1", "night-3", "night-5"]
        assert why(decision, "night-3") == "shows that the backups shrank after night-5"

    def test_a_file_that_came_and_went_since_lets_the_full_one_not_go(self):
        decision = decide(shrunk(0, 0, 0, 1, 0, 0, 10, 10), self.RULES, NOW)

        assert kept(decision) == ["night-0", "night-1", "night-3", "night-6"]

    def test_a_shrink_over_several_nights_is_one_too(self):
        assert kept(decide(shrunk(4, 4, 6, 8, 9, 10, 10), self.RULES, NOW)) == ["night-0", "night-1", "night-4"]

    def test_one_that_is_damaged_does_not_stand_for_those_before_it(self):
        every = shrunk(2, 2, 2, 10, 10, 10)
        every[3] = replace(every[3], damaged=Proof(NOW, "v"))

        assert kept(decide(every, self.RULES, NOW)) == ["night-0", "night-1", "night-3", "night-4"]

    def test_once_a_person_has_deleted_it_the_smaller_ones_are_what_counts(self):
        every = shrunk(2, 2, 2, 2)

        assert kept(decide(every, self.RULES, NOW)) == ["night-0", "night-1"]

    def test_none_where_it_shrank_by_less_or_nobody_counted(self):
        every = shrunk(1, 1, 1, 5, 6, 9)
        every[:3] = [replace(entry, files=None, size_bytes=None, external=True) for entry in every[:3]]

        assert kept(decide(every, self.RULES, NOW)) == ["night-0", "night-1"]


@pytest.mark.lesson(8)
class TestNothingAtAll:
    RULES = Rules(last=1, minimum_redundancy=1)

    def frozen(self, every, now=NOW, **more):
        decision = decide(every, self.RULES, now, **more)
        assert (decision.to_delete == []) == bool(decision.frozen)
        return decision.frozen

    def test_without_a_rule(self):
        assert decide(nights(9), Rules(), NOW).frozen == "no retention rule is set"
        assert decide(nights(9), Rules(periods={"daily": 0}), NOW).to_delete == []

    def test_when_the_newest_run_failed(self):
        every = nights(9)
        every[0] = replace(every[0], state=BackupState.FAILED)

        assert self.frozen(every) == "the newest run failed: night-0"

    def test_when_it_failed_by_the_api_server_s_clock(self):
        every = nights(9)
        every[3] = replace(every[3], state=BackupState.FAILED, created=NOW + timedelta(hours=1))

        assert self.frozen(every, now=NOW + timedelta(hours=2)) == "the newest run failed: night-3"

    def test_when_it_failed_by_its_own_clock(self):
        every = nights(9)
        every[0] = replace(every[0], state=BackupState.FAILED, created=NOW - timedelta(days=99))

        assert self.frozen(every) == "the newest run failed: night-0"

    def test_when_it_failed_before_there_was_a_claim(self):
        assert self.frozen(nights(9), failed_run="nightly-7") == "the newest run failed: workflow nightly-7"

    def test_when_it_is_damaged(self):
        every = nights(9)
        every[0] = replace(every[0], damaged=Proof(NOW, "v"))

        assert self.frozen(every) == "the newest backup is damaged: night-0"

    @pytest.mark.parametrize(
        ("change", "said"),
        [
            ({"files": 4}, "night-0 has 4 files, night-1 before it had 10"),
            ({"size_bytes": 499}, "night-0 has 499 bytes, night-1 before it had 1000"),
            ({"files": 0, "size_bytes": 0}, "night-0 has 0 files, night-1 before it had 10"),
            ({"files": None, "size_bytes": None}, "the size of night-0 is not known"),
        ],
    )
    def test_when_the_newest_shrank(self, change, said):
        every = nights(9)
        every[0] = replace(every[0], **change)

        assert self.frozen(every) == said

    @pytest.mark.parametrize("days", [2, 4000])
    @pytest.mark.parametrize("clock", ["started", "created"])
    def test_when_it_shrank_behind_one_that_a_clock_has_put_ahead(self, clock, days):
        every = nights(9)
        every[0] = replace(every[0], files=1)
        every[1] = replace(every[1], **{clock: NOW + timedelta(days=days)})

        assert self.frozen(every) == "night-0 has 1 files, night-1 before it had 10"

    def test_when_it_shrank_and_its_own_clock_was_put_back(self):
        every = nights(9)
        every[0] = replace(every[0], files=1, started=NOW - timedelta(days=5, hours=1))

        assert self.frozen(every) == "night-0 has 1 files, night-1 before it had 10"

    @pytest.mark.parametrize("clock", ["started", "created"])
    def test_not_for_ever_when_one_failed_whose_clock_was_years_ahead(self, clock):
        every = nights(9)
        every[6] = replace(every[6], state=BackupState.FAILED, **{clock: NOW + timedelta(days=4000)})

        assert self.frozen(every) == ""

    @pytest.mark.parametrize("change", [{"files": 5, "size_bytes": 500}, {"files": 99, "size_bytes": 9999}])
    def test_not_when_it_shrank_by_less_or_grew(self, change):
        every = nights(9)
        every[0] = replace(every[0], **change)

        assert self.frozen(every) == ""

    def test_not_when_its_files_are_external_by_now(self):
        every = nights(9)
        every[0] = replace(every[0], files=None, size_bytes=None, external=True)

        assert self.frozen(every) == ""

    def test_not_when_the_one_before_failed_and_was_made_good(self):
        every = nights(9)
        every[1] = replace(every[1], state=BackupState.FAILED)

        assert self.frozen(every) == ""


def test_the_oldest_goes_first():
    assert [entry.name for entry in decide(nights(6), Rules(last=3), NOW).to_delete] == [
        "night-5",
        "night-4",
        "night-3",
    ]


class TestOfFailedRuns:
    RULES = Rules(last=1, minimum_redundancy=1, failed_after=Duration.read("3d", "failed-after"))

    def verdict(self, **change):
        every = nights(9)
        facts = {"state": BackupState.FAILED, "volume": "pv", "capacity": "1Gi", "why": "gone"}
        every[4] = replace(every[4], **{**facts, **change})
        decision = decide(every, self.RULES, NOW)
        (found,) = (each for each in decision.verdicts if each.entry.name == "night-4")
        assert (found.entry in decision.to_delete) == (not found.keep and not found.unread)
        assert (found.entry in decision.to_read) == found.unread
        return found.keep, found.unread, found.why

    def test_one_with_a_volume_goes_only_once_that_was_read(self):
        why = "its run failed longer ago than failed-after, unless its volume holds a manifest"

        assert self.verdict() == (False, True, why)

    def test_one_that_never_had_a_volume_goes(self):
        why = "its run failed longer ago than failed-after and its claim never had a volume"

        assert self.verdict(volume="", capacity="") == (False, False, why)

    @pytest.mark.parametrize("clock", ["started", "created"])
    def test_one_whose_clock_was_years_ahead_goes_by_the_other(self, clock):
        assert self.verdict(**{clock: NOW + timedelta(days=4000)})[0] is False

    def test_whoever_asked_for_the_run(self):
        assert self.verdict(schedule="")[0] is False

    @pytest.mark.parametrize(
        ("change", "why"),
        [
            ({"started": NOW - timedelta(days=3)}, "failed: gone"),
            ({"created": NOW - timedelta(days=2)}, "failed: gone"),
            ({"pinned": True}, "pinned"),
            ({"going": True}, "its claim is being deleted"),
            ({"damaged": Proof(NOW, "v")}, "damaged, delete it by hand if you don't need it"),
            ({"state": BackupState.RUNNING, "why": ""}, "running"),
            ({"state": BackupState.UNKNOWN, "why": "copied"}, "unknown: copied"),
            ({"maker": "3scale-operator", "schedule": ""}, "failed: gone, made by the operator"),
            ({"capacity": ""}, "failed, and its claim is not bound to volume pv"),
        ],
    )
    def test_but_not(self, change, why):
        assert self.verdict(**change) == (True, False, why)

    def test_none_goes_unless_that_was_asked_for(self):
        every = nights(9)
        every[8] = replace(every[8], state=BackupState.FAILED, volume="pv", capacity="1Gi")

        assert "night-8" in kept(decide(every, Rules(last=1), NOW))

    @pytest.mark.lesson(8)
    def test_nothing_at_all_after_a_run_that_failed(self):
        every = [replace(entry, state=BackupState.FAILED, volume="pv", capacity="1Gi") for entry in nights(9)]

        decision = decide(every, self.RULES, NOW)

        assert (decision.to_read, decision.to_delete) == ([], [])
        assert decision.frozen == "the newest run failed: night-0"

    def test_the_sum_says_how_many_go_only_once_they_were_read(self):
        every = nights(3)
        every[2] = replace(
            every[2], state=BackupState.FAILED, started=NOW - timedelta(days=9), volume="pv", capacity="1Gi"
        )
        every[2] = replace(every[2], created=NOW - timedelta(days=9))

        assert (
            decide(every, self.RULES, NOW).text()[-1]
            == "1 to keep, 2 to delete, 1 of them only after their volume is read"
        )


WITHIN = {Duration.read("36h", ""): (0, 0, 36), Duration.read("3m2d1h", ""): (3, 2, 1)}
MOMENTS = st.datetimes(datetime(2024, 1, 1), datetime(2026, 12, 31), timezones=st.just(UTC))
PROOFS = st.sampled_from([None] * 4 + [Proof(NOW, "w")])
APART = [timedelta()] * 4 + [timedelta(minutes=90), timedelta(days=2), timedelta(days=4000)]
SIZES = [(10, 1000), (11, 1100), (9, 900)] * 3 + [(0, 0), (1, 1000), (5, 900), (10, 90), (None, None)]
FACTS = st.fixed_dictionaries(
    {
        "started": MOMENTS,
        "state": st.sampled_from([*BackupState, *[BackupState.COMPLETE] * 9]),
        "maker": st.sampled_from([OURS, OURS, OURS, OPERATORS]),
        "schedule": st.sampled_from(["nights"] * 3 + [""]),
        "pinned": st.sampled_from([False] * 9 + [True]),
        "verified": PROOFS,
        "proven": PROOFS,
        "damaged": st.sampled_from([None] * 9 + [Proof(NOW, "w")]),
        "verifying": st.sampled_from([None] * 9 + [Rotation(1, 9, "ab" * 32)]),
        "going": st.sampled_from([False] * 9 + [True]),
    }
)
ROWS = st.tuples(FACTS, st.sampled_from([-1, 1]), st.sampled_from(APART), st.sampled_from(SIZES), st.booleans())
CATALOGUES = (st.lists(ROWS, max_size=5) | st.lists(ROWS, min_size=8, max_size=25)).map(
    lambda rows: [
        backup(
            f"b{number}",
            **facts,
            created=facts["started"] + sign * apart,
            files=files,
            size_bytes=size_bytes,
            volume="pv" if bound else "",
            capacity="1Gi" if bound else "",
        )
        for number, (facts, sign, apart, (files, size_bytes), bound) in enumerate(rows)
    ]
)
RULES = st.builds(
    lambda last, periods, within, redundancy, shrink, manual, operators, zone, failed_after: Rules(
        last=last,
        periods=periods,
        within=within,
        minimum_redundancy=redundancy,
        max_shrink=shrink,
        manual=manual,
        operators=operators,
        timezone=ZoneInfo(zone),
        failed_after=failed_after,
    ),
    st.integers(0, 4),
    st.fixed_dictionaries(dict.fromkeys(PERIODS, st.integers(0, 4))),
    st.sampled_from([None, None, *WITHIN]),
    st.integers(0, 4),
    st.sampled_from([0, 0.2, 0.5, 1]),
    st.booleans(),
    st.booleans(),
    st.sampled_from(["UTC", "Europe/Madrid", "America/Sao_Paulo", "Pacific/Apia"]),
    st.sampled_from([None, Duration.read("3d", "failed-after")]),
)


def by_model(good, rules):
    """What restic's rules keep, by another way: text of the local time, and one pass a rule."""
    names = {entry.name for entry in good[: rules.last]}
    for rule, count in rules.periods.items():
        texts = [entry.began.astimezone(rules.timezone).strftime(FORMATS[rule]) for entry in good]
        firsts = [index for index, text in enumerate(texts) if text not in texts[:index]]
        chosen = firsts[:count] + ([len(good) - 1] if good and len(firsts) < count else [])
        names |= {good[index].name for index in chosen}
    if rules.within and good:
        months, days, hours = WITHIN[rules.within]
        back = local = min(good[0].began, NOW).astimezone(rules.timezone)
        for _ in range(months):
            last = back.replace(day=1) - timedelta(days=1)
            back = last.replace(day=min(local.day, last.day))
        since = (back - timedelta(days=days)).astimezone(UTC) if months or days else local
        names |= {entry.name for entry in good if entry.began + timedelta(hours=hours) >= since}
    return names


def in_order(every):
    """The newest first."""
    return sorted(every, key=lambda e: (min(e.started, e.created), e.created, e.name), reverse=True)


def is_good(entry):
    return entry.state is BackupState.COMPLETE and not entry.damaged and not entry.going


def is_smaller(newer, older, rules):
    part = 1 - rules.max_shrink
    return newer.files < older.files * part or newer.size_bytes < older.size_bytes * part


def of_shrinks(good, rules):
    """What is from before a shrink, and what shows it: each is held against all that came later."""
    counted = [entry for entry in good if entry.files is not None]
    smaller = {old.name: [new for new in counted[:at] if is_smaller(new, old, rules)] for at, old in enumerate(counted)}
    found = [name for name, newer in smaller.items() if newer][:1]
    for at, old in enumerate(counted[1:], 1):
        for what in ("files", "size_bytes"):
            most = max(getattr(new, what) for new in counted[:at])
            found += [old.name] * (most < getattr(old, what) * (1 - rules.max_shrink))
    return {*found, *(smaller[name][0].name for name in found)}


def holds_up(every, rules):
    """Whether something speaks against the newest by a clock that shows a moment to come for none."""
    for clock in ("began", "created", "started"):
        moments = {entry.name: getattr(entry, clock) for entry in every}
        moments |= {entry.name: entry.began for entry in every if moments[entry.name] > NOW}
        ordered = sorted(in_order(every), key=lambda e: moments[e.name], reverse=True)
        ended = [entry for entry in ordered if entry.state in {BackupState.COMPLETE, BackupState.FAILED}]
        good = [entry for entry in ordered if is_good(entry)]
        counted = [entry for entry in good if entry.files is not None]
        if ended and (ended[0].state is BackupState.FAILED or ended[0].damaged):
            return True
        if len(good) > 1 and counted and good[0].files is None:
            return True
        if len(counted) > 1 and is_smaller(counted[0], counted[1], rules):
            return True
    return not rules.any


def untouchable(every, rules):
    """What no rule may delete, whatever the others are."""
    names = {e.name for e in every if e.pinned or e.damaged or e.going or e.verifying}
    names |= {e.name for e in every if e.state in {BackupState.RUNNING, BackupState.UNKNOWN}}
    failed = [e for e in every if e.state is BackupState.FAILED]
    names |= {e.name for e in failed if e.volume or not rules.failed_after or e.maker == OPERATORS}
    names |= {e.name for e in failed if e.began > NOW - timedelta(days=3)}
    complete = [e for e in every if e.state is BackupState.COMPLETE]
    names |= {e.name for e in complete if e.maker == OURS and not e.schedule and not rules.manual}
    return names | {e.name for e in complete if e.maker == OPERATORS and not rules.operators}


def newest(good):
    """The newest by each clock, and those of which most was shown."""
    found = [max(good, key=clock) for clock in (lambda e: e.created, lambda e: e.started) if good]
    for shown in (good, [e for e in good if e.verified], [e for e in good if e.proven]):
        found += shown[:1]
    return {e.name for e in found}


@pytest.mark.lesson(18)
@given(CATALOGUES, RULES)
@settings(max_examples=80, deadline=None)
def test_what_must_never_go_never_goes(every, rules):
    decision = decide(every, rules, NOW)
    gone = {entry.name for entry in decision.to_delete}

    good = [entry for entry in in_order(every) if is_good(entry)]
    never = untouchable(every, rules) | newest(good) | of_shrinks(good, rules)
    assert not gone & never
    assert not gone & by_model(good, rules)
    assert not {e.name for e in decision.to_read} & {
        e.name for e in every if e.state is not BackupState.FAILED or e.pinned
    }
    gone &= {e.name for e in good}
    assert len(good) - len(gone) >= min(rules.minimum_redundancy, len(good))
    if not decision.frozen and len(good) - len(gone) > rules.minimum_redundancy:
        assert gone == {e.name for e in good} - never - by_model(good, rules)


@pytest.mark.lesson(8)
@given(CATALOGUES, RULES)
@settings(max_examples=80, deadline=None)
def test_nothing_goes_where_something_speaks_against_the_newest_and_only_there(every, rules):
    decision = decide(every, rules, NOW)

    assert bool(decision.frozen) == holds_up(every, rules)
    assert not decision.frozen or decision.to_delete == decision.to_read == []


@given(CATALOGUES, RULES)
@settings(max_examples=80, deadline=None)
def test_run_twice_it_deletes_nothing_more(every, rules):
    first = decide(every, rules, NOW)
    left = [entry for entry in every if entry not in first.to_delete]

    assert decide(left, rules, NOW).to_delete == []
    assert decide([entry for entry in left if entry not in first.to_read], rules, NOW).to_delete == []
