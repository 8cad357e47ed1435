"""All examinations together, as a person sees them."""

import json
import re

import pytest

from tests.builders.commands import run
from workflows.rehearsal.threescale import objects


def test_a_complete_installation_has_no_error_and_only_the_reclaim_policy_is_a_warning(surgery):
    code, out, err = surgery.run("-f", surgery.write())

    marked = [line for line in out.splitlines() if line.startswith(("warning", "error", "not "))]
    assert (code, err) == (0, "")
    assert [re.split(" {2,}", line)[1] for line in marked if not line.startswith("not tried")] == [
        "StorageClass of backups"
    ]


def test_each_line_has_its_remedy_below_it(surgery):
    _, out, _ = surgery.run("-f", surgery.write())

    lines = out.splitlines()
    (place,) = [number for number, line in enumerate(lines) if line.startswith("warning")]
    assert lines[place + 1].startswith("    For each backup NAME")
    assert "kubectl patch pv $pv" in lines[place + 1]


def test_json_has_the_same_lines_with_their_parts(surgery):
    file = surgery.write()
    code, out, _ = surgery.run("-f", file, "-o", "json")
    _, text, _ = surgery.run("-f", file)

    found = json.loads(out)
    assert code == 0
    assert {tuple(each) for each in found} == {("state", "what", "told", "remedy")}
    assert [each["state"] for each in found] == [
        line.split("  ")[0] for line in text.splitlines() if not line.startswith(" ")
    ]


def test_an_error_ends_with_exit_code_1(surgery):
    surgery.stage.kubernetes.delete("secrets", "threescale", "system-redis")

    code, out, _ = surgery.run("-n", "threescale")

    assert code == 1
    assert any(line.startswith("error") for line in out.splitlines())


def test_nothing_in_the_cluster_changes(surgery):
    surgery.stage.connect()
    before = surgery.everything()
    surgery.stage.kubernetes.clear_requests()

    surgery.findings()

    assert surgery.everything() == before
    asked = surgery.stage.kubernetes.requests
    assert {each.verb for each in asked if not each.dry_run} == {"get", "list"}


def test_who_may_read_nothing_is_told_so_and_it_is_no_error(surgery):
    code, out, err = surgery.run("-f", surgery.write(), account="nobody-in-particular")

    told = {line[: len("not allowed to ask")] for line in out.splitlines() if not line.startswith("    ")}
    assert (code, err) == (0, "")
    assert "not allowed to ask" in told
    assert not any(line.startswith("error") for line in out.splitlines())


def test_no_value_of_a_secret_is_printed(surgery):
    surgery.stage.install(canary="sixteen-tons")
    values = [
        value
        for each in objects.sample("secrets", "threescale")
        for value in (each.get("data") or {}).values()
        if len(value) > 12
    ]

    _, out, _ = surgery.run("-f", surgery.write())

    assert values
    assert not [value for value in values if value in out]
    assert "sixteen-tons" not in out


def test_without_a_file_what_needs_one_is_not_tried(surgery):
    code, out, _ = surgery.run("-n", "threescale")

    assert code == 0
    assert [line for line in out.splitlines() if line.startswith("not tried  Installed objects")]
    assert "Left-over" not in out


def test_without_file_and_namespace_the_command_asks_for_one(surgery):
    code, out, err = surgery.run()

    assert (code, out) == (1, "")
    assert err == "Error: No namespace is given. Use -n NAMESPACE, or -f FILE with the field namespace\n"


def test_a_file_without_a_namespace_asks_for_one(surgery, tmp_path):
    file = tmp_path / "threescale-backup.yaml"
    file.write_text("image: registry.example.com/steps:1\n")

    code, _, err = surgery.run("-f", str(file))

    assert code == 1
    assert err == f"Error: {file}: the field namespace is missing. Add it to the file, or use -n NAMESPACE\n"


def test_the_option_overrides_the_namespace_of_the_file_also_in_the_remedy(surgery):
    file = surgery.write()

    (missing,) = [
        each for each in surgery.findings("-f", file, "-n", "other") if each["told"].startswith("These are missing")
    ]

    assert missing["remedy"] == (
        f"threescale-backup manifests -f {file} --namespace other | kubectl apply --server-side -f -"
    )


def test_a_file_from_stdin_and_a_name_with_a_blank_give_commands_that_can_be_copied(surgery):
    text = "image: registry.example.com/steps:1\nnamespace: other\n"
    named = surgery.stage.folder / "my file.yaml"
    named.write_text(text)
    surgery.stage.connect()
    kubeconfig = str(surgery.stage.folder / "kubeconfig-None")

    _, by_stdin, _ = run("doctor", "-f", "-", "--kubeconfig", kubeconfig, stdin=text)
    _, by_name, _ = run("doctor", "-f", str(named), "--kubeconfig", kubeconfig)

    assert "    threescale-backup manifests -f FILE | kubectl apply --server-side -f -\n" in by_stdin
    assert f"    threescale-backup manifests -f '{named}' | kubectl apply --server-side -f -\n" in by_name


def test_a_mistake_in_the_file_is_named_with_its_line(surgery):
    code, _, err = surgery.run("-f", surgery.write("pdos: {}\n"))

    assert code == 1
    assert "threescale-backup.yaml:11" in err
    assert "pdos" in err


def test_a_server_that_gives_no_answer_ends_the_command_with_one_message(tmp_path):
    file = tmp_path / "kubeconfig"
    cluster = {"name": "c", "cluster": {"server": "http://127.0.0.1:9"}}
    context = {"name": "c", "context": {"cluster": "c", "user": "u"}}
    users = [{"name": "u", "user": {"token": "x"}}]
    file.write_text(json.dumps({"clusters": [cluster], "contexts": [context], "users": users, "current-context": "c"}))

    code, out, err = run("doctor", "-n", "api", "--kubeconfig", str(file))

    assert (code, out) == (1, "")
    assert err.count("\n") == 1
    assert "Kubernetes gave no usable answer" in err


def test_a_thing_has_one_name_whether_it_may_be_read_or_not(surgery):
    surgery.write("monitoring:\n  enabled: true\nwatchdog:\n  schedule: 17 * * * *\n")
    named = {each["what"] for each in surgery.findings()} | {
        "Argo's controller",
        "Argo's settings",
        "Pods of the phases",
    }

    refused = surgery.findings("-f", surgery.write(), account="nobody-in-particular")

    assert {each["what"] for each in refused} <= named


@pytest.mark.parametrize("account", [None, "nobody-in-particular"])
def test_a_namespace_that_is_there_or_may_not_be_read_has_no_line(surgery, account):
    assert surgery.found("Namespace", account=account) == []


def test_a_namespace_that_does_not_exist_is_an_error_with_the_cluster_s_answer(surgery):
    code, out, _ = surgery.run("-n", "misspelt")

    assert code == 1
    assert "There is no namespace misspelt in this cluster." in out
    assert "Correct -n or the field namespace, or choose the cluster with --context." in out


def test_only_a_missing_namespace_is_asked_in_a_misspelt_scratch_namespace_too(surgery):
    surgery.write("drill: {namespace: scratched}\n")

    (found,) = surgery.found("Namespace")

    assert (found["state"], found["told"]) == ("error", "There is no namespace scratched in this cluster.")
    assert found["remedy"] == "Correct the field drill.namespace, or create the namespace."
