import json

import pytest

from steps.archive import marks
from steps.contract import names
from steps.evidence import result
from steps.phases import exit as exit_phase
from steps.phases.exit import FailedNode
from tests.builders.claims import laid
from tests.builders.phase_commands import entry, outputs
from tests.builders.pods import event, pending_pod


def node(template="prepare", message="", pod="", finished="2026-01-02T03:04:05Z", **more):
    return {"templateName": template, "message": message, "podName": pod, "finishedAt": finished, **more}


def argo(*nodes):
    """As Argo gives it: JSON inside a quoted string."""
    return json.dumps(json.dumps(nodes))


def explain(stage, *failed):
    held_back = exit_phase.waiting_pods(stage.connect("threescale-backup"), "backup-1", failed, "own")
    return exit_phase.explain("backup-1", failed, held_back, "do this next")


class TestFailures:
    def test_what_argo_says_is_read(self):
        assert exit_phase.read_failures(argo(node("prepare", "no APIManager (exit code 1)", "pod-1"))) == [
            FailedNode("prepare", "no APIManager (exit code 1)", "pod-1")
        ]

    def test_a_failure_has_the_code_and_the_facts_that_its_phase_has_left(self):
        text = argo(node("prepare", "no APIManager (exit code 1)"), node("secrets", "evicted"))
        left = {"code": "no-api-manager", "facts": {"namespace": "x"}, "message": "no APIManager", "exit_code": 1}
        other = {**left, "message": "something else"}

        found = exit_phase.read_failures(text, f"{json.dumps(other)}  {json.dumps(left)} ")

        assert [(item.phase, item.code, item.facts) for item in found] == [
            ("prepare", "no-api-manager", {"namespace": "x"}),
            ("secrets", "", {}),
        ]

    @pytest.mark.parametrize(
        "odd",
        ["{", '{"code": 1}', "[]", "x", "{}" * 3, '{"a":' * 100_000, '{"code": "x", "facts": [], "message": "m"}'],
    )
    def test_what_is_no_error_of_a_phase_is_passed_over(self, odd):
        text = argo(node("prepare", "m (exit code 1)"))

        assert exit_phase.read_failures(text, odd) == [FailedNode("prepare", "m (exit code 1)", "")]

    def test_the_last_failure_of_a_phase_counts_whatever_its_place(self):
        text = argo(
            node("prepare", "second", finished="2026-01-02T03:05:00Z"),
            node("prepare", "first", finished="2026-01-02T03:04:00Z"),
        )

        assert [item.message for item in exit_phase.read_failures(text)] == ["second"]

    @pytest.mark.parametrize(
        "message",
        ["child 'backup-1-2' failed", "No more retries left", "retryStrategy.expression evaluated to false", ""],
    )
    def test_a_parent_s_words_do_not_hide_its_child_s(self, message):
        text = argo(node("prepare", "the reason"), node("prepare", message, finished="2026-01-02T03:09:00Z"))

        assert [item.message for item in exit_phase.read_failures(text)] == ["the reason"]

    def test_where_only_parents_speak_they_are_heard(self):
        assert exit_phase.read_failures(argo(node("main", "child 'x' failed"))) == [
            FailedNode("main", "child 'x' failed", "")
        ]

    @pytest.mark.parametrize("text", ["null", "[]", '"null"', '"[]"'])
    def test_none_are_none(self, text):
        assert exit_phase.read_failures(text) == []

    def test_json_without_quotes_is_read_too(self):
        assert exit_phase.read_failures(json.dumps([node("seal", "x")])) == [FailedNode("seal", "x", "")]

    @pytest.mark.parametrize(
        "odd",
        [None, 1, "x", [], {}, {"templateName": ["x"]}, {"templateName": {}, "message": "x"}, {"finishedAt": [1]}],
        ids=str,
    )
    def test_a_node_of_another_form_hides_no_other(self, odd):
        assert exit_phase.read_failures(json.dumps([odd, node("seal", "x")])) == [FailedNode("seal", "x", "")]

    def test_a_message_is_one_line_without_signs_that_change_a_terminal(self):
        (failed,) = exit_phase.read_failures(argo(node("seal", "one\n\ntwo \x1b[2J\ud800")))

        assert failed.message == "one  two \\x1b[2J\\ud800"

    def test_a_field_of_another_form_says_nothing(self):
        odd = {"templateName": "seal", "message": {"a": 1}, "podName": 7, "finishedAt": None}

        assert exit_phase.read_failures(json.dumps([odd])) == [FailedNode("seal", "", "")]

    @pytest.mark.parametrize("text", ["", "{{workflow.failures}}", '"{half"', "[" * 100_000, "{}", "7", '"{}"', '"x"'])
    def test_anything_else_is_a_value_error(self, text):
        with pytest.raises(ValueError, match=r".*"):
            exit_phase.read_failures(text)


class TestExplain:
    def test_each_phase_has_its_sentence_and_the_advice_comes_last(self, empty):
        text = explain(empty, FailedNode("prepare", "no APIManager (exit code 1)", "p"), FailedNode("seal", "", ""))

        assert text == "prepare failed: no APIManager (exit code 1)\nseal failed: no message\ndo this next"

    def test_where_nothing_is_known_that_is_said(self, empty):
        assert explain(empty) == "workflow backup-1 did not succeed\ndo this next"

    def test_a_pod_that_never_started_is_told_with_its_last_warning(self, empty):
        pending_pod(empty)
        event(empty, "Pod", "pod-1", "FailedScheduling", at="2026-01-02T03:05:00Z", message="0/3 nodes")
        event(empty, "Pod", "pod-1", "Older", at="2026-01-02T03:04:00Z")
        event(empty, "Pod", "pod-1", "Normal", type_="Normal", at="2026-01-02T03:06:00Z")

        assert "Pod pod-1: FailedScheduling: 0/3 nodes" in explain(empty, FailedNode("secrets", "timed out", "")).split(
            "\n"
        )

    def test_the_pod_that_tells_is_none_of_them(self, empty):
        pending_pod(empty, name="own")
        event(empty, "Pod", "own", "MissingClusterDNS")

        assert explain(empty) == "workflow backup-1 did not succeed\ndo this next"

    def test_its_claim_without_a_volume_is_told_too(self, empty):
        pending_pod(empty)
        empty.kubernetes.apply(
            {
                "apiVersion": "v1",
                "kind": "PersistentVolumeClaim",
                "metadata": {"name": "nightly", "namespace": empty.namespace},
                "spec": {
                    "storageClassName": "unknown",
                    "accessModes": ["ReadWriteOnce"],
                    "resources": {"requests": {"storage": "1Gi"}},
                },
            }
        )

        said = explain(empty, FailedNode("secrets", "timed out", "")).split("\n")

        assert (
            'PersistentVolumeClaim nightly: ProvisioningFailed: storageclass.storage.k8s.io "unknown" not found' in said
        )

    def test_a_claim_that_is_gone_is_told_where_an_event_tells(self, empty):
        pending_pod(empty)
        event(empty, "PersistentVolumeClaim", "nightly", "ClaimLost")

        assert "PersistentVolumeClaim nightly: ClaimLost: so it is" in explain(empty)

    def test_a_pod_that_ran_is_not_told_again(self, empty):
        pending_pod(empty, phase="Running")
        event(empty, "Pod", "pod-1", "BackOff")

        assert "BackOff" not in explain(empty, FailedNode("prepare", "no APIManager (exit code 1)", "pod-1"))

    def test_a_pod_that_failed_before_it_ran_is_told(self, empty):
        event(empty, "Pod", "pod-9", "Evicted")

        assert "Pod pod-9: Evicted: so it is" in explain(empty, FailedNode("prepare", "Pod was evicted", "pod-9"))

    @pytest.mark.parametrize(
        ("state", "told"),
        [
            ({"terminated": {"exitCode": 75, "startedAt": "2026-01-02T03:04:05Z"}}, False),
            ({"running": {"startedAt": "2026-01-02T03:04:05Z"}}, False),
            ({"terminated": {"exitCode": 137, "startedAt": None}}, True),
            ({"waiting": {"reason": "ContainerCreating"}}, True),
        ],
        ids=["ended", "running", "never started", "waiting"],
    )
    def test_of_a_stopped_workflow_only_what_never_started_is_told(self, empty, state, told):
        pending_pod(empty, phase="Failed", containerStatuses=[{"name": "main", "state": state}])
        event(empty, "Pod", "pod-1", "FailedMount")

        text = explain(empty, FailedNode("prepare", "workflow shutdown with strategy:  Stop", "pod-1"))

        assert ("FailedMount" in text) is told

    def test_missing_rights_do_not_hide_the_failure(self, empty):
        empty.kubernetes.refuse_next("list", "pods", status=403)

        text = explain(empty, FailedNode("prepare", "no APIManager", ""))

        assert text.startswith(
            "prepare failed: no APIManager\nevents can't be read: This account is not allowed to list pods"
        )
        assert text.endswith("do this next")


def labelled(workflow):
    return {"metadata": {"labels": {"workflows.argoproj.io/workflow": workflow}}}


class TestReport:
    def test_what_failed_and_what_to_do_next_is_an_output(self, empty, run, tmp_path):
        node = {"templateName": "prepare", "message": "no APIManager (exit code 1)", "podName": "p"}
        failures = json.dumps(json.dumps([node]))

        arguments = ["report", "--of", "backup", "--failures", failures, "--advice", "start again"]
        assert run(*arguments, stage=empty, account="threescale-backup") == 0
        assert outputs(tmp_path) == {"report": "prepare failed: no APIManager (exit code 1)\nstart again"}

    def test_it_stands_in_the_evidence_too_with_what_held_back_a_pod(self, empty, run):
        pending_pod(empty, name="p")
        empty.kubernetes.patch("pods", empty.namespace, "p", labelled("workflow-uid-1"))
        event(empty, "Pod", "p", "FailedScheduling", message="no node")
        failures = json.dumps(json.dumps([{"templateName": "prepare", "message": "timeout", "podName": "p"}]))
        told = ["--claim", "nightly", "--began", "2026-01-02T03:04:05Z", "--failures", failures, "--advice", "wait"]

        assert run("report", "--of", "restore", *told, stage=empty, account="threescale-restore") == 0
        found = entry(empty, "uid-1")
        assert (found.outcome, found.claim, found.began.isoformat()) == (
            result.FAILED,
            "nightly",
            "2026-01-02T03:04:05+00:00",
        )
        assert [(each.phase, each.sentence) for each in found.failures] == [("prepare", "timeout")]
        assert found.held_back == ("Pod p: FailedScheduling: no node",)
        assert found.advice == "wait"

    @pytest.mark.parametrize(
        "failures",
        ["{{workflow.failures}}", "1", "[null]", '[{"message": 1}]', "[[]]", "[" * 100_000, '[{"templateName": []}]'],
        ids=lambda text: text[:30],
    )
    def test_it_never_fails_itself(self, empty, run, tmp_path, failures):
        arguments = ["report", "--of", "backup", "--failures", failures, "--advice", "start again"]

        assert run(*arguments, stage=empty, account="threescale-backup") == 0
        assert outputs(tmp_path)["report"].startswith("workflow workflow-uid-1 did not succeed")
        assert outputs(tmp_path)["report"].endswith("start again")

    def test_without_a_cluster_it_still_says_what_to_do(self, run, tmp_path, monkeypatch):
        monkeypatch.delenv("KUBECONFIG", raising=False)
        monkeypatch.delenv("KUBERNETES_SERVICE_HOST", raising=False)

        assert run("report", "--of", "backup", "--failures", "null", "--advice", "start again") == 0
        assert "NoConnection); start again" in outputs(tmp_path)["report"]


@pytest.mark.parametrize("began", ["0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-14:00", "tomorrow"])
def test_the_end_of_a_run_that_began_at_no_moment_of_utc_is_told(run, empty, began):
    told = ["--began", began, "--failures", "[]", "--advice", "start again"]

    assert run("report", "--of", "restore", *told, stage=empty, account="threescale-restore") == 0


def test_a_backup_that_is_sealed_is_not_said_to_have_failed_though_its_workflow_has(empty, run, tmp_path):
    labels = {marks.STATE: marks.COMPLETE, marks.WORKFLOW_UID: "uid-1"}
    laid(empty, "nightly", labels=labels, annotations={marks.MANIFEST_DIGEST: "ab" * 32})
    words = ("report", "--of", "backup", "--claim", "nightly", "--failures", "null", "--advice", "Mend it.")

    assert run(*words, stage=empty, account="threescale-backup") == 0
    assert outputs(tmp_path)["report"].endswith(exit_phase.SEALED_ADVICE)
    assert empty.get("configmaps", names.BACKUP_RESULTS) is None
    assert empty.get("persistentvolumeclaims", "nightly")["metadata"]["labels"][marks.STATE] == marks.COMPLETE
