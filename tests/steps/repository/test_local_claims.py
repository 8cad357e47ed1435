"""Which claims may go because a copy takes their place: by facts, and against a real repository."""

from dataclasses import replace
from datetime import datetime, timedelta
from types import SimpleNamespace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from steps.catalogue.catalogue import BackupEntry, Proof
from steps.catalogue.retention import Copies, Rules, decide
from steps.repository import kept, ledger, local_claims
from steps.repository.kept import RepositoryLook
from steps.repository.ledger import Known, RepositoryLedger
from steps.repository.snapshots import Snapshot
from tests.builders.forged import NAME, OTHER, OWN, Forged, know
from tests.builders.listings import NOW, backup

NIGHTS = "nights"


class Named:
    """A repository that has only a name."""

    store = SimpleNamespace(name="trial")


@pytest.fixture
def forged(tmp_path, restic_on_path):
    return Forged(tmp_path, restic_on_path)


def a_claim(day: int, **facts: object) -> BackupEntry:
    made = backup(f"night-{day}", NOW - timedelta(days=30 - day), schedule=NIGHTS)
    return replace(made, manifest_sha256=f"of-night-{day}", **facts)


def going(decision):
    return [each.name for each in decision.to_delete]


def safe(*days: int) -> Copies:
    return Copies({f"of-night-{day}": f"{NAME}/{day}" for day in days})


def test_all_but_the_newest_go_if_their_copies_were_read_back() -> None:
    claims = [a_claim(day) for day in (1, 2, 3, 4)]

    assert going(decide(claims, Rules(local=1), NOW, copies=safe(1, 3, 4))) == ["night-1", "night-3"]
    assert going(decide(claims, Rules(local=0), NOW, copies=safe(1, 2, 3, 4))) == [
        f"night-{day}" for day in (1, 2, 3, 4)
    ]


def test_the_rules_for_claims_do_not_decide_beside_it() -> None:
    claims = [a_claim(day) for day in (1, 2, 3)]
    rules = Rules(local=1, periods={"daily": 2}, last=2, minimum_redundancy=3)

    assert going(decide(claims, rules, NOW, copies=safe(1, 2, 3))) == ["night-1", "night-2"]
    assert going(decide(claims, rules, NOW)) == []


def test_without_it_copies_change_nothing() -> None:
    claims = [a_claim(day) for day in (1, 2, 3, 4, 5)]
    rules = Rules(last=4, minimum_redundancy=1)

    assert going(decide(claims, rules, NOW, copies=safe(4, 5))) == going(decide(claims, rules, NOW)) == ["night-1"]


def test_nothing_goes_when_the_newest_claim_is_smaller_than_the_newest_copy() -> None:
    copy = replace(a_claim(1), files=100, size_bytes=1000)
    claim = replace(a_claim(2), files=2, size_bytes=1000)
    copies = Copies(safe(1, 2).safe, [copy])

    decision = decide([claim], Rules(local=0), NOW, copies=copies)

    assert going(decision) == []
    assert decision.frozen == "night-2 has 2 files, night-1 before it had 100"


def test_nothing_goes_after_a_failed_run() -> None:
    decision = decide([a_claim(1)], Rules(local=0), NOW, "backup-7", safe(1))

    assert going(decision) == []


@pytest.mark.parametrize(
    ("facts", "damage", "counts"),
    [
        (Known(verified=NOW), {}, True),
        (Known(proved=NOW), {}, False),
        (Known(verified=NOW, damaged=NOW), {}, False),
        (Known(verified=NOW), {"packs": ["e" * 64]}, False),
        (Known(verified=NOW), {"index": True}, False),
    ],
)
def test_only_a_copy_that_was_read_back_and_is_not_damaged_counts(empty, forged, facts, damage, counts) -> None:
    ((snapshot),) = forged.nights(1)
    know(empty, **{snapshot: facts})
    door = empty.connect()
    if damage:
        ledger.note_damage(door, NAME, {}, **{"packs": [], **damage})

    with forged.opened() as restic:
        found = local_claims.copies([restic], door, [])
        doubt = local_claims.doubt([restic], door, a_claim(1))

    assert bool(found.safe) == counts
    assert (doubt == "") == counts


def test_a_snapshot_of_another_origin_does_not_count(empty, forged) -> None:
    snapshot = forged.save("night-1", "2026-11-01 02:00:00", origin=OTHER)
    know(empty, **{snapshot: Known(verified=NOW)})
    door = empty.connect()

    with forged.opened() as restic:
        assert local_claims.copies([restic], door, []) == Copies({}, [])
        assert "no longer in a repository" in local_claims.doubt([restic], door, a_claim(1))
        know(empty, OTHER, **{snapshot: Known(verified=NOW)})
        assert local_claims.doubt([restic], door, a_claim(1)) == ""


def test_a_copy_that_was_forgotten_meanwhile_does_not_count(empty, forged) -> None:
    (snapshot,) = forged.nights(1)
    know(empty, **{snapshot: Known(verified=NOW)})
    door = empty.connect()

    with forged.opened() as restic:
        assert local_claims.copies([restic], door, []).safe
        restic.run("forget", snapshot)
        assert local_claims.doubt([restic], door, a_claim(1))


def test_a_proof_of_the_claim_is_handed_on_to_its_copy(empty, forged) -> None:
    (snapshot,) = forged.nights(1)
    know(empty, **{snapshot: Known(verified=NOW)})
    door = empty.connect()
    proven = datetime.fromisoformat("2026-01-02T03:04:05Z")

    with forged.opened() as restic:
        assert local_claims.doubt([restic], door, a_claim(1, proven=Proof(proven, "drill-1"))) == ""

    assert ledger.read(door, NAME).of(snapshot) == Known(verified=NOW, proven=proven)


def test_a_copy_is_not_forgotten_while_its_claim_is_there(empty, forged) -> None:
    forged.nights(3)
    know(empty)
    rules = kept.rules(kept.RulesAsked(keep_last=1, minimum_redundancy=1))

    with forged.opened() as restic:
        found = kept.judge(restic, empty.connect(), rules, NOW, {"of-night-1"})

    assert [each.backup for each in found.doomed] == ["night-2"]


DAYS = st.integers(0, 40).map(lambda days: NOW - timedelta(days=days, hours=3))
PLACES = st.tuples(
    DAYS,
    st.sampled_from(["claim", "copy", "both", "both", "both"]),
    st.sampled_from(["verified", "verified", "", "damaged", "broken"]),  # what is known of the copy
    st.sampled_from([{}, {}, {}, {"pinned": True}, {"damaged": Proof(NOW, "")}, {"verified": Proof(NOW, "")}]),
    st.sampled_from(["nights", "nights", "nights", ""]),
    st.sampled_from([10, 10, 10, 10, 2]),  # files
)


@settings(max_examples=300, deadline=None)
@given(st.lists(PLACES, max_size=8, unique_by=lambda each: each[0]), st.integers(0, 4), st.booleans())
def test_the_newest_backup_stays_and_nothing_goes_without_a_whole_reading(every, local, other):
    claims, groups, facts = [], {}, {}
    for number, (when, place, copy, told, schedule, files) in enumerate(every):
        digest, snapshot_id = f"d{number}", f"{number:064}"
        if place != "copy":
            entry = backup(f"b{number}", when, files=files, size_bytes=1000, schedule=schedule)
            claims.append(replace(entry, manifest_sha256=digest, **told))
        if place != "claim":
            whole = copy != "broken"
            groups[digest] = Snapshot(
                snapshot_id, OWN, when, f"b{number}", digest, "/backup", files=files, size_bytes=1000,
                schedule=schedule, expected=1, processed=1 if whole else 0, written=when,
            )  # fmt: skip
            facts[snapshot_id] = Known(
                verified=NOW if copy in {"verified", "broken", "damaged"} else None,
                damaged=NOW if copy == "damaged" else None,
            )
    known = RepositoryLedger(snapshots=facts, index=other and local == 4)
    own = list(groups.values())
    seen = RepositoryLook(known, own, [], {each.id: [each] for each in own})
    copies = local_claims._copies({Named(): seen}, claims)

    decision = decide(claims, Rules(local=local), NOW, copies=copies)

    gone = decision.to_delete
    for entry in gone:
        snapshot = groups[entry.manifest_sha256]
        assert snapshot.is_whole
        assert facts[snapshot.id].verified
        assert not facts[snapshot.id].damaged
        assert not known.index
        assert entry.schedule
        assert not entry.pinned
        assert not entry.damaged
    left = [each for each in claims if each not in gone]
    if gone:
        assert len([each for each in left if each.schedule and not (each.pinned or each.damaged)]) >= local
        every_one = [*claims, *copies.alone]
        newest = max((each for each in every_one if not each.damaged), key=lambda each: each.began)
        places = {each.uid for each in left} | {each.uid for each in copies.alone}
        assert newest.uid in places or newest.manifest_sha256 in copies.safe
