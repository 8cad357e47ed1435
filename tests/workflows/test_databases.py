"""The databases are copied by a backup, as a whole workflow with real servers."""

import hashlib
import json

import pytest

from steps import errors
from steps.archive import contents, layout
from tests.builders import databases, system_database
from tests.builders.databases import DATABASE, PROVIDER_KEY, USAGE
from tests.stores import postgresql_servers
from workflows.rehearsal.rehearse import SETTINGS
from workflows.rehearsal.threescale import installation as threescale

PARTS = ["secrets", "configmaps", "apimanager", "file-storage"]


@pytest.fixture
def servers(postgresql, tmp_path):
    with databases.database_servers(tmp_path / "redis", postgresql) as found:
        yield found
        postgresql.ask(f'DROP DATABASE IF EXISTS "{DATABASE}" WITH (FORCE)')


@pytest.fixture
def running(installed, servers):
    """An installation whose databases are there and filled."""
    servers.fill()
    servers.connect(installed)
    databases.configure(installed)
    return installed


def failures(workflow):
    return {node.name: node.attempts[-1].message for node in workflow.nodes if node.attempts}


def opened(stage, name="nightly"):
    return contents.open_at(stage.engine.volume(name)).facts


def test_a_backup_holds_the_three_databases_and_says_what_of_which_moment(running):
    workflow = running.backup(name="nightly")

    assert workflow.phase == "Succeeded", failures(workflow)
    found = opened(running).databases
    assert found is not None
    assert set(found) == {"system-database", "backend-redis", "system-redis"}
    system, backend, queues = (found[name] for name in ("system-database", "backend-redis", "system-redis"))
    assert (system.engine, system.version, system.counts["public.cinstances"]) == (
        "PostgreSQL", "18", system_database.ROWS,
    )  # fmt: skip
    assert backend.counts == {"configuration": 2, "unknown": 1, "usage": USAGE + 1}
    assert queues.counts == {"queues": 2}
    assert backend.same == (hashlib.sha256(PROVIDER_KEY.encode()).hexdigest(),)
    assert system.began <= system.moment <= system.ended


def test_the_moment_comes_before_the_files_and_the_other_databases(running):
    workflow = running.backup(name="nightly")

    found = opened(running).databases
    moment = found["system-database"].moment
    dumped = workflow.node("system-database").attempts[-1]
    after = [workflow.node(name).attempts[0].started_s for name in (*PARTS, "backend-redis", "system-redis")]
    assert all(found[name].began > moment for name in ("backend-redis", "system-redis"))
    assert min(after) >= dumped.started_s + dumped.duration_s


def test_the_sums_and_every_byte_of_a_copy_count(running):
    running.backup(name="nightly")
    root = running.engine.volume("nightly")
    backup = contents.open_at(root)
    sums = (root / layout.SUMS).read_text()
    before = list(backup.findings(digests=True))
    copy = root / "databases/backend-redis/storage.jsonl"
    copy.write_bytes(copy.read_bytes().replace(b"593a8c1a", b"593a8c1b"))
    (root / "databases/stranger").write_text("")

    assert before == []
    assert "  databases/backend-redis/storage.jsonl\n" in sums
    assert sorted(backup.findings(digests=True)) == [
        "databases/backend-redis/storage.jsonl has different content than the manifest",
        "databases/stranger is not in the manifest",
    ]


def test_what_is_not_copied_is_left_to_the_person(running):
    workflow = running.backup(name="nightly", databases="backend-redis")

    assert list(opened(running).databases) == ["backend-redis"]
    assert workflow.node("system-database").phase == "Skipped"
    assert "left to you  Database system-database" in workflow.node("prepare").log


def test_without_databases_a_backup_is_as_before(running):
    workflow = running.backup(name="nightly", databases="none")

    assert workflow.phase == "Succeeded"
    assert opened(running).databases is None


def test_a_plan_asks_the_databases_and_copies_nothing(running):
    workflow = running.backup(plan="only")

    assert workflow.phase == "Succeeded", failures(workflow)
    assert "Database system-database" in workflow.node("prepare").log
    assert workflow.node("system-database").phase == "Skipped"
    assert running.exists("persistentvolumeclaims") == ["system-searchd-manticore", "system-storage"]


def test_what_can_not_be_copied_is_refused_before_anything_is_written(running, servers):
    servers.backend.client.execute_command("ACL", "SETUSER", "default", "-pttl")

    workflow = running.backup(name="nightly")

    told = workflow.node("databases").attempts[-1].message
    assert "PTTL" in told
    assert "`databases=system-database,system-redis`" in told
    assert running.exists("persistentvolumeclaims") == ["system-searchd-manticore", "system-storage"]


def test_another_engine_is_refused_with_the_words_that_pass(running):
    url = {"stringData": {}, "data": {"URL": "bXlzcWwyOi8vcm9vdDpwd0BkYi9zeXN0ZW0="}}
    running.kubernetes.patch("secrets", running.namespace, "system-database", url)

    workflow = running.backup(name="nightly")

    told = workflow.node("databases").attempts[-1].message
    assert "is MySQL" in told
    assert "`databases=backend-redis,system-redis`" in told


def test_jobs_that_stay_queued_are_a_warning_of_the_plan(running, servers):
    client = servers.backend.client
    client.select(1)
    client.sadd("resque:queues", "priority")
    client.rpush("resque:queue:priority", "{}", "{}")

    workflow = running.backup(plan="only", drain_minutes="0")

    assert "2 jobs are queued, which may be counted twice or lost" in workflow.node("prepare").log


def test_a_user_for_backups_replaces_that_of_3scale(running, servers):
    servers.backend.client.execute_command("ACL", "SETUSER", "default", "-pttl")
    servers.backend.client.execute_command("ACL", "SETUSER", "backup", "on", ">theirs", "~*", "+@all")
    keys = {f"backend-redis.REDIS_{part}_{key}": value for part in ("STORAGE", "QUEUES") for key, value in
            (("USERNAME", "backup"), ("PASSWORD", "theirs"))}  # fmt: skip
    secret = {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "mine", "namespace": running.namespace}}
    running.kubernetes.apply({**secret, "stringData": keys})
    databases.configure(running, secrets=(*SETTINGS.secrets, "mine"))

    workflow = running.backup(name="nightly", database_credentials="mine")

    assert workflow.phase == "Succeeded", failures(workflow)


def test_no_password_is_on_the_volume_outside_of_the_secrets_or_in_a_log(running):
    workflow = running.backup(name="nightly")

    root = running.engine.volume("nightly")
    password = postgresql_servers.OWNERS_PASSWORD
    passwords = [password, postgresql_servers.postgresql_quoted(password)]
    texts = [path.read_text() for path in (root / layout.MANIFEST, root / layout.RESULT, *root.glob("reports/*"))]
    texts += [node.log for node in workflow.nodes]
    assert not [each for each in texts for password in passwords if password in each]
    assert PROVIDER_KEY not in json.dumps(texts)


@pytest.fixture
def sealed_with_databases(running):
    """An installation whose databases are in a backup; the installation is lost, and its databases with it."""
    workflow = running.backup(name="nightly")
    assert workflow.phase == "Succeeded", failures(workflow)
    return running


@pytest.fixture
def all_lost(sealed_with_databases, servers):
    stage = sealed_with_databases
    before = content(servers)
    stage.lose()
    lose(servers)
    threescale.give_database_secrets(stage.kubernetes, stage.namespace)
    servers.connect(stage)
    with threescale.Operator(stage.kubernetes):
        yield stage, before


def lose(servers):
    servers.backend.client.flushall()
    servers.system.client.flushall()
    servers.postgresql.ask(f'DROP DATABASE "{DATABASE}" WITH (FORCE)')
    servers.postgresql.make(DATABASE)


def content(servers):
    """What the servers hold, by their own means."""
    return servers.postgresql.rows(DATABASE), servers.backend.digest()


@pytest.mark.quick
def test_all_databases_come_back_before_the_apimanager(all_lost, servers):
    stage, before = all_lost

    workflow = stage.restore("nightly")

    assert workflow.phase == "Succeeded", failures(workflow)
    assert content(servers) == before
    assert servers.system.client.keys() == []
    filled = [workflow.node(name).attempts[-1] for name in ("system-database", "backend-redis", "system-redis")]
    assert workflow.node("apimanager").attempts[0].started_s >= max(each.started_s + each.duration_s for each in filled)


def test_queued_jobs_come_back_if_they_are_asked_for(all_lost, servers):
    stage, _ = all_lost

    workflow = stage.restore("nightly", queues="restore")

    assert workflow.phase == "Succeeded", failures(workflow)
    assert sorted(servers.system.client.keys()) == [b"queue:default", b"retry"]


def test_databases_that_hold_this_installation_are_left(all_lost, servers):
    stage, _ = all_lost
    first = stage.restore("nightly")
    stage.lose()
    threescale.give_database_secrets(stage.kubernetes, stage.namespace)
    servers.connect(stage)
    servers.backend.client.set("stats/later", 1)
    servers.postgresql.ask("INSERT INTO accounts (org_name, provider) VALUES ('later', true)", DATABASE)

    second = stage.restore("nightly")

    assert (first.phase, second.phase) == ("Succeeded", "Succeeded"), failures(second)
    assert servers.backend.client.get("stats/later") == b"1"
    assert second.node("system-database").phase == "Skipped"
    assert "holds this installation" in second.node("prepare").log


def test_a_database_that_an_operator_has_seeded_is_refused_before_anything_is_written(all_lost, servers):
    stage, _ = all_lost
    system_database.seed(servers.postgresql, DATABASE)

    workflow = stage.restore("nightly")

    told = workflow.node("databases").attempts[-1].message
    assert workflow.phase == "Failed"
    assert "of another installation" in told
    assert "with 0 tenants" in told
    assert servers.backend.client.dbsize() == 0
    assert "system-storage" not in stage.exists("persistentvolumeclaims")


def test_a_redis_of_somebody_else_is_refused_and_left(all_lost, servers):
    stage, _ = all_lost
    servers.backend.client.set("theirs", 1)

    workflow = stage.restore("nightly")

    assert "does not hold the installation of this backup" in workflow.node("databases").attempts[-1].message
    assert servers.backend.client.keys() == [b"theirs"]
    assert servers.postgresql.rows(DATABASE) == {}


def test_a_restore_that_was_begun_goes_on(all_lost, servers):
    stage, before = all_lost
    digest = hashlib.sha256((stage.engine.volume("nightly") / layout.MANIFEST).read_bytes()).hexdigest()
    servers.backend.client.set("threescale-backup/restoring", digest)
    servers.backend.client.set("stats/{service:2}/metric:6/hour:1", 1)

    workflow = stage.restore("nightly")

    assert workflow.phase == "Succeeded", failures(workflow)
    assert content(servers) == before


def test_a_server_without_an_answer_is_never_empty(all_lost, servers):
    stage, _ = all_lost
    servers.backend.process.kill()
    servers.backend.process.wait()

    workflow = stage.restore("nightly")

    assert workflow.node("databases").attempts[-1].exit_code == errors.TRY_AGAIN_EXIT
    assert servers.postgresql.rows(DATABASE) == {}


def test_external_databases_are_not_touched_but_an_empty_one_of_system_is_refused(all_lost, servers):
    stage, _ = all_lost

    workflow = stage.restore("nightly", databases="external")

    assert "would found a new installation" in workflow.node("databases").attempts[-1].message
    assert servers.postgresql.rows(DATABASE) == {}


def test_restore_wants_every_database_empty(all_lost, servers):
    stage, _ = all_lost
    system_database.fill(servers.postgresql, DATABASE)

    workflow = stage.restore("nightly", databases="restore")

    assert workflow.phase == "Failed"
    assert servers.backend.client.dbsize() == 0


def test_a_plan_says_what_becomes_of_each_and_changes_nothing(all_lost, servers):
    stage, _ = all_lost

    workflow = stage.restore("nightly", plan="only")

    log = workflow.node("plan").log
    assert workflow.phase == "Succeeded", failures(workflow)
    assert "Database system-database" in log
    assert "PostgreSQL 18, empty, gets" in log
    assert servers.backend.client.dbsize() == 0
    assert servers.postgresql.rows(DATABASE) == {}


def test_a_dump_that_was_tampered_with_is_not_restored(all_lost, servers):
    stage, _ = all_lost
    rows = max((stage.engine.volume("nightly") / "databases/system-database/dump").glob("[0-9]*.dat"), key=size)
    rows.write_bytes(rows.read_bytes()[::-1])

    workflow = stage.restore("nightly")

    assert "has different content than the manifest" in workflow.node("system-database").attempts[-1].message
    assert servers.postgresql.rows(DATABASE) == {}
    assert stage.exists("apimanagers") == []


def size(path):
    return path.stat().st_size
