import pytest

from steps.archive import contents, marks
from steps.contract.restore_contract import RestoreWishes
from steps.kubernetes.kinds import CLAIM
from steps.parts import set_aside, system_storage
from steps.parts.conflicts import REFUSE, REPLACE
from steps.parts.system_storage import ClaimState
from steps.plans import restore_plan, storage_plan
from steps.plans.plan import Does

HERE = {
    ClaimState.ABSENT: None,
    ClaimState.THEIRS: {},
    ClaimState.THEIRS_GOING: {},
    ClaimState.FRESH: {marks.RESTORE_STATE: ""},
    ClaimState.SET_ASIDE: {marks.RESTORE_STATE: marks.SET_ASIDE, marks.SAVED_TO: "saved"},
    ClaimState.SAVE_LOST: {marks.RESTORE_STATE: marks.SET_ASIDE, marks.SAVED_TO: "lost"},
    ClaimState.BEGUN: {marks.RESTORE_STATE: marks.BEGUN},
    ClaimState.FILLED: {marks.RESTORE_STATE: marks.COMPLETE},
    ClaimState.IN_USE: {marks.RESTORE_STATE: marks.IN_USE},
    ClaimState.IN_USE_GOING: {marks.RESTORE_STATE: marks.IN_USE},
}
# What a plan says of the claim for refuse and for replace, and whether it saves the files that are in the claim.
PLANNED = {
    ClaimState.ABSENT: (("create", False), ("create", True)),
    ClaimState.THEIRS: (("same", False), ("replace", True)),
    ClaimState.THEIRS_GOING: (("refused", False), ("refused", False)),
    ClaimState.FRESH: (("create (done)", False), ("create (done)", True)),
    ClaimState.SET_ASIDE: (("same", False), ("replace (done)", False)),
    ClaimState.SAVE_LOST: (("same", False), ("replace", True)),
    ClaimState.BEGUN: (("create (done)", False), ("create (done)", False)),
    ClaimState.FILLED: (("create (done)", False), ("create (done)", False)),
    ClaimState.IN_USE: (("keep", False), ("replace", True)),
    ClaimState.IN_USE_GOING: (("refused, keep", False), ("refused, create (done)", False)),
}
GOES = (ClaimState.THEIRS_GOING, ClaimState.IN_USE_GOING)


def of(stage, root, **wishes):
    door = stage.connect("threescale-restore")
    return restore_plan.of(door, contents.open_at(root, root.name), RestoreWishes(**wishes), last_try=True)


STORAGE = "PersistentVolumeClaim system-storage"


def told_of_storage(planned):
    """What a plan says of the claim of System FileStorage, in words."""
    found = [line for line in planned.plan.lines if line.what == STORAGE and line.does is not Does.LEFT_OUT]
    return ", ".join(f"{line.does.value} (done)" if line.done else line.does.value for line in found)


class TestTheClaimOfSystemFileStorage:
    @staticmethod
    def lay(stage, opened, state, more=()):
        if HERE[state] is None:
            return
        mine = {**opened.mark.annotations(), **HERE[state], **dict(more)} if HERE[state] else {}
        metadata = {"annotations": mine, **({"finalizers": ["example/wait"]} if state in GOES else {})}
        stage.claim(metadata=metadata)
        if state is ClaimState.SET_ASIDE:
            stage.claim("saved")
        if state in GOES:
            stage.kubernetes.delete("persistentvolumeclaims", stage.namespace, "system-storage")

    @pytest.mark.parametrize("asked", [REFUSE, REPLACE])
    @pytest.mark.parametrize("state", ClaimState)
    def test_each_state_is_found_and_has_its_decision(self, quiet, backup_volume, state, asked):
        opened = contents.open_at(backup_volume, backup_volume.name)
        self.lay(quiet, opened, state)
        door = quiet.connect("threescale-restore")
        claim = door.get(CLAIM, "system-storage")

        planned = of(quiet, backup_volume, file_storage_conflict=asked)

        assert system_storage.state(door, claim, opened, is_going=state in GOES) is state
        assert (told_of_storage(planned), planned.saves_files) == PLANNED[state][asked == REPLACE]
        assert [line.how for line in planned.kept] == [
            how for how in [storage_plan.DECISIONS[state][asked].kept] if how is not None
        ]
        assert bool(planned.plan.objections) == (state in GOES)

    @pytest.mark.parametrize("state", [ClaimState.BEGUN, ClaimState.FILLED])
    def test_one_whose_files_were_replaced_is_not_said_to_be_created(self, quiet, backup_volume, state):
        opened = contents.open_at(backup_volume, backup_volume.name)
        self.lay(quiet, opened, state, {marks.SAVED_TO: "saved"})

        planned = of(quiet, backup_volume)

        assert (told_of_storage(planned), planned.kept) == ("replace (done)", [])

    def test_what_a_plan_saves_is_what_the_phase_would_save(self):
        saves = {state for state, decided in storage_plan.DECISIONS.items() if decided[REPLACE].saves}

        assert saves - {ClaimState.ABSENT} == {*set_aside.UNSAVED}


class TestWhatIsNotRestoredOfTheClaim:
    def test_a_plan_says_it_and_its_digest_does_not_depend_on_it(self, quiet, backup_volume):
        without = of(quiet, backup_volume, storage_class="standard").plan
        manifest = backup_volume / "manifest.json"
        opened = contents.open_at(backup_volume, backup_volume.name)
        storage = opened.manifest.source.system_storage.model_copy(update={"volume_attributes_class": "gold"})
        source = opened.manifest.source.model_copy(update={"system_storage": storage})
        manifest.write_text(opened.manifest.model_copy(update={"source": source}).model_dump_json())

        plan = of(quiet, backup_volume, storage_class="standard").plan

        assert [line.how.partition(";")[0] for line in plan.lines if line.does is Does.LEFT_OUT] == [
            "volumeAttributesClassName gold"
        ]
        assert [line for line in plan.lines if line.is_bound] == [line for line in without.lines if line.is_bound]
