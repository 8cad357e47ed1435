"""Which snapshots are kept: by the code that decides on claims, with the facts of snapshots."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from steps.catalogue.catalogue import BackupState, Proof
from steps.catalogue.retention import Rules, decide
from steps.contract.prune_contract import PruneForget, RulesAsked
from steps.repository import kept
from steps.repository.ledger import Known, RepositoryLedger
from steps.repository.snapshots import Snapshot
from tests.builders.forged import OTHER, OWN, Forged, know
from tests.builders.listings import NOW, backup
from tests.conftest import Stage

ONE = kept.rules(RulesAsked(keep_last=1, minimum_redundancy=1))


@pytest.fixture
def forged(tmp_path, restic_on_path):
    return Forged(tmp_path, restic_on_path)


def judged(stage: Stage, forged: Forged, rules: Rules = ONE):
    with forged.opened() as restic:
        return kept.judge(restic, stage.connect(), rules, datetime(2026, 11, 20, tzinfo=UTC))


def doomed(found):
    return [each.backup for each in found.doomed]


def why(found, name):
    return next(each.why for each in found.decision.verdicts if each.entry.name.startswith(f"{name} "))


def test_the_snapshots_that_no_rule_keeps_are_forgotten_the_oldest_first(empty, forged):
    forged.nights(4)
    know(empty)

    assert doomed(judged(empty, forged)) == ["night-1", "night-2", "night-3"]


def test_without_a_rule_none_is_forgotten(empty, forged):
    forged.nights(3)
    know(empty)

    found = judged(empty, forged, kept.rules(RulesAsked(minimum_redundancy=0)))

    assert doomed(found) == []
    assert list(found.text())[-1] == "nothing is deleted: no retention rule is set"


def test_what_the_ledger_knows_protects_as_the_marks_of_a_claim_do(empty, forged):
    first, second, third, *_ = forged.nights(5)
    when = datetime(2026, 11, 6, tzinfo=UTC)
    know(empty, **{first: Known(pinned=True), second: Known(proven=when), third: Known(verified=when)})

    found = judged(empty, forged)

    assert doomed(found) == ["night-4"]
    assert [why(found, f"night-{day}") for day in (1, 2, 3)] == ["pinned", "the newest proven", "the newest verified"]


def test_nothing_is_forgotten_while_the_newest_is_damaged(empty, forged):
    *_, last = forged.nights(3)
    know(empty, **{last: Known(damaged=datetime(2026, 11, 6, tzinfo=UTC))})

    found = judged(empty, forged)

    assert doomed(found) == []
    assert f"the newest backup is damaged: night-3 ({last[:8]})" in found.decision.frozen


def test_nothing_is_forgotten_when_the_newest_shrank(empty, forged):
    forged.nights(2)
    last = forged.save("night-3", "2026-11-03 02:00:00", files=2)
    know(empty)

    found = judged(empty, forged)

    assert doomed(found) == []
    assert f"night-3 ({last[:8]}) has 2 files" in found.decision.frozen


def test_a_shrink_is_explained_with_the_command_for_a_snapshot(empty, forged):
    first = forged.save("night-1", "2026-11-01 02:00:00", files=100)
    forged.save("night-2", "2026-11-02 02:00:00", files=2)
    forged.save("night-3", "2026-11-03 02:00:00", files=2)
    know(empty)

    assert f"(restic forget {first})" in why(judged(empty, forged), "night-1")


def test_nothing_is_forgotten_while_the_newest_is_not_whole(empty, forged):
    forged.nights(2)
    last = forged.save("night-3", "2026-11-03 02:00:00", whole=False)
    know(empty)

    found = judged(empty, forged)

    assert doomed(found) == []
    assert found.decision.frozen == f"the newest run failed: night-3 ({last[:8]})"


def test_a_proved_snapshot_counts_though_its_tags_speak_against_it(empty, forged):
    made = forged.save("night-1", "2026-11-01 02:00:00", whole=False)
    know(empty, **{made: Known(proved=datetime(2026, 11, 6, tzinfo=UTC))})

    assert judged(empty, forged).decision.verdicts[0].entry.state is BackupState.COMPLETE


def test_another_origin_is_counted_and_never_judged(empty, forged):
    forged.nights(2)
    forged.save("theirs", "2026-10-01 02:00:00", origin=OTHER, namespace="their-api")
    know(empty)

    found = judged(empty, forged)

    assert doomed(found) == ["night-1"]
    assert [each.backup for each in found.others] == ["theirs"]
    (line,) = [each for each in found.text() if "not touched" in each]
    assert line.startswith(f"not touched: 1 snapshots of their-api/apimanager (origin {OTHER}), which added ")


def test_an_adopted_origin_is_judged_with_the_own_one(empty, forged):
    forged.nights(2)
    forged.save("theirs", "2026-10-01 02:00:00", origin=OTHER)
    know(empty, adopted=OTHER)

    assert doomed(judged(empty, forged)) == ["theirs", "night-1"]


def test_two_snapshots_of_one_backup_count_once_and_go_together(empty, forged):
    forged.save("night-1", "2026-11-01 02:00:00")
    forged.save("night-1", "2026-11-01 02:00:00")
    forged.nights(3)
    know(empty)

    found = judged(empty, forged, kept.rules(RulesAsked(keep_last=2, minimum_redundancy=2)))

    assert doomed(found) == ["night-1"] * 3
    assert len(found.decision.verdicts) == 3


def test_a_snapshot_that_is_gone_is_named(empty, forged):
    forged.nights(1)
    know(empty, **{"c" * 64: Known(pinned=True)})

    assert judged(empty, forged).vanished == ["c" * 64]


def test_where_no_snapshot_is_ours_the_ledger_stays(empty, forged):
    forged.save("theirs", "2026-10-01 02:00:00", origin=OTHER)
    know(empty, **{"c" * 64: Known(pinned=True)})

    assert judged(empty, forged).vanished == []


MOMENTS = st.integers(0, 60).map(lambda days: NOW - timedelta(days=days, hours=3))
FACTS = st.tuples(
    MOMENTS,
    st.sampled_from([10, 10, 10, 2]),  # files
    st.sampled_from(["nights", "nights", ""]),
    st.booleans(),  # whole
    st.sampled_from([{}, {}, {}, {"pinned": True}, {"verified": NOW}, {"proven": NOW}, {"damaged": NOW}]),
)
RULES = st.builds(
    RulesAsked,
    keep_last=st.integers(0, 3),
    keep_daily=st.integers(0, 5),
    keep_weekly=st.integers(0, 3),
    minimum_redundancy=st.integers(0, 3),
    manual=st.sampled_from(["no", "yes"]),
)


@settings(max_examples=200, deadline=None)
@given(st.lists(FACTS, max_size=8, unique_by=lambda each: each[0]), RULES)
def test_a_snapshot_has_the_verdict_that_a_claim_with_the_same_facts_has(every, asked):
    found, claims, known = [], [], {}
    for number, (when, files, schedule, whole, facts) in enumerate(every):
        snapshot = Snapshot(
            f"{number:064}", OWN, when, f"b{number}", f"d{number}", "/backup", files=files, size_bytes=1000,
            schedule=schedule, expected=1, processed=1 if whole else 0, written=when,
        )  # fmt: skip
        found.append(snapshot)
        known[snapshot.id] = Known.model_validate(facts)
        marks = {name: Proof(NOW, "") if value is NOW else value for name, value in facts.items()}
        state = BackupState.COMPLETE if whole else BackupState.FAILED
        claims.append(replace(backup(f"b{number}", when, files=files, schedule=schedule, state=state), **marks))
    rules = kept.rules(asked)
    of_claims = decide(claims, rules, NOW)
    groups = list(kept._groups(found, RepositoryLedger(snapshots=known)))
    of_snapshots = decide([kept._entry(group, RepositoryLedger(snapshots=known)) for group in groups], rules, NOW)

    def told(decision):
        return [(each.entry.name.split(" ")[0], each.keep) for each in decision.verdicts]

    assert told(of_snapshots) == told(of_claims)
    assert bool(of_snapshots.frozen) == bool(of_claims.frozen)
    assert [each.name.split(" ")[0] for each in of_snapshots.to_delete] == [each.name for each in of_claims.to_delete]


@pytest.mark.parametrize("name", ["last", "hourly", "daily", "weekly", "monthly", "yearly"])
def test_each_rule_has_an_argument_of_its_own(name):
    told = PruneForget(**{f"repository_keep_{name}": 3})

    rules = kept.rules(told.of_copies("UTC"))

    assert rules.last == (3 if name == "last" else 0)
    assert rules.periods.get(name, 3) == 3
    assert rules.any


def test_a_clock_that_was_ahead_is_seen_by_the_time_of_the_push():
    written = NOW - timedelta(days=3)
    ahead = Snapshot("1" * 64, OWN, NOW + timedelta(days=900), "b", "d", "/backup", expected=1, processed=1)

    entry = kept._entry([replace(ahead, written=written)], RepositoryLedger())

    assert entry.began == written


BEFORE, AFTER = datetime(2026, 11, 6, tzinfo=UTC), datetime(2026, 11, 8, tzinfo=UTC)


def twins(forged):
    """Two snapshots of one backup, and a newer backup."""
    return (*(forged.save("night-1", "2026-11-01 02:00:00") for _ in range(2)), forged.nights(2)[1])


def test_a_damaged_snapshot_is_forgotten_once_its_backup_was_pushed_again(empty, forged):
    lost, again, newest = twins(forged)
    marked = Known(proved=BEFORE, damaged=datetime(2026, 11, 7, tzinfo=UTC))
    know(empty, **{lost: marked, again: Known(proved=AFTER), newest: Known(proved=AFTER)})

    found = judged(empty, forged, kept.rules(RulesAsked(keep_last=9)))

    assert [each.id for each in found.doomed] == [lost]
    assert any(line.startswith(f"delete  night-1 ({lost[:8]})  damaged, and a later") for line in found.text())


@pytest.mark.parametrize(
    ("lost", "again"),
    [
        ({"proved": BEFORE, "damaged": AFTER}, {"proved": BEFORE}),
        ({"proved": BEFORE, "damaged": BEFORE}, {"proved": AFTER, "damaged": AFTER}),
        ({"proved": BEFORE, "damaged": BEFORE}, {}),
        ({"proved": BEFORE, "damaged": BEFORE, "pinned": True}, {"proved": AFTER}),
        ({"proved": BEFORE}, {"proved": AFTER}),
    ],
    ids=["not proved since", "both damaged", "never proved", "pinned", "none damaged"],
)
def test_otherwise_a_damaged_snapshot_stays(empty, forged, lost, again):
    first, second, newest = twins(forged)
    know(empty, **{first: Known(**lost), second: Known(**again), newest: Known(proved=AFTER)})

    assert doomed(judged(empty, forged, kept.rules(RulesAsked(keep_last=9)))) == []


def test_without_a_rule_a_replaced_snapshot_stays_too(empty, forged):
    lost, again, _ = twins(forged)
    know(empty, **{lost: Known(proved=BEFORE, damaged=BEFORE), again: Known(proved=AFTER)})

    assert doomed(judged(empty, forged, kept.rules(RulesAsked(minimum_redundancy=0)))) == []
