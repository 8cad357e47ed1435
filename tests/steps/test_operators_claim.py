"""A claim that the operator's APIManagerBackup made is restored by our phases, in each shape that it has had."""

import base64
import json
import logging
import shutil
import tarfile
from types import MappingProxyType

import click
import pytest
from click.testing import CliRunner

from steps import errors
from steps.archive import contents, layout
from steps.threescale import installation
from tests.builders import operators_backup, phases
from tests.builders.installations import USERS
from tests.builders.operators_backup import GENUINE
from workflows.__main__ import main
from workflows.manifests import render
from workflows.rehearsal import comparison
from workflows.rehearsal.rehearse import SETTINGS
from workflows.rehearsal.threescale import installation as threescale
from workflows.rehearsal.threescale import objects as threescale_objects

pytestmark = pytest.mark.thorough

CLAIM = "example-apimanagerbackup-pvc"
ZYNC = f"{layout.SECRETS}/{installation.ZYNC_SECRET}.json"
MADE_BY_OPERATOR = {"annotations": {installation.BACKUP_NAME: "example-apimanagerbackup"}}
FOREIGN = {"finalizers", "managedFields", "ownerReferences", "status"}  # what another cluster's object had
NEW = "new.example.com"
NOT_RESTORED = {f"secrets/{name}" for name in (*USERS, "system-memcache")}


@pytest.fixture
def waiting(empty):
    """A namespace with the operator, the three database Secrets, those that the APIManager names, and the claim."""
    empty.kubernetes.apply(threescale_objects.operator_deployment(empty.namespace))
    threescale.give_database_secrets(empty.kubernetes, empty.namespace)
    give(empty, *threescale_objects.REFERENCED_SECRETS)
    empty.claim(CLAIM, metadata=MADE_BY_OPERATOR)
    with threescale.Operator(empty.kubernetes, step_s=0.005):
        yield empty


@pytest.fixture
def root(tmp_path):
    """Its volume."""
    return operators_backup.make(tmp_path / CLAIM)


def give(stage, *names):
    """Bring Secrets of the sample, as its administrator does."""
    for secret in threescale.sample_secrets(stage.namespace):
        if secret["metadata"]["name"] in names:
            stage.kubernetes.apply(secret)


def verified(root):
    """What `verify` says."""
    result = CliRunner().invoke(main, ["verify", str(root)])
    return result.exit_code, result.stdout + result.stderr


def saved(root):
    """What must be there afterwards, judged by the files and not by what reads them."""
    found = {}
    for path in sorted(root.glob("*/*.json")):
        obj = json.loads(path.read_bytes())
        found[f"{obj['kind'].lower()}s/{obj['metadata']['name']}"] = obj
    return {name: comparison._bare(obj) for name, obj in found.items()}


def restored(stage, names):
    """What is there, of these names."""
    found = (name.partition("/") for name in names)
    return {f"{kind}/{name}": comparison._bare(stage.get(kind, name)) for kind, _, name in found}


def trees(stage, root):
    """The tree as it was saved and as it is there, without times and modes that a restore widens."""
    both = comparison.tree(root / layout.TREE), comparison.tree(stage.storage) if stage.storage.exists() else {}
    return [{path: (node.kind, node.content) for path, node in tree.items()} for tree in both]


def written(stage):
    """What a restore wrote."""
    return [request for request in stage.kubernetes.writes() if "restore" in request.user]


def spec(**fields):
    return lambda root: operators_backup.change_apimanager(root, fields)


def without_zync(root):
    operators_backup.change_apimanager(root, {"zync": {"enabled": False}})
    (root / ZYNC).unlink()


def empty_tree(root):
    shutil.rmtree(root / layout.TREE)
    (root / layout.TREE).mkdir()


def tree_of_dot_files(root):
    empty_tree(root)
    (root / layout.TREE / ".hidden-top").write_bytes(b"hidden\n")


def in_the_form(form):
    return lambda root: operators_backup.make(root, form)


SHAPES = {
    **{f"files {name}": in_the_form(form) for name, form in operators_backup.FORMS.items()},
    "Zync disabled, and without its Secret": without_zync,
    "an empty tree": empty_tree,
    "a tree of dot-files": tree_of_dot_files,
    "strange entries at the root": lambda root: (root / "lost+found").mkdir(),
    "no label and no annotation": lambda root: operators_backup.put(
        root, ZYNC, operators_backup.python_2(bare(json.loads((root / ZYNC).read_bytes())))
    ),
}


def bare(obj):
    return {**obj, "metadata": {"name": obj["metadata"]["name"], "labels": None, "annotations": None}}


BY_DEFAULT = ("files of Python 2", "Zync disabled, and without its Secret", "an empty tree")  # each takes its time


@pytest.mark.parametrize(
    "shape",
    [
        pytest.param(shape, id=name, marks=() if name in BY_DEFAULT else pytest.mark.thorough)
        for name, shape in SHAPES.items()
    ],
)
def test_each_shape_is_whole_and_restored_as_it_was_saved(waiting, root, shape):
    shape(root)
    code, said = verified(root)
    assert (code, "whole: made by the operator" in said) == (0, True)

    phases.restore(waiting, root)
    phases.routes(waiting, root)

    before = saved(root)
    names = [name for name in before if name not in NOT_RESTORED]
    assert len(names) >= 11
    assert restored(waiting, names) == {name: before[name] for name in names}
    for secret in (waiting.get("secrets", name[8:]) for name in names if name.startswith("secrets/")):
        assert not FOREIGN & {*secret, *secret["metadata"]}
        assert secret["metadata"]["uid"] != "of another cluster"
    was, now = trees(waiting, root)
    assert now == was
    mark = contents.open_at(root, CLAIM).mark
    assert mark.on(waiting.get("persistentvolumeclaims", "system-storage"))
    assert mark.on(waiting.get("apimanagers", threescale.NAME))


def test_times_and_modes_of_its_tree_come_back_with_the_group_s_rights(waiting, root):
    phases.restore(waiting, root)

    before = comparison.Snapshot({}, comparison.tree(root / layout.TREE))
    rows = comparison.compare(before, comparison.Snapshot({}, comparison.tree(waiting.storage)))
    assert {row.what: row.differences for row in rows if row.differences} == {}
    assert sum(row.count for row in rows) > 80


def test_the_databases_secrets_are_the_user_s_unless_told_otherwise(waiting, root):
    before = {name: waiting.get("secrets", name) for name in USERS}
    for name in USERS:
        obj = json.loads((root / f"secrets/{name}.json").read_bytes())
        obj["data"] = dict.fromkeys(obj["data"], "b3RoZXI=")
        operators_backup.put(root, f"secrets/{name}.json", operators_backup.python_2(obj))

    phases.restore(waiting, root)

    assert {name: waiting.get("secrets", name) for name in USERS} == before


def test_the_databases_secrets_come_from_it_with_other_addresses(waiting, root):
    address = base64.b64encode(b"mysql2://new").decode()
    for name in USERS:
        waiting.kubernetes.delete("secrets", waiting.namespace, name)
    override = waiting.get("secrets", "my-env")  # a name that the Role of the sample holds
    waiting.kubernetes.apply({**override, "data": {"system-database.URL": address}})

    phases.restore(waiting, root, databases=("--database-secrets", "restore", "--database-overrides", "my-env"))

    before = saved(root)
    expected = {name: before[f"secrets/{name}"]["data"] for name in USERS}
    expected["system-database"] = {**expected["system-database"], "URL": address}
    assert {name: waiting.get("secrets", name)["data"] for name in USERS} == expected


def test_it_moves_to_another_wildcard_domain_in_three_places(waiting, root, caplog):
    caplog.set_level(logging.INFO)

    phases.restore(waiting, root, domain=("--wildcard-domain", NEW))
    phases.routes(waiting, root, "--wildcard-domain", NEW)

    assert waiting.get("apimanagers", threescale.NAME)["spec"]["wildcardDomain"] == NEW
    endpoint = waiting.get("secrets", "backend-listener")["data"]["route_endpoint"]
    assert base64.b64decode(endpoint).decode() == f"https://backend-3scale.{NEW}"
    assert waiting.get("configmaps", "system-environment")["data"]["THREESCALE_SUPERDOMAIN"] == NEW
    assert len([line for line in caplog.messages if f"becomes {NEW}" in line]) == 3
    before = saved(root)
    moved = {"apimanagers/example-apimanager", "secrets/backend-listener", "configmaps/system-environment"}
    others = [name for name in before if name not in moved | NOT_RESTORED]
    assert restored(waiting, others) == {name: before[name] for name in others}


S3 = {"fileStorage": {"simpleStorageService": {"configurationSecretRef": {"name": "my-s3"}}}}


class TestFilesInS3:
    """The operator's Job for the files waits for a claim that such an installation lacks, or copies one of before."""

    @pytest.fixture
    def in_s3(self, waiting, root):
        """The Role names the Secret, which is there."""
        for manifest in render(SETTINGS.model_copy(update={"secrets": (*SETTINGS.secrets, "my-s3")})):
            waiting.engine.apply(manifest)
        waiting.kubernetes.apply(
            {**waiting.get("secrets", "my-env"), "metadata": {"name": "my-s3", "namespace": waiting.namespace}}
        )
        operators_backup.change_apimanager(root, {"system": S3})
        return waiting

    @pytest.mark.parametrize("left", [True, False], ids=["a tree of before", "no tree"])
    def test_it_is_restored_without_a_claim_for_files(self, in_s3, root, left):
        if not left:
            shutil.rmtree(root / layout.TREE)
        code, said = verified(root)
        assert (code, "file-storage: external, in S3\n" in said) == (0, True)

        phases.restore(in_s3, root)
        phases.routes(in_s3, root)

        assert not in_s3.storage.exists() or not any(in_s3.storage.iterdir())
        assert in_s3.exists("persistentvolumeclaims") == [CLAIM, "system-searchd-manticore"]
        assert in_s3.get("apimanagers", threescale.NAME)["spec"]["system"] == S3

    def test_the_secret_for_it_is_asked_for(self, in_s3, root):
        in_s3.kubernetes.delete("secrets", in_s3.namespace, "my-s3")

        said = TestRefused.refuse(in_s3, root, errors.ReferencesMissing)

        assert "Secret my-s3 (spec.system.fileStorage.simpleStorageService.configurationSecretRef.name)" in said


class TestRefused:
    """With one sentence, exit code 1, and nothing created."""

    @staticmethod
    def refuse(stage, root, kind, **options):
        stage.kubernetes.clear_requests()

        with pytest.raises(kind) as error:
            phases.restore(stage, root, **options)

        assert error.value.exit_code == 1
        assert written(stage) == []
        assert not stage.storage.exists() or not any(stage.storage.iterdir())
        assert "\n" not in str(error.value)
        return str(error.value)

    @pytest.mark.parametrize("name", [installation.SECRETS[0], "system-seed", "zync"])
    def test_a_run_that_was_aborted_at_a_missing_secret(self, waiting, tmp_path, name):
        root = operators_backup.abort(tmp_path / CLAIM, name)

        said = self.refuse(waiting, root, errors.NotABackup)

        gap = f"he operator did not finish it, see the log of its Job; secrets/{name}.json has 0 bytes"
        assert gap in said
        code, told = verified(root)
        assert (code, gap in told) == (1, True)

    def test_a_run_that_was_aborted_before_the_apimanager(self, waiting, root):
        (root / layout.APIMANAGER).unlink()

        said = self.refuse(waiting, root, errors.NotABackup)

        assert f"see the log of its Job; {layout.APIMANAGER} is missing." in said

    @pytest.mark.parametrize("path", [ZYNC, "configmaps/apicast-environment.json", layout.APIMANAGER])
    @pytest.mark.parametrize("options", [{}, {"domain": ("--wildcard-domain", NEW)}], ids=["as it was", "moved"])
    def test_a_file_of_0_bytes(self, waiting, root, path, options):
        (root / path).write_bytes(b"")

        said = self.refuse(waiting, root, errors.BackupDamaged, **options)

        assert f"1 finding(s): {path} has 0 bytes: the backup was aborted." in said
        assert verified(root)[0] == 1

    def test_a_run_that_was_aborted_before_the_files(self, waiting, root):
        shutil.rmtree(root / layout.TREE)

        said = self.refuse(waiting, root, errors.BackupDamaged)

        assert f"1 finding(s): {layout.TREE} is missing." in said

    def test_one_without_zync_s_secret_where_zync_runs(self, waiting, root):
        operators_backup.change_apimanager(root, {"zync": None})  # as before 3scale 2.16
        (root / ZYNC).unlink()

        assert f": {ZYNC} is missing." in self.refuse(waiting, root, errors.BackupDamaged)

        give(waiting, "zync")
        brought = waiting.get("secrets", "zync")
        phases.restore(waiting, root)
        phases.routes(waiting, root)

        assert waiting.get("secrets", "zync") == brought

    def test_one_without_zync_s_secret_that_was_brought_but_is_of_0_bytes(self, waiting, root):
        (root / ZYNC).write_bytes(b"")
        give(waiting, "zync")

        assert "the backup was aborted." in self.refuse(waiting, root, errors.BackupDamaged)

    def test_what_its_apimanager_names_is_neither_in_it_nor_there(self, waiting, root):
        waiting.kubernetes.delete("secrets", waiting.namespace, "my-tls")

        said = self.refuse(waiting, root, errors.ReferencesMissing)

        assert "Secret my-tls (spec.apicast.productionSpec.httpsCertificateSecretRef.name)" in said

    def test_a_domain_that_is_none(self, waiting, root):
        waiting.kubernetes.clear_requests()

        with pytest.raises(click.BadParameter, match="is not a domain"):
            phases.restore(waiting, root, domain=("--wildcard-domain", "*.new"))

        assert written(waiting) == []

    def test_overrides_without_a_restore_of_the_databases_secrets(self, waiting, root):
        self.refuse(waiting, root, errors.OverridesWithoutRestore, databases=("--database-overrides", "my-env"))

    def test_another_version_of_3scale(self, waiting, root):
        self.refuse(waiting, root, errors.VersionDiffers, version=("--threescale-version", "2.15"))

    def test_another_value_that_is_there(self, waiting, root):
        give(waiting, "system-app")
        other = {"data": {"SECRET_KEY_BASE": "b3RoZXI="}}
        waiting.kubernetes.patch("secrets", waiting.namespace, "system-app", other)

        assert "Secret system-app: SECRET_KEY_BASE" in self.refuse(waiting, root, errors.ObjectsDiffer)

    def test_an_apimanager_that_is_there(self, waiting, root):
        (apimanager,) = threescale_objects.sample("apimanager", waiting.namespace)
        waiting.kubernetes.delete("secrets", waiting.namespace, USERS[0])  # its operator waits
        waiting.kubernetes.apply(apimanager)

        self.refuse(waiting, root, errors.ApiManagerPresent)


@pytest.mark.thorough
def test_a_whole_workflow_restores_it_with_all_that_may_be_asked(waiting, root):
    operators_backup.make(root, operators_backup.python_2)
    shutil.copytree(root, waiting.engine.volume(CLAIM), symlinks=True, dirs_exist_ok=True)
    for name in USERS:
        waiting.kubernetes.delete("secrets", waiting.namespace, name)

    done = waiting.restore(CLAIM, database_secrets="restore", wildcard_domain=NEW)

    assert done.phase == "Succeeded", done.message
    assert f"claim {CLAIM} holds a backup that the operator made" in done.node("prepare").log
    before = saved(root)
    names = [f"secrets/{name}" for name in (*USERS, "system-seed", "zync")]
    assert restored(waiting, names) == {name: before[name] for name in names}
    assert waiting.get("apimanagers", threescale.NAME)["spec"]["wildcardDomain"] == NEW
    was, now = trees(waiting, root)
    assert now == was


@pytest.mark.skipif(not GENUINE.exists(), reason="no backup of a real operator is beside this checkout")
class TestGenuine:
    """The one that a real operator made."""

    FORMS = MappingProxyType({"as it is": None, **operators_backup.FORMS})

    @pytest.fixture
    def genuine(self, tmp_path):
        with tarfile.open(GENUINE) as archive:
            archive.extractall(tmp_path / CLAIM, filter="data")
        return tmp_path / CLAIM

    @pytest.mark.parametrize("form", FORMS.values(), ids=FORMS.keys())
    def test_it_is_restored_as_it_was_saved(self, waiting, genuine, form):
        before = saved(genuine)
        for path in genuine.glob("*/*.json") if form else ():
            path.write_bytes(form(json.loads(path.read_bytes())))
        code, said = verified(genuine)
        assert (code, "whole: made by the operator" in said) == (0, True)

        phases.restore(waiting, genuine, databases=("--database-secrets", "expect"))
        phases.routes(waiting, genuine)

        names = [name for name in before if name not in NOT_RESTORED]
        assert len(names) == 12
        assert restored(waiting, names) == {name: before[name] for name in names}
        was, now = trees(waiting, genuine)
        assert now == was
        assert len(now) > 80

    def test_it_asks_for_what_its_apimanager_names(self, waiting, genuine):
        for name in ("my-env", "my-policy", "my-tls"):
            waiting.kubernetes.delete("secrets", waiting.namespace, name)

        said = TestRefused.refuse(waiting, genuine, errors.ReferencesMissing)

        assert [name for name in ("my-env", "my-policy", "my-tls") if f"Secret {name} (" not in said] == []

    def test_the_operator_s_own_restore_could_take_it(self, genuine):
        result = CliRunner().invoke(main, ["verify", "--for-operator", str(genuine)])

        assert (result.exit_code, "APIManagerRestore can restore this backup" in result.stdout) == (0, True)
