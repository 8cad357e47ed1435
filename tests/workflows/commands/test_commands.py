import hashlib
import json
import os
import shlex
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import click
import pytest
import yaml

from steps.contract.backup_contract import BackupArguments
from steps.contract.prune_contract import PruneArguments
from tests import documents
from tests.builders.commands import IMAGE, run
from workflows.commands.plan import plan_backup
from workflows.rehearsal.threescale import objects as threescale_objects
from workflows.rendering.parameters import declare


def test_manifests_are_one_stream_for_kubectl() -> None:
    code, out, _ = run("manifests", "--image", IMAGE, "--namespace", "api")

    assert code == 0
    assert {manifest["metadata"]["namespace"] for manifest in documents.read(out)} == {"api"}


def test_manifests_can_be_one_file_a_resource(tmp_path: Path) -> None:
    code, out, _ = run("manifests", "--image", IMAGE, "--output", str(tmp_path / "out"))

    assert code == 0
    assert sorted(out.split()) == sorted(str(path) for path in (tmp_path / "out").iterdir())


def test_files_of_an_earlier_rendering_that_are_no_longer_asked_for_are_named_and_stay(tmp_path: Path) -> None:
    words = ["manifests", "--image", IMAGE, "--output", str(tmp_path)]
    run(*words, "--watchdog", "17 * * * *")
    watchdog = [path.name for path in tmp_path.iterdir() if "watchdog" in path.name]
    (tmp_path / "of-mine.yaml").write_bytes((tmp_path / watchdog[0]).read_bytes())
    (tmp_path / "role-mine.yaml").write_text("kind: Role\nmetadata:\n  name: mine\n")
    (tmp_path / "role-bytes.yaml").write_bytes(b"\xff")
    (tmp_path / "role-folder.yaml").mkdir()

    code, out, err = run(*words)
    *_, said = [line for line in err.splitlines() if "no longer rendered" in line]

    assert (code, len(watchdog) > 3, "watchdog" in out) == (0, True, False)
    assert said == (
        f"Files of an earlier rendering that are no longer rendered: {', '.join(sorted(watchdog))}. Delete their "
        "resources with kubectl delete -f FILE, then delete the files."
    )
    assert {path.name for path in tmp_path.iterdir()} > set(watchdog)


def test_a_folder_of_nothing_but_this_rendering_is_no_word_worth(tmp_path: Path) -> None:
    words = ["manifests", "--image", IMAGE, "--output", str(tmp_path)]
    run(*words)

    assert "no longer asked for" not in run(*words)[2]


@pytest.mark.parametrize(
    "arguments",
    [
        ["verify", ""],
        ["manifests", "--image", IMAGE, "--output", ""],
        ["rehearse", "--keep", ""],
        ["plan", "restore", "", "-n", "api"],
        ["report", ""],
        ["report", "-", "--output", ""],
    ],
    ids=str,
)
def test_an_empty_path_is_no_folder(arguments: list[str]) -> None:
    code, _, err = run(*arguments)

    assert (code, "the path is empty" in err) == (2, True)


def test_a_resource_larger_than_any_is_not_read(tmp_path: Path) -> None:
    with (tmp_path / "large.yaml").open("wb") as stream:
        stream.truncate(1 << 30)

    code, _, err = run("workflow", "-f", str(tmp_path / "large.yaml"))

    assert (code, "longer than 4 MiB" in err) == (1, True)


COMMAND = [sys.executable, "-m", "workflows"]


@pytest.mark.parametrize(
    ("words", "redirected", "said"),
    [
        (["--help"], ">/dev/full", "can't write to stdout: No space left on device"),
        (["--help"], ">&-", "stdout is closed"),
        pytest.param(["manifests", "--image", IMAGE], ">/dev/full", "can't write to", marks=pytest.mark.thorough),
    ],
)
def test_a_stdout_that_is_full_or_closed_is_one_sentence(words: list[str], redirected: str, said: str) -> None:
    line = f"{shlex.join([*COMMAND, *words])} {redirected}"
    ended = subprocess.run(["/bin/sh", "-c", line], capture_output=True, text=True, check=False)  # noqa: S603  our own

    assert ended.returncode == 1
    assert ended.stderr.splitlines() == [ended.stderr.strip()]
    assert ended.stderr.startswith(f"Error: {said}")


@pytest.mark.thorough
def test_a_reader_that_stops_reading_is_one_sentence() -> None:
    reading, writing = os.pipe()
    os.close(reading)
    words = [*COMMAND, "manifests", "--image", IMAGE]
    ended = subprocess.run(words, stdout=writing, stderr=subprocess.PIPE, text=True, check=False)  # noqa: S603  our own
    os.close(writing)

    assert (ended.returncode, ended.stderr) == (1, "Error: can't write to stdout: Broken pipe\n")


@pytest.mark.thorough
@pytest.mark.parametrize("sent", [signal.SIGTERM, signal.SIGINT])
def test_a_rehearsal_that_is_ended_by_a_signal_removes_what_it_made(tmp_path: Path, sent: signal.Signals) -> None:
    environment = {**os.environ, "TMPDIR": str(tmp_path)}
    words = [*COMMAND, "rehearse"]
    running = subprocess.Popen(words, stdout=subprocess.PIPE, text=True, env=environment)  # noqa: S603  our own words
    assert running.stdout is not None
    while "prepare" not in running.stdout.readline():
        pass
    assert any(tmp_path.iterdir())
    running.send_signal(sent)
    running.stdout.read()
    running.stdout.close()

    assert running.wait(timeout=60) == 1
    assert list(tmp_path.iterdir()) == []


def secrets_of_the_roles(out: str) -> list[list[str] | None]:
    """What each Role lets be read of the Secrets, by name."""
    rules = [rule for manifest in documents.read(out) for rule in manifest.get("rules", [])]
    return [rule.get("resourceNames") for rule in rules if rule["resources"] == ["secrets"] and "get" in rule["verbs"]]


@pytest.mark.parametrize("form", ["object", "list", "yaml"])
def test_the_roles_name_what_an_apimanager_names(tmp_path: Path, form: str) -> None:
    (apimanager,) = threescale_objects.sample("apimanager", "api")
    listed = {"apiVersion": "v1", "kind": "List", "items": [apimanager]} if form == "list" else apimanager
    path = tmp_path / "apimanager"
    path.write_text(yaml.safe_dump(listed) if form == "yaml" else json.dumps(listed))

    code, out, _ = run("manifests", "--image", IMAGE, "--from-apimanager", str(path), "--secret", "one-more")

    assert code == 0
    for names in secrets_of_the_roles(out):
        assert names is not None
        assert {*threescale_objects.REFERENCED_SECRETS, "one-more", "system-seed"} < set(names)


def test_all_secrets_may_be_read_where_that_is_asked_for() -> None:
    code, out, _ = run("manifests", "--image", IMAGE, "--all-secrets")

    assert (code, secrets_of_the_roles(out)) == (0, [None, None])


@pytest.mark.parametrize("text", ["", "kind: Deployment", "- 1", "kind: List\nitems: [1, {kind: Pod}]"])
def test_a_file_without_an_apimanager_is_refused_in_one_sentence(text: str) -> None:
    code, out, err = run("manifests", "--image", IMAGE, "--from-apimanager", "-", stdin=text)

    assert (code, out) == (1, "")
    assert "<stdin>: the file holds no APIManager" in err


def test_a_schedule_without_a_rule_says_that_nothing_is_deleted() -> None:
    code, out, err = run("manifests", "--image", IMAGE, "--schedule", "0 2 * * *")

    assert code == 0
    assert [m["kind"] for m in documents.read(out)][-1] == "CronWorkflow"
    assert err.startswith("No rule of retention is set, so nothing is deleted and each scheduled backup adds a claim")
    assert "kubectl delete pvc" in err


def test_a_file_with_a_schedule_and_no_rule_is_told_the_field_of_a_rule(tmp_path: Path) -> None:
    file = tmp_path / "threescale-backup.yaml"
    file.write_text(f"image: {IMAGE}\nbackup: {{schedule: 0 2 * * *}}\n")

    _, _, err = run("manifests", "-f", str(file))

    assert err.startswith("No rule of retention is set, so nothing is deleted and each scheduled backup adds a claim")
    assert "for instance retention.keep-daily: 7." in err


def test_without_a_file_and_an_image_both_ways_are_named() -> None:
    code, out, err = run("manifests")

    assert (code, out) == (1, "")
    assert err == "Error: No installation is given. Use -f FILE, such as -f threescale-backup.yaml, or --image REF\n"


def test_a_reader_that_ends_early_is_not_taken_for_a_folder_that_is_full(tmp_path: Path) -> None:
    words = ["manifests", "--image", IMAGE, "--output", str(tmp_path / "out")]
    reading, writing = os.pipe()
    os.close(reading)
    with os.fdopen(writing) as closed:
        ended = subprocess.run(  # noqa: S603  our own command
            [sys.executable, "-m", "workflows", *words], stdout=closed, stderr=subprocess.PIPE, text=True, check=False
        )

    assert ended.stderr == "Error: can't write to stdout: Broken pipe\n"
    assert len(list((tmp_path / "out").glob("*.yaml"))) == len(documents.read(run("manifests", "--image", IMAGE)[1]))


def arguments_of(out: str, template: str) -> dict[str, str]:
    manifests = [
        m for m in documents.read(out) if m["kind"] == "WorkflowTemplate" and m["metadata"]["name"] == template
    ]
    return {item["name"]: item.get("value", "") for item in manifests[0]["spec"]["arguments"]["parameters"]}


def test_the_rules_of_a_schedule_are_those_of_the_template_too() -> None:
    given = [
        "--keep-daily",
        "7",
        "--keep-within",
        "1m",
        "--manual",
        "--failed-after",
        "1w",
        "--timezone",
        "Europe/Madrid",
    ]
    code, out, err = run("manifests", "--image", IMAGE, "--schedule", "0 4 * * *", *given)

    told = arguments_of(out, "threescale-prune")
    assert code == 0
    assert err.startswith("Each scheduled backup ends with retention: keep-daily 7, keep-within 1m. ")
    assert {name: told[name] for name in ("keep-daily", "keep-within", "manual", "failed-after", "timezone")} == {
        "keep-daily": "7",
        "keep-within": "1m",
        "manual": "yes",
        "failed-after": "1w",
        "timezone": "Europe/Madrid",
    }
    assert (told["keep-last"], told["minimum-redundancy"], told["max-shrink"]) == ("0", "3", "0.5")


def test_an_hour_that_the_clock_of_a_schedule_skips_is_said_and_rendered() -> None:
    code, out, err = run("manifests", "--image", IMAGE, "--schedule", "0 2 * * *", "--timezone", "Europe/Madrid")

    assert code == 0
    assert documents.read(out)[-1]["spec"]["schedules"] == ["0 2 * * *"]
    assert "--schedule '0 2 * * *': Europe/Madrid has no 02:00 on " in err


@pytest.mark.parametrize("cron", ["0 2 * * *", "0 4 * * *"])
def test_of_a_clock_that_skips_nothing_nothing_is_said(cron: str) -> None:
    zone = "UTC" if cron == "0 2 * * *" else "Europe/Madrid"
    _, _, err = run("manifests", "--image", IMAGE, "--schedule", cron, "--timezone", zone, "--keep-daily", "7")

    assert len(err.splitlines()) == 1
    assert "ends with retention" in err


def test_what_the_command_leaves_unsaid_is_what_the_template_would_say() -> None:
    told = arguments_of(run("manifests", "--image", IMAGE)[1], "threescale-prune")

    assert told == {name: item.value for name, item in declare(PruneArguments).items()}


def test_each_night_s_backup_has_the_arguments_that_were_given() -> None:
    given = ["--argument", "storage-request=20Gi", "--argument", "file-storage=external"]
    code, out, _ = run("manifests", "--image", IMAGE, "--schedule", "0 2 * * *", *given)

    assert code == 0
    assert documents.read(out)[-1]["spec"]["workflowSpec"]["arguments"]["parameters"] == [
        {"name": "storage-request", "value": "20Gi"},
        {"name": "file-storage", "value": "external"},
        {"name": "schedule", "value": "threescale-backup-schedule"},
    ]


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        (["--schedule", "0 2 * * *", "--argument", "storage-request"], "Write NAME=VALUE"),
        (["--schedule", "0 2 * * *", "--argument", "storage=20Gi"], "'storage' is not an argument of a backup"),
        (["--schedule", "0 2 * * *", "--argument", "file-storage=s3"], "'s3' is not one of '', 'external'"),
        (["--schedule", "0 2 * * *", "--argument", "name=nightly"], "argument name: a schedule can't set it"),
        (["--schedule", "0 2 * * *", "--argument", "volume-name=pv1"], "argument volume-name: a schedule can't set it"),
        (["--schedule", "0 2 * * *", "--argument", "plan=only"], "argument plan: a schedule makes backups"),
        (["--schedule", "0 2 * * *", "--argument", "schedule=mine"], "argument schedule: it is always the name"),
        (["--schedule", "0 2 * * *", "--argument", "workers=2", "--argument", "workers=4"], "given twice"),
        (["--argument", "storage-request=20Gi"], "Add --schedule"),
        (["--schedule", "2 * * *"], "five fields"),
        (["--schedule", "0 25 * * *"], "'25' is not a valid hour"),
        (
            ["--schedule", "0 2 * * *", "--argument", "storage-request=20GB"],
            "argument storage-request '20GB' is not a size",
        ),
        (
            ["--schedule", "0 2 * * *", "--argument", "storage-request="],
            "argument storage-request '' is not a size",
        ),
        (["--timezone", "Madrid"], "'Madrid' is not a time zone"),
        (["--schedule", "0 2 * * *", "--timezone", "Mars/Olympus"], "Mars/Olympus"),
    ],
)
def test_a_schedule_that_argo_would_refuse_is_refused_here(arguments: list[str], named: str) -> None:
    code, out, err = run("manifests", "--image", IMAGE, *arguments)

    assert (code, out) == (1, "")
    assert named in err


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        (["--keep-within", "7"], "Invalid value for '--keep-within': '7' is not a duration"),
        (["--failed-after", "soon"], "Invalid value for '--failed-after': 'soon' is not a duration"),
        (["--expected-every", "26"], "Invalid value for '--expected-every': '26' is not a duration"),
    ],
)
def test_a_rule_that_is_none_is_a_wrong_command_line(arguments: list[str], named: str) -> None:
    code, out, err = run("manifests", "--image", IMAGE, *arguments)

    assert (code, out) == (2, "")
    assert named in err


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        (["manifests", "--image", ""], "--image ''"),
        (["manifests", "--image", "a b"], "--image 'a b'"),
        (["manifests", "--image", IMAGE, "--namespace", "My_NS"], "--namespace 'My_NS'"),
        (["manifests", "--image", IMAGE, "--secret", "My_Secret"], "--secret 'My_Secret'"),
        (["manifests", "--image", IMAGE, "--output", "/proc/no"], "can't write to /proc/no"),
        (["rehearse", "--keep", "/proc/no"], "can't make a folder"),
    ],
)
def test_a_value_that_can_not_be_is_refused_in_one_sentence(arguments: list[str], named: str) -> None:
    code, out, err = run(*arguments)

    assert (code, out) == (1, "")
    assert named in err
    assert len(err.splitlines()) == 1


def test_a_file_that_is_no_text_is_refused_in_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "binary").write_bytes(b"\xff\xfe\x00")

    code, out, err = run("workflow", "-f", str(tmp_path / "binary"))

    assert (code, out) == (1, "")
    assert "not valid UTF-8" in err


def test_a_workflow_is_made_of_a_resource_on_stdin() -> None:
    resource = """{apiVersion: apps.3scale.net/v1alpha1, kind: APIManagerRestore, metadata: {name: x},
      spec: {restoreSource: {persistentVolumeClaim: {claimSource: {claimName: nightly}}}}}"""

    code, out, _ = run("workflow", "-f", "-", stdin=resource)

    assert code == 0
    assert yaml.safe_load(out)["spec"]["workflowTemplateRef"]["name"] == "threescale-restore"


def test_a_resource_of_another_kind_is_refused_in_one_sentence() -> None:
    code, out, err = run("workflow", "-f", "-", stdin="kind: Secret")

    assert (code, out) == (1, "")
    assert len(err.splitlines()) == 1


def test_a_whole_backup_is_called_whole(backup_volume: Path) -> None:
    code, out, _ = run("verify", str(backup_volume))

    assert code == 0
    assert out.startswith("whole: backup nightly of 3scale 2.16.0")


def test_each_damage_of_a_backup_has_its_line(backup_volume: Path) -> None:
    (backup_volume / "secrets" / "system-app.json").write_bytes(b"")
    (backup_volume / "system-filestorage-pvc" / "acme" / ".keep").unlink()

    code, out, _ = run("verify", str(backup_volume))

    assert code == 1
    assert [line.partition(" ")[0] for line in out.splitlines()] == [
        "secrets/system-app.json",
        "system-filestorage-pvc:",
        "NOT",
    ]


def test_what_lies_at_the_root_and_is_no_part_of_a_backup_is_named_and_is_no_damage(backup_volume: Path) -> None:
    for name in ("notes.txt", "a\nb"):
        (backup_volume / name).write_text("mine")
    for name in ("lost+found", ".snapshot"):
        (backup_volume / name).mkdir()
    (backup_volume / ".threescale-backup-0123").write_text("of a write that was interrupted")

    code, out, _ = run("verify", str(backup_volume))

    assert code == 0
    assert out.splitlines()[0].startswith("whole: backup nightly")
    assert out.splitlines()[1:] == [
        "not part of the backup, skipped by a restore: 'a\\nb'; 'notes.txt'",
    ]
    assert list((backup_volume / ".snapshot").iterdir()) == []


def test_an_empty_folder_is_no_backup(tmp_path: Path) -> None:
    code, out, err = run("verify", str(tmp_path))

    assert (code, out) == (1, "")
    assert "not a finished backup" in err


def plan(stage: Any, folder: Path, *arguments: str) -> tuple[int, str, str]:
    return plan_of(stage, "restore", str(folder), *arguments)


def plan_of(stage: Any, operation: str, *arguments: str) -> tuple[int, str, str]:
    account = f"threescale-{operation}"
    stage.connect(account)
    kubeconfig = str(stage.folder / f"kubeconfig-{account}")
    return run("plan", operation, "-n", stage.namespace, "--kubeconfig", kubeconfig, *arguments)


def test_an_administrator_plans_a_backup_with_the_workflow_s_digest(installed: Any) -> None:
    installed.kubernetes.clear_requests()

    code, out, _ = plan_of(installed, "backup", "--storage-class", "fast")
    _, told, _ = plan_of(installed, "backup", "--storage-class", "fast", "--output", "json")

    assert code == 0
    assert installed.kubernetes.writes() == []
    digest = installed.backup(storage_class="fast", plan="only").node("prepare").outputs["digest"]
    assert out.splitlines()[-1].startswith(f"plan {digest}: ")
    assert json.loads(told)["digest"] == digest


def test_a_backup_that_would_be_refused_is_planned_and_refused(installed: Any) -> None:
    installed.kubernetes.delete("secrets", installed.namespace, "system-smtp")

    code, out, err = plan_of(installed, "backup")

    assert code == 1
    assert "refused  Secret system-smtp" in out
    assert err.startswith("Error: Objects are missing in namespace threescale: Secret system-smtp.")
    assert err.count("\n") == 1


def test_a_backup_of_a_cluster_that_is_not_there_is_refused_in_one_sentence(installed: Any) -> None:
    code, out, err = plan_of(installed, "backup", "--kubeconfig", "/no/such/file")

    assert (code, out) == (1, "")
    assert err.startswith("Error: Kubernetes can't be reached")


def test_a_plan_and_a_workflow_ask_for_a_claim_of_the_same_size() -> None:
    (asked,) = (
        option for option in plan_backup.get_params(click.Context(plan_backup)) if option.name == "storage_request"
    )

    assert asked.default == BackupArguments().storage_request


@pytest.mark.thorough
def test_an_administrator_plans_a_restore_with_the_workflow_s_digest(lost: Any, backup_volume: Path) -> None:
    lost.kubernetes.clear_requests()

    code, out, _ = plan(lost, backup_volume)
    _, told, _ = plan(lost, backup_volume, "--output", "json")

    assert code == 0
    assert lost.kubernetes.writes() == []
    digest = lost.restore("nightly", plan="only").node("plan").outputs["digest"]
    assert out.splitlines()[-1].startswith(f"plan {digest}: ")
    assert json.loads(told)["digest"] == digest
    manifest = hashlib.sha256((backup_volume / "manifest.json").read_bytes()).hexdigest()
    assert out.splitlines()[0] == f"backup nightly, backup digest {manifest}"
    assert json.loads(told)["backup_digest"] == manifest


@pytest.mark.thorough
def test_damaged_files_are_left_out_of_either_plan_alike(lost: Any, backup_volume: Path) -> None:
    for root in (backup_volume, lost.engine.volume("nightly")):
        (root / "system-filestorage-pvc/acme/2026/11/06/file-6.pdf").unlink()

    code, out, _ = plan(lost, backup_volume, "--file-storage-damage", "skip")

    workflow = lost.restore("nightly", file_storage_damage="skip", plan="only")
    assert code == 0
    assert "'acme/2026/11/06/file-6.pdf' is missing" in out
    assert out.splitlines()[-1].startswith(f"plan {workflow.node('plan').outputs['digest']}: ")


def test_a_restore_that_would_be_refused_is_planned_and_refused(lost: Any, backup_volume: Path) -> None:
    lost.kubernetes.delete("secrets", lost.namespace, "system-redis")

    code, out, err = plan(lost, backup_volume)

    assert code == 1
    assert "create" in out
    assert err.startswith("Error: Objects are missing in namespace threescale: Secret system-redis.")
    assert err.count("\n") == 1


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["--context", "of-another"], "Expected object with name of-another in"),
        (["--kubeconfig", "/no/such/file"], "Kubernetes can't be reached"),
        (["--database-overrides", "mine"], "database-secrets=restore"),
        (["--manifest-sha256", "0" * 64], f"asks for the backup {'0' * 64}"),
        (["--made-by", "operator"], "holds a manifest.json"),
    ],
)
def test_a_plan_that_can_not_be_made_is_refused_in_one_sentence(
    lost: Any, backup_volume: Path, arguments: list[str], sentence: str
) -> None:
    code, out, err = plan(lost, backup_volume, *arguments)

    assert (code, out) == (1, "")
    assert sentence in err
    assert err.startswith("Error: ")
    assert err.count("\n") == 1


def test_help_comes_without_hera_and_kubernetes() -> None:
    script = (
        "import sys, workflows.__main__; print([m for m in ('hera', 'kubernetes', 'pydantic') if m in sys.modules])"
    )

    loaded = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)  # noqa: S603  our own interpreter

    assert loaded.stdout.strip() == "[]"


PROOFS = ["manifests", "--image", IMAGE, "--namespace", "api"]


def test_what_proves_backups_has_its_own_schedules() -> None:
    asked = [
        "--verify",
        "0 4 * * *",
        "--verify-argument",
        "sample=10%",
        "--drill",
        "@weekly",
        "--drill-namespace",
        "drills",
    ]
    code, out, _ = run(*PROOFS, *asked, "--drill-argument", "storage-class=fast", "--timezone", "Europe/Madrid")

    crons = {m["metadata"]["name"]: m["spec"] for m in documents.read(out) if m["kind"] == "CronWorkflow"}
    given = {name: spec["workflowSpec"]["arguments"]["parameters"] for name, spec in crons.items()}
    assert code == 0
    assert given == {
        "threescale-verify-schedule": [{"name": "sample", "value": "10%"}],
        "threescale-drill-schedule": [
            {"name": "scratch-namespace", "value": "drills"},
            {"name": "storage-class", "value": "fast"},
        ],
    }
    assert {spec["timezone"] for spec in crons.values()} == {"Europe/Madrid"}
    assert {spec["concurrencyPolicy"] for spec in crons.values()} == {"Forbid"}


ALARM = ["--watchdog", "17 * * * *", "--monitoring"]
SHARES = ["--verify", "0 6 * * *", "--verify-argument", "sample=10%"]


@pytest.mark.parametrize(
    ("more", "said"),
    [
        (ALARM, ["sample=10%: reading a whole backup takes 10 d, but --verified-every is 8 d"]),
        (["--schedule", "0 4 * * *", "--keep-daily", "7"], ["takes 10 d, but the rules keep a backup for 7 d"]),
        (["--schedule", "0 */6 * * *", "--keep-last", "9"], ["the rules keep a backup for 54 h"]),
        (["--schedule", "0 4 * * *", "--keep-within", "9d"], ["the rules keep a backup for 9 d"]),
        ([*ALARM, "--verified-every", "10d"], []),
        ([*ALARM, "--verify-argument", "sample=12.5%"], []),
        ([*ALARM, "--verify-argument", "sample=12.4%"], ["takes 9 d"]),
        ([*ALARM, "--verify-argument", "sample="], []),
        (["--schedule", "0 4 * * *", "--keep-daily", "10"], []),
        (["--schedule", "0 4 * * *", "--keep-weekly", "4"], []),
        (["--keep-daily", "7"], []),
        ([], []),
    ],
)
@pytest.mark.thorough
def test_shares_that_take_longer_than_a_backup_is_kept_or_an_alert_waits_are_said(
    more: list[str], said: list[str]
) -> None:
    shares = SHARES[:2] if "--verify-argument" in more else SHARES
    code, _, err = run(*PROOFS, *shares, *more)

    found = [line for line in err.splitlines() if line.startswith("--verify-argument")]
    assert code == 0
    assert len(found) == len(said)
    assert all(words in line for words, line in zip(said, found, strict=True))


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        (["--verify", "4 * * *"], "five fields"),
        (["--verify", "0 4 * * *", "--verify-argument", "sample=250%"], "argument sample '250%' is not a share"),
        (["--verify", "0 4 * * *", "--verify-argument", "sample=0%"], "argument sample '0%' is not a share"),
        (["--verify", "0 4 * * *", "--verify-argument", "claim-name=x"], "each run takes the next backup"),
        (["--verify", "0 4 * * *", "--verify-argument", "sample=ten"], "argument sample 'ten' is not a share"),
        (["--verify", "0 4 * * *", "--verify-argument", "share=10%"], "'share' is not an argument of a verification"),
        (["--verify-argument", "sample=10%"], "Add --verify"),
        (["--drill", "0 5 * * 0"], "Add --drill-namespace"),
        (["--drill-argument", "storage-class=fast", "--drill-namespace", "drills"], "Add --drill"),
        (["--drill-namespace", "api"], "is the namespace of the installation"),
        (
            ["--drill", "0 5 * * 0", "--drill-namespace", "drills", "--drill-argument", "scratch-namespace=api"],
            "Use --drill-namespace",
        ),
        (["--drill-namespace", "Drills"], "--drill-namespace 'Drills'"),
    ],
)
def test_a_schedule_of_what_proves_backups_that_can_not_be_is_refused(arguments: list[str], named: str) -> None:
    code, out, err = run(*PROOFS, *arguments)

    assert (code, out) == (1, "")
    assert named in err
    assert len(err.splitlines()) == 1


def test_rights_elsewhere_need_the_namespace_of_the_account() -> None:
    code, _, err = run("manifests", "--image", IMAGE, "--drill-namespace", "drills")

    assert code == 1
    assert "Add --namespace" in err
