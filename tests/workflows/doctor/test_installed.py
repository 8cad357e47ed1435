"""What is installed of this tool, compared with its file."""

import pytest

pytestmark = pytest.mark.thorough

SCHEDULED = "backup:\n  schedule: 0 2 * * *\nwatchdog:\n  schedule: 17 * * * *\n"
ALL = SCHEDULED + "monitoring:\n  enabled: true\ndrill:\n  namespace: scratch\n"


def test_what_was_applied_is_current(surgery):
    surgery.write(ALL.replace("monitoring:\n  enabled: true\n", ""))
    count = len(surgery.apply())

    assert [each["told"] for each in surgery.found("Installed objects")] == [f"{count} objects are as the file asks."]


def test_missing_objects_are_one_line_with_the_command_that_applies_them(surgery, states):
    surgery.stage.kubernetes.delete("workflowtemplates", "threescale", "threescale-backup")
    surgery.stage.kubernetes.delete("workflowtemplates", "threescale", "threescale-drill")
    surgery.stage.kubernetes.delete("serviceaccounts", "threescale", "threescale-drill")

    found = surgery.found("Installed objects")

    assert states(found) == ["error", "ok"]
    assert found[0]["told"] == (
        "These are missing: ServiceAccount threescale-drill, WorkflowTemplate threescale-backup, threescale-drill."
    )
    assert found[0]["remedy"].startswith("threescale-backup manifests -f ")
    assert found[0]["remedy"].endswith("threescale-backup.yaml | kubectl apply --server-side -f -")


def test_a_stale_template_is_named_with_the_part_that_differs(surgery, states):
    old = surgery.stage.kubernetes.get("workflowtemplates", "threescale", "threescale-backup")
    old["spec"]["templates"][2]["container"]["image"] = "registry.example.com/steps:0"
    old["spec"]["serviceAccountName"] = "somebody"
    surgery.stage.kubernetes.apply(old)

    found = surgery.found("Installed objects")

    assert states(found) == ["warning", "ok"]
    told = found[0]["told"]
    assert told.startswith("These are not as the file asks: WorkflowTemplate threescale-backup (")
    assert {"spec.templates[2]", "spec.serviceAccountName"} == set(told.partition("(")[2].rstrip(").").split(", "))


def test_what_a_controller_adds_to_an_object_is_no_difference(surgery, states):
    real = surgery.stage.kubernetes.get("workflowtemplates", "threescale", "threescale-backup")
    real["metadata"]["annotations"]["added"] = "by a controller"
    surgery.stage.kubernetes.apply(real)

    assert states(surgery.found("Installed objects")) == ["ok"]


def test_what_an_older_rendering_asked_for_is_a_difference(surgery, states):
    old = surgery.stage.kubernetes.get("workflowtemplates", "threescale", "threescale-backup")
    old["spec"]["parallelism"] = 2
    old["spec"]["templates"][0]["tolerations"] = [{"operator": "Exists"}]
    surgery.stage.kubernetes.apply(old)

    found = surgery.found("Installed objects")

    assert states(found) == ["warning", "ok"]
    assert "WorkflowTemplate threescale-backup (spec.parallelism, spec.templates[0])" in found[0]["told"]


def test_a_schedule_that_a_person_suspended_is_no_difference(surgery, states):
    surgery.write(SCHEDULED)
    surgery.apply()
    cron = surgery.stage.kubernetes.get("cronworkflows", "threescale", "threescale-backup-schedule")
    cron["spec"]["suspend"] = True
    surgery.stage.kubernetes.apply(cron)

    assert states(surgery.found("Installed objects")) == ["ok"]


def test_what_may_not_be_read_is_told_and_the_others_are_compared(surgery, states):
    surgery.stage.kubernetes.refuse_next("get", "roles", status=403, times=5)

    found = surgery.found("Installed objects")

    assert states(found) == ["ok", "not allowed to ask"]
    assert "get roles threescale-backup, threescale-drill" in found[1]["told"]


def test_a_left_over_cron_workflow_is_named_with_the_command_that_deletes_it(surgery, states):
    surgery.write(SCHEDULED)
    surgery.apply()
    surgery.write("watchdog:\n  schedule: 17 * * * *\n")

    found = surgery.found("Left-over objects")

    assert states(found) == ["warning"]
    assert found[0]["told"] == "The file no longer asks for CronWorkflow threescale-backup-schedule."
    assert found[0]["remedy"] == "kubectl delete cronworkflow threescale-backup-schedule -n threescale"


def test_left_overs_of_all_kinds_are_named_but_no_backup_and_no_evidence(surgery):
    surgery.write(ALL)
    surgery.apply()
    part_of = {"app.kubernetes.io/part-of": "threescale-backup"}
    for name in ("threescale-backup-results", "my-notes"):
        metadata = {"name": name, "namespace": "threescale", "labels": part_of}
        surgery.stage.kubernetes.apply({"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": {}})
    surgery.stage.claim("nightly", metadata={"labels": part_of})
    surgery.write("drill:\n  namespace: scratch\n")

    (found,) = surgery.found("Left-over objects")

    assert found["remedy"].split("; ") == [
        "kubectl delete cronworkflow threescale-backup-schedule -n threescale",
        "kubectl delete cronworkflow threescale-watchdog-schedule -n threescale",
        "kubectl delete workflowtemplate threescale-watchdog -n threescale",
        "kubectl delete rolebinding threescale-watchdog -n threescale",
        "kubectl delete role threescale-watchdog -n threescale",
        "kubectl delete serviceaccount threescale-watchdog -n threescale",
        "kubectl delete configmap threescale-backup-dashboard -n threescale",
    ]


@pytest.mark.parametrize("kind", ["roles", "rolebindings"])
def test_a_left_over_in_the_scratch_namespace_is_named(surgery, kind):
    surgery.write(ALL)
    surgery.apply()
    old = surgery.stage.kubernetes.get(kind, "scratch", "threescale-drill-scratch")
    old["metadata"] = {"name": "old", "namespace": "scratch", "labels": old["metadata"]["labels"]}
    surgery.stage.kubernetes.apply(old)

    (found,) = surgery.found("Left-over objects")

    assert found["remedy"] == f"kubectl delete {kind[:-1]} old -n scratch"


def test_what_may_not_be_listed_is_not_taken_for_absent(surgery, states):
    surgery.stage.kubernetes.refuse_next("list", "cronworkflows", status=403)

    found = surgery.found("Left-over objects")

    assert states(found) == ["not allowed to ask"]
    assert "list cronworkflows" in found[0]["told"]


def test_alerts_need_the_prometheus_operator(surgery, states):
    surgery.write(ALL)

    found = surgery.found("Alerts")

    assert states(found) == ["error"]
    assert "monitoring.enabled" in found[0]["remedy"]
