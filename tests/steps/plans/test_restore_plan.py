import json
import re
import shutil
from collections import Counter
from types import SimpleNamespace

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from steps import errors
from steps.archive import contents, layout, marks
from steps.contract.restore_contract import RestoreWishes
from steps.files import volume
from steps.kubernetes import fields
from steps.kubernetes.kinds import APIMANAGER, CLAIM, CONFIGMAP, SECRET
from steps.kubernetes.workflow import Workflow
from steps.parts import (
    apimanager,
    configmaps,
    conflicts,
    file_storage,
    objects,
    secrets,
    set_aside,
)
from steps.parts.conflicts import KEEP, REFUSE, REPLACE, OnConflict, Target
from steps.plans import restore_plan
from steps.plans.plan import FILES, Does
from steps.threescale import installation
from tests.builders.objects import patch, put_apimanager
from tests.builders.operators_backup import operators_own
from tests.builders.refusals import Holding, refused
from workflows.rehearsal.threescale import objects as threescale_objects

WORKFLOW = Workflow("threescale-restore-x6hfh", "e1")


class TestPrepare:
    @staticmethod
    def prepare(stage, root, *, approved=(), last_try=False, **wishes):
        opened = contents.open_at(root, root.name)
        door = stage.connect("threescale-restore")
        planned = restore_plan.of(door, opened, RestoreWishes(**wishes), last_try=last_try)
        restore_plan.prepare(door, planned, WORKFLOW, approved)
        return opened

    def test_system_storage_is_made_with_the_mark_and_nothing_else(self, lost, backup_volume):
        lost.kubernetes.clear_requests()

        opened = self.prepare(lost, backup_volume)

        made = lost.get("persistentvolumeclaims", "system-storage")
        assert opened.mark.on(made)
        assert fields.annotation(made, marks.RESTORE_STATE) == ""
        writes = [request for request in lost.kubernetes.writes() if "restore" in request.user]
        assert [(request.verb, request.resource) for request in writes] == [("create", "persistentvolumeclaims")]

    def test_each_secret_and_configmap_is_read_once(self, lost, backup_volume):
        lost.kubernetes.clear_requests()

        self.prepare(lost, backup_volume)

        read = Counter(
            (each.resource, each.name)
            for each in lost.kubernetes.requests
            if each.verb == "get" and each.resource in {"secrets", "configmaps"} and "restore" in each.user
        )
        assert set(read.values()) == {1}

    def test_prepared_again_it_is_kept(self, lost, backup_volume):
        self.prepare(lost, backup_volume)
        before = lost.get("persistentvolumeclaims", "system-storage")["metadata"]["uid"]

        self.prepare(lost, backup_volume)

        assert lost.get("persistentvolumeclaims", "system-storage")["metadata"]["uid"] == before

    def refuse(self, stage, root, refusal, **more):
        stage.kubernetes.clear_requests()

        with refusal:
            self.prepare(stage, root, **more)

        assert [request for request in stage.kubernetes.writes() if "restore" in request.user] == []

    def test_a_damaged_backup_is_refused_before_anything_is_written(self, lost, backup_volume):
        (backup_volume / "secrets/zync.json").write_bytes(b"")

        self.refuse(lost, backup_volume, refused(errors.BackupDamaged, findings=Holding("secrets/zync.json")))

    def test_a_missing_file_of_the_tree_is_refused_before_anything_is_written(self, lost, backup_volume):
        (backup_volume / layout.TREE / ".hidden-top").unlink()

        self.refuse(lost, backup_volume, refused(errors.BackupDamaged, findings=Holding("'.hidden-top' is missing")))

    def test_another_version_is_refused_before_anything_is_written(self, lost, backup_volume):
        name = "threescale-operator-controller-manager-v2"
        labels = {"spec": {"template": {"metadata": {"labels": {"rht.comp_ver": "2.15"}}}}}
        patch(lost, "deployments", name, labels)

        self.refuse(lost, backup_volume, refused(errors.VersionDiffers, other="2.15"))

    def test_another_value_is_refused_before_anything_is_written(self, lost, backup_volume):
        for kind, name, data in (
            ("Secret", "zync", {"SECRET_KEY_BASE": "eA=="}),
            ("ConfigMap", "system-environment", {}),
        ):
            metadata = {"name": name, "namespace": lost.namespace}
            lost.kubernetes.apply({"apiVersion": "v1", "kind": kind, "metadata": metadata, "data": data})

        for differing in ("Secret zync: ", "SECRET_KEY_BASE", "ConfigMap system-environment: "):
            self.refuse(lost, backup_volume, refused(errors.ObjectsDiffer, differing=Holding(differing)))

    def test_another_value_of_what_the_apimanager_names_is_refused_before_anything_is_written(
        self, lost, backup_volume
    ):
        metadata = {"name": "my-policy", "namespace": lost.namespace}
        lost.kubernetes.apply(
            {"apiVersion": "v1", "kind": "Secret", "metadata": metadata, "data": {"init.lua": "eA=="}}
        )

        differing = ["Secret my-policy: apicast-policy.json, init.lua, my-policy.lua"]
        self.refuse(lost, backup_volume, refused(errors.ObjectsDiffer, differing=differing))

    def test_a_backup_without_what_its_apimanager_names_asks_for_it(self, lost, backup_volume):
        operators_own(backup_volume)

        refusal = refused(errors.ReferencesMissing, references=Holding("customEnvironments[0].secretRef.name)"))
        self.refuse(lost, backup_volume, refusal, threescale_version="2.16")

    def test_what_the_apimanager_names_may_be_there_already(self, lost, backup_volume):
        operators_own(backup_volume)
        for secret in threescale_objects.sample("secrets", lost.namespace):
            if secret["metadata"]["name"] in threescale_objects.REFERENCED_SECRETS:
                lost.kubernetes.apply(secret)

        self.prepare(lost, backup_volume, threescale_version="2.16")

        assert "system-storage" in lost.exists("persistentvolumeclaims")

    def test_a_role_that_lacks_the_names_is_refused_with_the_rule_before_anything_is_written(self, lost, backup_volume):
        names = threescale_objects.REFERENCED_SECRETS
        role = lost.get("roles", "threescale-restore")
        for rule in role["rules"]:
            if "get" in rule["verbs"] and rule["resources"] == ["secrets"]:
                rule["resourceNames"] = [name for name in rule["resourceNames"] if name not in names]
        lost.kubernetes.apply(role)

        self.refuse(lost, backup_volume, refused(errors.NamesNotAllowed, names=list(names)))

    def test_a_system_storage_whose_owner_is_gone_is_waited_for_and_not_kept(self, lost, backup_volume):
        lost.kubernetes.gc_delay_s = float("inf")
        owner = {"apiVersion": "apps.3scale.net/v1alpha1", "kind": "APIManager", "name": "example", "uid": "dead"}
        metadata = {"name": "system-storage", "namespace": lost.namespace, "ownerReferences": [owner]}
        lost.kubernetes.apply(
            {
                "apiVersion": "v1",
                "kind": "PersistentVolumeClaim",
                "metadata": metadata,
                "spec": {"accessModes": ["ReadWriteMany"], "resources": {"requests": {"storage": "1Gi"}}},
            }
        )

        going = ["PersistentVolumeClaim system-storage belongs to APIManager example, which is gone"]
        self.refuse(lost, backup_volume, refused(errors.ObjectsGoing, names=going))
        self.refuse(lost, backup_volume, refused(errors.ObjectsGoingStill, names=going), last_try=True)

    def test_a_system_storage_of_another_restore_is_refused(self, lost, backup_volume):
        self.prepare(lost, backup_volume)
        other = {"metadata": {"annotations": marks.Mark("weekly", "other").annotations()}}
        patch(lost, "persistentvolumeclaims", "system-storage", other)

        self.refuse(lost, backup_volume, refused(errors.ClaimOfAnotherRestore, other="weekly"))

    def test_a_request_that_is_too_small_is_refused(self, lost, backup_volume):
        self.refuse(lost, backup_volume, refused(errors.RequestTooSmall, request="1Ki"), storage_request="1Ki")

    def test_where_the_apimanager_is_made_only_the_routes_are_left(self, lost, backup_volume):
        opened = contents.open_at(backup_volume)
        put_apimanager(lost, opened.mark.annotations())
        lost.claim("system-storage")

        self.prepare(lost, backup_volume)

        assert not [
            request
            for request in lost.kubernetes.writes()
            if "restore" in request.user and request.resource == "persistentvolumeclaims"
        ]

    def test_what_the_operator_has_not_completed_is_no_backup(self, lost, backup_volume):
        for name in (layout.MANIFEST, layout.BEGIN):
            (backup_volume / name).unlink()
        made = {
            "apiVersion": "apps.3scale.net/v1alpha1",
            "kind": "APIManagerBackup",
            "metadata": {"name": backup_volume.name, "namespace": lost.namespace},
            "spec": {},
        }
        lost.kubernetes.apply(made)

        self.refuse(lost, backup_volume, refused(errors.NotABackup, reason=Holding("has not completed this backup")))

        lost.kubernetes.apply(made | {"status": {"completed": True}})
        for path in (backup_volume / layout.REFERENCED).rglob("*.json"):  # the operator's own backup holds none
            obj = json.loads(path.read_text())
            lost.kubernetes.apply({**obj, "metadata": {**obj["metadata"], "namespace": lost.namespace}})
        self.prepare(lost, backup_volume)


def of(stage, root, **wishes):
    door = stage.connect("threescale-restore")
    return restore_plan.of(door, contents.open_at(root, root.name), RestoreWishes(**wishes), last_try=True)


def lines(planned):
    return {line.what: line for line in planned.plan.lines}


class TestPlan:
    def test_it_names_every_object_and_the_tree_and_what_is_waited_for(self, lost, backup_volume):
        planned = of(lost, backup_volume)
        found = lines(planned)

        created = {what for what, line in found.items() if line.does is Does.CREATE}
        saved = [path for path in contents.open_at(backup_volume).manifest.objects if "system-memcache" not in path]
        names = {path.rpartition("/")[2].removesuffix(".json") for path in saved} - {*installation.DATABASE_SECRETS}
        assert {what.rpartition(" ")[2] for what in created if what != "System FileStorage"} == (
            names - {"apimanager-backup"} | {"example-apimanager", "system-storage"}
        )
        assert {what for what, line in found.items() if line.does is Does.YOURS} == {
            f"Secret {name}" for name in installation.DATABASE_SECRETS
        }
        assert found["Secret system-memcache"].does is Does.OPERATORS
        assert re.fullmatch(r"\d+ files, \d+ folders, \d+ links, \d+ bytes", found["System FileStorage"].how)
        assert re.fullmatch(r"\d+ bytes, type Opaque", found["Secret zync"].how)
        assert re.fullmatch(r"\d+ bytes", found["APIManager example-apimanager"].how)
        assert found["PersistentVolumeClaim system-storage"].how == "256Mi, ReadWriteMany, of class standard"
        assert len([line for line in planned.plan.lines if line.does is Does.EXPECTED]) == 6
        assert [line.what for line in planned.plan.lines if line.does is Does.WAIT] == [
            "a ready pod of system-sidekiq, for zync:resync:domains",
            "3scale (as-before)",
        ]
        assert planned.plan.objections == []

    def test_it_asks_and_changes_nothing(self, lost, backup_volume):
        lost.kubernetes.clear_requests()

        of(lost, backup_volume)

        assert [request for request in lost.kubernetes.writes() if "restore" in request.user] == []

    def test_it_holds_no_value_of_a_secret(self, lost, backup_volume):
        for secret in threescale_objects.sample("secrets", lost.namespace):
            if secret["metadata"]["name"] == "zync":
                lost.kubernetes.apply({**secret, "data": {**secret["data"], "DATABASE_URL": "b3RoZXI="}})
        planned = of(lost, backup_volume)

        told = "\n".join(planned.plan.text()) + json.dumps(planned.plan.as_json())

        assert lines(planned)["Secret zync"].how == "DATABASE_URL, type Opaque"
        for path in (backup_volume / "secrets").iterdir():
            for value in json.loads(path.read_text())["data"].values():
                assert len(value) < 6 or value not in told

    @pytest.mark.lesson(25)
    def test_who_else_owns_an_object_is_a_warning(self, lost, backup_volume):
        for secret in threescale_objects.sample("secrets", lost.namespace):
            if secret["metadata"]["name"] == "zync":
                labels = {"kustomize.toolkit.fluxcd.io/name": "infra", "kustomize.toolkit.fluxcd.io/namespace": "flux"}
                metadata = {**secret["metadata"], "labels": labels}
                lost.kubernetes.apply({**secret, "metadata": metadata})

        planned = of(lost, backup_volume)

        warnings = [line for line in planned.plan.lines if line.does is Does.WARNING]
        assert [line.what for line in warnings] == ["Secret zync"]
        assert warnings[0].how.startswith("Flux (Kustomization flux/infra) manages this object")
        assert planned.plan.objections == []

    def test_who_else_owns_the_claim_of_the_files_is_a_warning_too(self, lost, backup_volume):
        lost.claim(metadata={"annotations": {"argocd.argoproj.io/instance": "infra"}})

        planned = of(lost, backup_volume)

        warnings = [line for line in planned.plan.lines if line.does is Does.WARNING]
        assert [(line.what, line.how.partition(" manages")[0]) for line in warnings] == [
            (STORAGE_LINE, "Argo CD (Application infra)")
        ]

    def test_its_names_alone_are_small_enough_for_an_output(self, lost, backup_volume):
        planned = of(lost, backup_volume)

        told = dict(line.split(": ", 1) for line in planned.plan.names.splitlines())

        assert told["left to you"] == ", ".join(f"Secret {name}" for name in installation.DATABASE_SECRETS)
        assert {"Secret zync", STORAGE_LINE, "System FileStorage"} <= set(told["create"].split(", "))

        for number in range(2000):
            planned.plan.add(Does.CREATE, f"Secret {number:032}")

        assert len(planned.plan.names) < 33 << 10
        assert planned.plan.names.endswith("... and more: see the log")

    def test_what_is_kept_is_not_said_to_be_rewritten(self, lost, backup_volume):
        metadata = {"name": "system-environment", "namespace": lost.namespace}
        lost.kubernetes.apply({"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": {"mine": "yes"}})
        door = lost.connect("threescale-restore")
        opened = contents.open_at(backup_volume, backup_volume.name).under("new.example.com")

        planned = restore_plan.of(door, opened, RestoreWishes(on_conflict=KEEP), last_try=True)

        moved = [line.what for line in planned.plan.lines if line.does is Does.REWRITTEN]
        assert moved == [
            "APIManager example-apimanager: spec.wildcardDomain",
            "Secret backend-listener: route_endpoint",
        ]

    def test_all_that_speaks_against_it_is_said_together(self, lost, backup_volume):
        for name in installation.DATABASE_SECRETS:
            lost.kubernetes.delete("secrets", lost.namespace, name)
        put_apimanager(lost)

        planned = of(lost, backup_volume, threescale_version="2.15")

        kinds = [errors.VersionDiffers, errors.ApiManagerPresent, errors.ObjectsMissing]
        assert [type(each) for each in planned.plan.objections] == kinds
        refused = {line.what for line in planned.plan.lines if line.does is Does.REFUSED}
        assert refused == {"3scale's version", "APIManager example-apimanager", "the databases' Secrets"}

    def test_it_is_the_same_while_a_restore_goes_on_by_it(self, lost, backup_volume):
        opened = contents.open_at(backup_volume, backup_volume.name)
        door = lost.connect("threescale-restore")
        planned = of(lost, backup_volume)

        restore_plan.prepare(door, planned, WORKFLOW, [planned.plan.digest])
        assert of(lost, backup_volume).plan.digest == planned.plan.digest

        file_storage.restore(door, opened, lost.engine.volume("system-storage"), lambda *_: None, 0)
        secrets.restore(
            Target(door, (), opened.mark), opened, conflict=OnConflict(planned=planned.kept_secrets), last_try=True
        )
        configmaps.restore(
            Target(door, (), opened.mark), opened, conflict=OnConflict(planned=planned.kept_configmaps), last_try=True
        )
        again = of(lost, backup_volume)

        assert again.plan.digest == planned.plan.digest
        assert {line.what for line in again.plan.lines if line.does is Does.CREATE and not line.done} == {
            "APIManager example-apimanager"
        }

    def test_a_target_that_has_changed_since_it_was_approved_is_left_alone(self, lost, backup_volume):
        approved = of(lost, backup_volume).plan.digest
        for secret in threescale_objects.sample("secrets", lost.namespace):
            if secret["metadata"]["name"] == "zync":
                lost.kubernetes.apply(secret)
        now = of(lost, backup_volume).plan.digest
        door = lost.connect("threescale-restore")

        with refused(errors.PlanDiffers, asked=approved, now=now):
            restore_plan.prepare(door, of(lost, backup_volume), WORKFLOW, [approved])

        assert "system-storage" not in lost.exists("persistentvolumeclaims")

    @pytest.mark.parametrize(
        "wishes",
        [
            {"access_mode": "ReadWriteOnce"},
            {"database_secrets": "restore"},
            {"ready": "available"},
            {"wait_minutes": 30},
        ],
        ids=lambda wishes: next(iter(wishes)),
    )
    def test_whoever_wishes_otherwise_gets_another_digest(self, lost, backup_volume, wishes):
        assert of(lost, backup_volume, **wishes).plan.digest != of(lost, backup_volume).plan.digest

    def test_a_restore_that_came_far_goes_on_under_no_other_domain(self, lost, backup_volume):
        opened = contents.open_at(backup_volume).under("new.example.com")
        put_apimanager(lost, opened.mark.annotations())

        planned = restore_plan.of(lost.connect("threescale-restore"), opened, RestoreWishes(), last_try=True)

        assert planned.is_done
        with refused(errors.DomainDiffers, found="apps.example.test", asked="new.example.com"):
            planned.plan.refuse()

    def test_a_restore_that_came_far_is_refused_where_the_claim_that_it_filled_is_gone(self, quiet, backup_volume):
        opened = contents.open_at(backup_volume)
        put_apimanager(quiet, opened.mark.annotations())
        planned = restore_plan.of(quiet.connect("threescale-restore"), opened, RestoreWishes(), last_try=True)

        with refused(errors.ClaimGone, name="system-storage"):
            planned.plan.refuse()

    def test_another_domain_is_shown_place_by_place(self, lost, backup_volume):
        opened = contents.open_at(backup_volume).under("new.example.com")
        planned = restore_plan.of(lost.connect("threescale-restore"), opened, RestoreWishes(), last_try=True)

        rewritten = [line.what for line in planned.plan.lines if line.does is Does.REWRITTEN]
        assert rewritten == [
            "APIManager example-apimanager: spec.wildcardDomain",
            "Secret backend-listener: route_endpoint",
            "ConfigMap system-environment: THREESCALE_SUPERDOMAIN",
        ]
        assert lines(planned)["System's database"].does is Does.YOURS


SOME = ("Secret system-app", "Secret zync", "Secret my-policy", "ConfigMap system-environment", "ConfigMap system")
STATES = ("absent", "same", "made", "differs", "going")
STORAGE = ("absent", "empty", "filled", marks.IN_USE)
STORAGE_LINE = "PersistentVolumeClaim system-storage"
PLURALS = {"Secret": "secrets", "ConfigMap": "configmaps"}


def lay(stage, opened, what, state):
    """Put an object of the backup into the namespace in a state."""
    kind, name = what.split()
    if name in stage.exists(PLURALS[kind]):
        stage.kubernetes.patch(PLURALS[kind], stage.namespace, name, {"metadata": {"finalizers": None}})
        if name in stage.exists(PLURALS[kind]):
            stage.kubernetes.delete(PLURALS[kind], stage.namespace, name)
    if state == "absent":
        return
    saved = {objects.named(obj): obj for obj in [*secrets.to_restore(opened), *configmaps.to_restore(opened)]}[what]
    obj = objects.marked(saved, opened.mark) if state == "made" else objects.clean(saved)
    obj["metadata"]["namespace"] = stage.namespace
    if state == "differs":
        obj["data"] = {**(obj.get("data") or {}), "more": "eA=="}
    if state == "going":
        obj["metadata"]["finalizers"] = ["example/wait"]
    stage.kubernetes.apply(obj)
    if state == "going":
        stage.kubernetes.delete(PLURALS[kind], stage.namespace, name)


def clear(stage, opened):
    """Take away all that a restore has made."""
    for resource, name in [
        *(("secrets", obj["metadata"]["name"]) for obj in secrets.to_restore(opened)),
        *(("configmaps", obj["metadata"]["name"]) for obj in configmaps.to_restore(opened)),
        ("apimanagers", opened.apimanager["metadata"]["name"]),
        ("persistentvolumeclaims", "system-storage"),
        ("persistentvolumeclaims", f"{WORKFLOW.name}-replaced"),
    ]:
        if name in stage.exists(resource):
            stage.kubernetes.patch(resource, stage.namespace, name, {"metadata": {"finalizers": None}})
        if name in stage.exists(resource):
            stage.kubernetes.delete(resource, stage.namespace, name)
    shutil.rmtree(stage.engine.volume("system-storage"))
    shutil.rmtree(stage.engine.volume(f"{WORKFLOW.name}-replaced"))


def rewritten(stage, original, kept):
    """Where what is there says something else than the backup, but for what was `kept`."""
    saved = [*secrets.to_restore(original), *configmaps.to_restore(original)]
    for obj in saved:
        found = stage.get(PLURALS[obj["kind"]], obj["metadata"]["name"])
        if objects.named(obj) not in kept:
            yield from (f"{objects.named(obj)}: {key}" for key in conflicts.differing_keys(obj, found))
    found = stage.get("apimanagers", original.apimanager["metadata"]["name"])
    if found["spec"] != original.apimanager["spec"]:
        yield f"{objects.named(found)}: spec.wildcardDomain"


def lay_storage(stage, opened, state):
    """Put system-storage as somebody made it, or a restore of this backup, and perhaps a file into it."""
    if state != "absent":
        mine = {**opened.mark.annotations(), marks.RESTORE_STATE: state} if state == marks.IN_USE else {}
        stage.claim(metadata={"annotations": mine})
    if state in {"filled", marks.IN_USE}:
        (stage.engine.volume("system-storage") / "mine.txt").write_text("written since")


def act_by(door, opened, planned, folder, wishes, replaced):
    restore_plan.prepare(door, planned, WORKFLOW)
    asked, replacing = wishes.on_conflict, WORKFLOW if wishes.file_storage_conflict == REPLACE else None
    target, told = Target(door, (), opened.mark), []
    for kind, names, kept in (
        (SECRET, planned.differing_secrets, planned.kept_secrets),
        (CONFIGMAP, planned.differing_configmaps, planned.kept_configmaps),
    ):
        versions = set_aside.save_objects(door, kind, names, replaced) if planned.saves_objects else {}
        told.append(OnConflict(asked, names, versions, "replaced", kept))
    if planned.saves_files:
        set_aside.save_files(door, opened, folder, replaced, WORKFLOW, lambda *_: None, 0)
    file_storage.restore(door, opened, folder, lambda *_: None, 0, replacing=replacing)
    secrets.restore(target, opened, conflict=told[0], last_try=True)
    configmaps.restore(target, opened, conflict=told[1], last_try=True)
    apimanager.restore(door, opened)


class TestReplacingWhatAStoragePutsIntoAFreshVolume:
    WISHES = RestoreWishes(file_storage_conflict=REPLACE)

    @pytest.fixture
    def act(self, quiet, backup_volume):
        opened = contents.open_at(backup_volume, backup_volume.name)
        door = quiet.connect("threescale-restore")
        folder, saved_to = quiet.engine.volume("system-storage"), quiet.engine.volume(f"{WORKFLOW.name}-replaced")
        shutil.rmtree(folder)
        folder.mkdir()

        def act(wishes=self.WISHES):
            planned = restore_plan.of(door, opened, wishes, last_try=True)
            act_by(door, opened, planned, folder, wishes, saved_to)

        return SimpleNamespace(act=act, door=door, opened=opened, folder=folder, saved=saved_to / layout.TREE)

    @pytest.mark.parametrize("is_refused_before", [False, True])
    def test_it_is_saved_and_then_removed(self, act, is_refused_before):
        (act.folder / "README").write_text("put here by the storage")
        if is_refused_before:
            with refused(errors.TargetNotEmpty, entries=["README"]):
                act.act(RestoreWishes())

        act.act()

        assert (act.saved / "README").read_text() == "put here by the storage"
        assert not (act.folder / "README").exists()
        assert (act.folder / ".hidden-top").exists()

    def test_a_volume_that_is_empty_is_filled_at_once(self, act, quiet):
        act.act()

        assert not act.saved.exists()
        assert fields.annotation(quiet.get("persistentvolumeclaims", "system-storage"), marks.SAVED_TO) == ""
        assert (act.folder / ".hidden-top").exists()

    def test_the_plan_is_the_same_before_and_after_the_claim_is_made(self, act):
        planned = restore_plan.of(act.door, act.opened, self.WISHES, last_try=True)
        restore_plan.prepare(act.door, planned, WORKFLOW)

        again = restore_plan.of(act.door, act.opened, self.WISHES, last_try=True)

        assert again.plan.digest == planned.plan.digest
        assert "saved to claim WORKFLOW-replaced first" in lines(planned)[STORAGE_LINE].how

    def test_what_was_passed_over_when_the_rest_was_saved_is_not_removed(self, act, monkeypatch):
        (act.folder / "README").touch()
        (act.folder / ".snapshot").mkdir()
        (act.folder / ".snapshot/mine").touch()
        save = set_aside.save_files

        def mounted_read_only(*arguments):
            with monkeypatch.context() as patched:
                patched.setattr(volume, "_is_read_only", lambda _root: True)
                return save(*arguments)

        monkeypatch.setattr(set_aside, "save_files", mounted_read_only)

        with pytest.raises(errors.TargetHoldsSnapshots):
            act.act()

        assert (act.folder / ".snapshot/mine").exists()
        assert (act.saved / "README").exists()
        assert (act.folder / "README").exists()


def test_snapshots_on_the_backup_s_volume_are_a_warning_of_the_plan(quiet, backup_volume, monkeypatch):
    monkeypatch.setattr(volume, "_is_read_only", lambda _root: True)  # as the phase mounts it
    (backup_volume / ".snapshot").mkdir()

    planned = of(quiet, backup_volume)

    assert lines(planned)["folder .snapshot"].does is Does.WARNING


class TestWhatAPlanSaysIsWhatHappens:
    @pytest.mark.thorough
    @pytest.mark.lesson(5)
    def test_for_random_states_of_the_target(self, quiet, backup_volume):  # noqa: PLR0915  what holds of each
        as_it_was = contents.open_at(backup_volume, backup_volume.name)
        door = quiet.connect("threescale-restore")
        likely = st.sampled_from(STATES[:3])

        states = st.fixed_dictionaries(dict.fromkeys(SOME, likely))
        objects_asked, files_asked = st.sampled_from((REFUSE, KEEP, REPLACE)), st.sampled_from((REFUSE, REPLACE))

        @given(
            states,
            st.sampled_from(SOME),
            st.sampled_from(STATES),
            objects_asked,
            files_asked,
            st.sampled_from(STORAGE),
            st.sampled_from(("", "new.example.com")),
        )
        @settings(max_examples=16, deadline=None)
        def check(states, odd, state, on_conflict, file_conflict, storage, domain):  # noqa: PLR0913  what is random
            opened = as_it_was.under(domain)
            wishes = RestoreWishes(on_conflict=on_conflict, file_storage_conflict=file_conflict)
            clear(quiet, opened)
            for what, laid in {**states, odd: state}.items():
                lay(quiet, opened, what, laid)
            lay_storage(quiet, opened, storage)
            planned = restore_plan.of(door, opened, wishes, last_try=True)
            said = [line.what for line in planned.plan.lines if line.does is Does.CREATE and not line.done]
            replaced = [line.what for line in planned.plan.lines if line.does is Does.REPLACE]
            unseen = [line.what for line in planned.plan.lines if line.does is Does.UNSEEN]
            assert (FILES in unseen) == (storage in {"empty", "filled"} and file_conflict == REFUSE)
            may_be_filled = storage == "absent" and file_conflict == REPLACE  # by the storage itself
            claims = [f"{WORKFLOW.name}-replaced"] if replaced or may_be_filled else []
            quiet.kubernetes.clear_requests()

            sentence = ""
            folder, saved_to = quiet.engine.volume("system-storage"), quiet.engine.volume(f"{WORKFLOW.name}-replaced")
            try:
                act_by(door, opened, planned, folder, wishes, saved_to)
            except errors.PhaseError as error:
                sentence = str(error)

            created = [each for each in quiet.kubernetes.writes() if each.verb == "create" and "restore" in each.user]
            updated = [
                each.name for each in quiet.kubernetes.writes() if each.verb == "update" and "restore" in each.user
            ]
            names = [*{what.rpartition(" ")[2] for what in said if what != "System FileStorage"}, *claims]
            refused = state == "going" or (state == "differs" and on_conflict == REFUSE)
            assert bool(planned.plan.objections) == refused
            if refused:
                assert sentence == str(planned.plan.objections[0])
                assert created == updated == []
            elif storage == "filled" and file_conflict == REFUSE:  # what a claim holds is seen when it is mounted
                assert "system-storage" not in names
                assert str(errors.TargetNotEmpty("system-storage", ["mine.txt"])) == sentence
                assert {each.name for each in created} <= {*claims}
                assert updated == []
            else:
                assert sentence == ""
                assert sorted(each.name for each in created) == sorted(names)
                assert updated == [what.rpartition(" ")[2] for what in replaced if what != STORAGE_LINE]
                assert (STORAGE_LINE in replaced) == (storage != "absent" and file_conflict == REPLACE)
                is_kept = storage == marks.IN_USE and file_conflict == REFUSE
                is_saved = storage in {"filled", marks.IN_USE} and file_conflict == REPLACE
                assert (saved_to / layout.TREE / "mine.txt").exists() == is_saved
                assert (folder / "mine.txt").exists() == is_kept
                kept = {line.what for line in planned.plan.lines if line.does is Does.KEEP}
                moved = [line.what for line in planned.plan.lines if line.does is Does.REWRITTEN]
                assert sorted(moved) == sorted(rewritten(quiet, as_it_was, kept))

        check()

    @pytest.mark.thorough
    def test_for_a_server_that_refuses_and_for_a_target_that_changes_after_the_plan(self, quiet, backup_volume):
        opened, server = contents.open_at(backup_volume, backup_volume.name), quiet.kubernetes
        door = quiet.connect("threescale-restore")
        everything = {each.name: each for each in (SECRET, CONFIGMAP, CLAIM, APIMANAGER)}

        @given(
            st.fixed_dictionaries(dict.fromkeys(SOME, st.sampled_from(STATES[:3]))),
            st.sampled_from((None, None, None, None, *everything)),
            st.sampled_from((None, None, None, 0, 3)),
            st.one_of(st.none(), st.tuples(st.sampled_from(SOME), st.sampled_from(STATES[:4]))),
            st.sampled_from((REFUSE, KEEP, REPLACE)),
        )
        @example(dict.fromkeys(SOME, "absent"), None, None, (SOME[0], "same"), REFUSE)
        @example(dict.fromkeys(SOME, "absent"), None, None, (SOME[0], "differs"), REPLACE)
        @example(dict.fromkeys(SOME, "same"), None, None, (SOME[0], "absent"), KEEP)
        @settings(max_examples=16, deadline=None)
        def check(states, refused, room, change, on_conflict):
            wishes = RestoreWishes(on_conflict=on_conflict)
            server.forget_faults()
            server.quota("secrets", quiet.namespace, limit=1000)
            clear(quiet, opened)
            for what, laid in states.items():
                lay(quiet, opened, what, laid)
            if room is not None:
                server.quota("secrets", quiet.namespace, limit=len(quiet.exists("secrets")) + room)
            if refused:
                denied = {"status": 403, "reason": "Forbidden", "message": f"{refused} is denied by policy"}
                server.refuse_next("create", everything[refused].resource, times=99, **denied)
            planned = restore_plan.of(door, opened, wishes, last_try=True)
            said = [line.what for line in planned.plan.lines if line.does is Does.CREATE and not line.done]
            server.quota("secrets", quiet.namespace, limit=1000)
            if change:
                lay(quiet, opened, *change)
            server.clear_requests()
            folder, saved_to = quiet.engine.volume("system-storage"), quiet.engine.volume(f"{WORKFLOW.name}-replaced")

            ended = None
            try:
                act_by(door, opened, planned, folder, wishes, saved_to)
            except errors.PhaseError as error:
                ended = error

            writes = [each for each in server.writes() if "restore" in each.user]
            created = sorted(each.name for each in writes if each.verb == "create")
            names = sorted({what.rpartition(" ")[2] for what in said if what != FILES})
            assert bool(planned.plan.objections) == bool(refused or room is not None)
            if planned.plan.objections:
                assert ended is planned.plan.objections[0]
                assert writes == []
            elif change is None:
                assert (ended, created) == (None, names)
            else:
                was_made = change[1] == "made"  # as a try before would have made it
                assert set(created) <= set(names)
                assert ended or set(names) - set(created) <= ({change[0].split()[1]} if was_made else set())
                assert [each.name for each in writes if each.verb == "update"] == []
                if change[1] == "differs":
                    there = quiet.get(PLURALS[change[0].split()[0]], change[0].split()[1])
                    assert there["data"]["more"] == "eA=="

        check()
