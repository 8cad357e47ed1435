import json
import re
import uuid
from datetime import UTC, datetime
from typing import Any

import pytest

from tests.embedded import argo as engine
from workflows.rehearsal import errors
from workflows.rehearsal.argo import dag as dag_shape
from workflows.rehearsal.kubelet.endings import Ending

NAMESPACE = "threescale"
FOLDER = "/tmp"  # a path inside the container


class FewAnswers:
    """Stands for a cluster: a fake, because the engine only asks it for claims and tokens, and shows it objects."""

    def __init__(self) -> None:
        self.objects: dict[tuple[str, str], dict[str, Any]] = {}
        self.shown: list[tuple[str, str, str]] = []

    def kubeconfig(self, path, *, namespace, service_account=None):
        path.write_text(f"token of {service_account} in {namespace}")
        return path

    def get(self, resource, namespace, name):  # noqa: ARG002  # there is one namespace
        kind = {"persistentvolumeclaims": "PersistentVolumeClaim", "workflows": "Workflow", "pods": "Pod"}[resource]
        return self.objects.get((kind, name))

    def apply(self, obj):
        key = (obj["kind"], obj["metadata"]["name"])
        before = self.objects.get(
            key, {"metadata": {"uid": str(uuid.uuid4()), "creationTimestamp": "2026-01-02T03:04:05Z"}}
        )
        self.objects[key] = json.loads(json.dumps(obj))
        self.objects[key]["metadata"].update({name: before["metadata"][name] for name in ("uid", "creationTimestamp")})
        self.shown.append((*key, obj.get("status", {}).get("phase", "")))
        return self.objects[key]

    def delete(self, resource, namespace, name):  # noqa: ARG002  # there is one namespace, and only pods go
        assert resource == "pods"
        del self.objects["Pod", name]

    def of(self, kind):
        return [obj for (found, _), obj in self.objects.items() if found == kind]


@pytest.fixture
def cluster():
    return FewAnswers()


@pytest.fixture
def argo(cluster, tmp_path):
    return engine.Engine(cluster, tmp_path, namespace=NAMESPACE, time_scale=0.001, pending_s=0.1)


def claim(name):
    return {"apiVersion": "v1", "kind": "PersistentVolumeClaim", "metadata": {"name": name, "namespace": NAMESPACE}}


def phase(name, script="", *, inputs=(), outputs=None, **more):
    """A container template that runs a Python script; output NAME is what the script leaves in /tmp/NAME."""
    parameters = [
        {"name": key, "valueFrom": {"path": f"{FOLDER}/{key}", **source}} for key, source in (outputs or {}).items()
    ]
    container = {
        "image": "steps",
        "command": ["python", "-S", "-c"],  # without site-packages it starts sooner
        "args": [script, f"--folder={FOLDER}", *more.pop("args", [])],
        "volumeMounts": [{"name": "tmp", "mountPath": FOLDER}, *more.pop("mounts", [])],
        **more.pop("container", {}),
    }
    return {
        "name": name,
        "container": container,
        "inputs": {"parameters": [item if isinstance(item, dict) else {"name": item} for item in inputs]},
        "outputs": {"parameters": parameters},
        "volumes": [{"name": "tmp", "emptyDir": {}}, *more.pop("volumes", [])],
        **more,
    }


def task(name, depends="", *, template="", when="", **arguments):
    given = {"name": name, "template": template or name}
    given |= {"depends": depends} if depends else {}
    given |= {"when": when} if when else {}
    given["arguments"] = {"parameters": [{"name": key, "value": value} for key, value in arguments.items()]}
    return given


def dag(name, *tasks, outputs=None, **more):
    parameters = [{"name": key, "valueFrom": source} for key, source in (outputs or {}).items()]
    return {"name": name, "dag": {"tasks": list(tasks), **more}, "outputs": {"parameters": parameters}}


def workflow(*templates, arguments=(), entrypoint="main", **more):
    return {
        "apiVersion": "argoproj.io/v1alpha1",
        "kind": "WorkflowTemplate",
        "metadata": {"name": "backup"},
        "spec": {
            "entrypoint": entrypoint,
            "arguments": {"parameters": [item if isinstance(item, dict) else {"name": item} for item in arguments]},
            "templates": list(templates),
            **more,
        },
    }


TMP = "import sys, os, json, pathlib; tmp = pathlib.Path(sys.argv[1].split('=')[1]);"
WRITE = TMP + "(tmp / 'out').write_text(' '.join(sys.argv[2:]) + '\\n')"
FAIL = "raise SystemExit(1)"
TRY_AGAIN = "raise SystemExit(75)"
OUT = {"out": {}}
ALWAYS = {"retryPolicy": "Always"}
RETRY = {"limit": "2", "expression": "lastRetry.exitCode == '75'", **ALWAYS}


def run(argo, *templates, parameters=None, **spec):
    argo.apply(workflow(*templates, **spec))
    return argo.submit("backup", parameters or {})


def phases(done):
    return {node.name: node.phase for node in done.nodes if node.path != done.name}


def only(done):
    """The node of a workflow whose entrypoint is a container."""
    return done.node(done.name)


# --- outputs and arguments ---


def test_an_output_of_one_task_is_the_argument_of_the_next(argo):
    first = phase("first", WRITE, args=["claim-1"], outputs=OUT)
    second = phase("second", WRITE, inputs=["it"], args=["{{inputs.parameters.it}}!"], outputs=OUT)
    done = run(
        argo,
        dag("main", task("first"), task("second", "first", it="{{tasks.first.outputs.parameters.out}}")),
        first,
        second,
    )

    assert done.node("second").outputs == {"out": "claim-1!"}


def test_an_output_loses_one_newline_and_no_more(argo):
    done = run(argo, phase("main", TMP + "(tmp / 'out').write_text('a\\n\\n')", outputs=OUT))

    assert only(done).outputs == {"out": "a\n"}


def test_an_output_without_a_file_takes_its_default(argo):
    done = run(argo, phase("main", outputs={"out": {"default": "none"}}))

    assert (done.phase, only(done).outputs) == ("Succeeded", {"out": "none"})


def test_an_output_without_file_and_default_is_an_error_of_the_node(argo):
    done = run(argo, phase("main", outputs=OUT))

    assert done.phase == "Error"
    assert done.message == "wait: Error (exit code 1): open /tmp/out: no such file or directory"


def test_outputs_of_a_failed_container_are_read_too(argo):
    done = run(argo, phase("main", WRITE + "; sys.exit(1)", args=["partial"], outputs=OUT))

    assert (done.phase, only(done).outputs) == ("Failed", {"out": "partial"})


def test_a_global_output_of_a_container_shows_on_the_workflow(argo):
    part = phase("part", WRITE, args=["claim-1"], outputs=OUT)
    part["outputs"]["parameters"][0]["globalName"] = "backup-claim"
    done = run(argo, dag("main", task("part")), part)

    assert done.outputs == {"backup-claim": "claim-1"}


def test_a_global_output_of_a_dag_shows_on_its_node_only(argo):
    part = phase("part", WRITE, args=["claim-1"], outputs=OUT)
    whole = dag("main", task("part"), outputs={"out": {"parameter": "{{tasks.part.outputs.parameters.out}}"}})
    whole["outputs"]["parameters"][0]["globalName"] = "backup-claim"
    done = run(argo, whole, part)

    assert (only(done).outputs, done.outputs) == ({"out": "claim-1"}, {})


def test_an_input_takes_its_default_when_no_argument_is_given(argo):
    main = phase("main", WRITE, inputs=[{"name": "it", "value": "own"}], args=["{{inputs.parameters.it}}"], outputs=OUT)
    done = run(argo, main)

    assert only(done).outputs == {"out": "own"}


def test_the_entrypoint_takes_the_workflow_s_arguments_by_name(argo):
    main = phase("main", WRITE, inputs=["it"], args=["{{inputs.parameters.it}}"], outputs=OUT)
    done = run(argo, main, arguments=[{"name": "it", "value": "declared"}], parameters={"it": "given"})

    assert only(done).outputs == {"out": "given"}


def test_an_input_that_nobody_gives_is_an_error_of_the_node(argo):
    done = run(argo, dag("main", task("part")), phase("part", inputs=["it"]))

    assert (done.node("part").phase, done.node("part").message) == ("Error", "inputs.parameters.it had no value")


def test_a_value_with_quotes_and_newlines_arrives_unchanged(argo):
    awkward = 'say "it"\n\\ and {go}'
    main = phase("main", WRITE, args=["{{workflow.parameters.it}}"], outputs=OUT)
    done = run(argo, main, parameters={"it": awkward})

    assert only(done).outputs == {"out": awkward}


# --- what a submit refuses ---


def test_an_argument_without_a_value_stops_the_workflow_before_anything_runs(argo):
    done = run(argo, phase("main"), arguments=["it"])

    assert (done.phase, done.nodes) == ("Failed", ())
    assert done.message == "invalid spec: spec.arguments.it.value or spec.arguments.it.valueFrom is required"


def test_an_argument_outside_its_template_s_enum_is_accepted_as_argo_does(argo):
    files = {"name": "files", "value": "yes", "enum": ["yes", "no"]}
    done = run(argo, phase("main"), arguments=[files], parameters={"files": "perhaps"})

    assert (done.phase, done.arguments) == ("Succeeded", {"files": "perhaps"})


def test_a_parameter_that_nobody_declared_is_accepted_as_argo_does(argo):
    done = run(argo, phase("main"), parameters={"more": "1"})

    assert (done.phase, done.arguments) == ("Succeeded", {"more": "1"})


def test_any_template_can_be_the_entrypoint(argo):
    argo.apply(workflow(phase("main", FAIL), phase("other")))
    other, main = argo.submit("backup", entrypoint="other"), argo.submit("backup")

    assert (other.phase, main.phase) == ("Succeeded", "Failed")


def test_an_unknown_field_is_an_error_that_names_it(argo):
    with pytest.raises(errors.UnknownField, match=r"template main .* spec.templates.container.lifecycle"):
        argo.apply(workflow(phase("main", container={"lifecycle": {}})))


def test_fields_that_mean_nothing_without_a_cluster_are_accepted(argo):
    argo.apply(workflow(phase("main", affinity={}, container={"resources": {}}), synchronization={}))


def test_a_template_of_another_kind_is_an_error(argo):
    with pytest.raises(errors.UnknownField, match="script"):
        argo.apply(workflow({"name": "main", "script": {}}))
    with pytest.raises(errors.UnknownField, match="exactly one of container, dag and suspend"):
        argo.apply(workflow({**phase("main"), "suspend": {}}))


def test_a_timeout_of_a_dag_is_an_error_as_for_the_cluster(argo):
    with pytest.raises(errors.UnknownField, match="timeout of a dag"):
        argo.apply(workflow({**dag("main", task("part")), "timeout": "1m"}))


def test_a_container_without_a_command_is_an_error(argo):
    with pytest.raises(errors.NoCommand, match="main"):
        argo.apply(workflow(phase("main", container={"command": []})))


def test_an_unknown_tag_ends_the_rehearsal(argo):
    with pytest.raises(errors.UnknownTag, match=r"template part .*workflow.parameters.typo"):
        run(argo, dag("main", task("part")), phase("part", args=["{{workflow.parameters.typo}}"]))


def test_an_unknown_tag_beside_the_templates_ends_the_rehearsal(argo):
    with pytest.raises(errors.UnknownTag, match="workflow spec"):
        run(argo, phase("main"), affinity={"labels": {"workflow": "{{workflow.typo}}"}})


def test_an_output_of_a_task_that_is_no_ancestor_is_an_unknown_tag(cluster, tmp_path):
    """The gate opens when `one` has ended, so that `two` starts after it without depending on it."""
    cluster.apply(claim("shared"))
    argo = engine.Engine(cluster, tmp_path, namespace=NAMESPACE, say=lambda node: opens(argo, node))
    wait = "import sys, pathlib, time\nwhile not pathlib.Path(sys.argv[2]).exists(): time.sleep(0.005)"
    gate = on_claim(phase("gate", wait, args=["/shared/open"]), "shared", "/shared")
    main = dag("main", task("one", template="part"), task("gate"), task("two", "gate", template="part", it=ONE))
    with pytest.raises(errors.UnknownTag, match=r"tasks\.one"):
        run(argo, main, gate, phase("part", outputs={"out": {"default": ""}}))


ONE = "{{tasks.one.outputs.parameters.out}}"


def opens(argo, node):
    if (node.name, node.phase) == ("one", "Succeeded"):
        (argo.volume("shared") / "open").touch()


def test_the_ancestors_of_a_task_are_those_it_waits_for_directly_or_not():
    tasks = {name: task(name, depends) for name, depends in [("a", ""), ("b", "a"), ("c", "b.Failed"), ("d", "a")]}

    assert dag_shape.ancestors(tasks["c"], tasks) == ["b", "a"]


def test_an_unknown_template_ends_the_rehearsal(argo):
    with pytest.raises(errors.UnknownName, match="no template 'missing'"):
        run(argo, dag("main", task("missing")))


# --- the order of a DAG ---


def going_on(name, *dependencies):
    """A task by `dependencies`, beside which alone Argo allows `continueOn`."""
    return {**task(name), "dependencies": list(dependencies), "continueOn": {"error": True, "failed": True}}


def test_a_task_that_may_fail_lets_the_next_run_and_turns_nothing_red(argo):
    done = run(argo, dag("main", going_on("one"), going_on("two", "one")), phase("one", FAIL), phase("two", FAIL))

    assert (done.phase, phases(done)) == ("Succeeded", {"one": "Failed", "two": "Failed"})


def test_a_task_that_may_fail_in_one_way_may_not_in_the_other(argo):
    one, two = {**task("one"), "continueOn": {"error": True}}, {**task("two"), "dependencies": ["one"]}
    done = run(argo, dag("main", one, two), phase("one", FAIL), phase("two"))

    assert (done.phase, phases(done)) == ("Failed", {"one": "Failed", "two": "Omitted"})


def test_tasks_of_one_level_run_side_by_side(argo, cluster):
    """Each waits for the file of the other, and would wait for ever if they ran one after the other."""
    cluster.apply(claim("shared"))
    script = (
        "import sys, pathlib, time; mine, other = map(pathlib.Path, sys.argv[2:]); mine.touch();"
        "[time.sleep(0.005) for _ in iter(other.exists, True)]"
    )
    more = {
        "mounts": [{"name": "shared", "mountPath": "/shared"}],
        "volumes": [{"name": "shared", "persistentVolumeClaim": {"claimName": "shared"}}],
    }
    one = phase("one", script, args=["/shared/one", "/shared/two"], **more)
    two = phase("two", script, args=["/shared/two", "/shared/one"], **more)
    done = run(argo, dag("main", task("one"), task("two")), one, two)

    assert done.phase == "Succeeded"


def test_a_task_waits_for_all_that_it_depends_on(argo):
    done = run(argo, dag("main", task("last", "one && two", template="part"), *several("one", "two")), phase("part"))

    assert [node.name for node in done.nodes][-1] == "last"


def several(*names):
    return [task(name, template="part") for name in names]


def test_a_task_after_a_failure_is_omitted_and_the_dag_fails(argo):
    done = run(argo, dag("main", task("bad"), task("after", "bad")), phase("bad", FAIL), phase("after"))

    assert (done.phase, phases(done)) == ("Failed", {"bad": "Failed", "after": "Omitted"})
    assert done.node("after").message == "omitted: depends condition not met"


def test_dependencies_mean_what_a_bare_depends_means(argo):
    after = {"name": "after", "template": "bad", "dependencies": ["bad"]}
    done = run(argo, dag("main", task("bad"), after), phase("bad", FAIL))

    assert phases(done) == {"bad": "Failed", "after": "Omitted"}


def test_a_leaf_that_cleans_up_turns_a_failure_green(argo):
    done = run(argo, dag("main", task("bad"), task("clean-up", "bad.Failed")), phase("bad", FAIL), phase("clean-up"))

    assert (done.phase, phases(done)) == ("Succeeded", {"bad": "Failed", "clean-up": "Succeeded"})


def test_a_failed_leaf_fails_the_dag_though_others_succeed(argo):
    done = run(argo, dag("main", task("good"), task("bad"), failFast=False), phase("good"), phase("bad", FAIL))

    assert (done.phase, phases(done)) == ("Failed", {"good": "Succeeded", "bad": "Failed"})


def test_what_does_not_depend_on_a_failure_still_runs(argo):
    done = run(
        argo,
        dag("main", task("bad"), task("good"), task("after", "good", template="good"), failFast=False),
        phase("bad", FAIL),
        phase("good"),
    )

    assert phases(done)["after"] == "Succeeded"


def test_fail_fast_of_the_template_itself_is_not_played(argo):
    with pytest.raises(errors.UnknownField, match="failFast"):
        argo.apply(workflow({**dag("main", task("part")), "failFast": True}, phase("part")))


def test_tasks_that_wait_for_each_other_end_the_rehearsal(argo):
    with pytest.raises(errors.UnknownName, match="no start for the tasks 'one, two'"):
        run(argo, dag("main", task("one", "two"), task("two", "one")), phase("one"), phase("two"))


def test_a_task_can_be_a_dag(argo):
    inner = dag("inner", task("part"), outputs={"out": {"parameter": "{{tasks.part.outputs.parameters.out}}"}})
    inner["inputs"] = {"parameters": [{"name": "it"}]}
    inner["dag"]["tasks"][0]["arguments"]["parameters"] = [{"name": "it", "value": "{{inputs.parameters.it}}"}]
    part = phase("part", WRITE, inputs=["it"], args=["{{inputs.parameters.it}}"], outputs=OUT)
    done = run(argo, dag("main", task("inner", it="deep")), inner, part)

    assert done.node("inner").outputs == {"out": "deep"}
    assert done.node("inner.part").path == f"{done.name}.inner.part"


# --- when ---


@pytest.mark.parametrize(("files", "phase_of_part"), [("yes", "Succeeded"), ("no", "Skipped")])
def test_when_decides_whether_a_task_runs(argo, files, phase_of_part):
    main = dag("main", task("part", when="{{workflow.parameters.files}} == yes"))
    done = run(argo, main, phase("part"), parameters={"files": files})

    assert (done.phase, done.node("part").phase) == ("Succeeded", phase_of_part)


def test_a_skipped_task_says_why(argo):
    done = run(argo, dag("main", task("part", when="no == yes")), phase("part"))

    assert done.node("part").message == "when 'no == yes' evaluated false"


def test_a_task_after_a_skipped_one_runs(argo):
    done = run(argo, dag("main", task("part", when="a == b"), task("after", "part", template="part")), phase("part"))

    assert phases(done) == {"part": "Skipped", "after": "Succeeded"}


def test_a_when_that_can_not_be_read_is_an_error_of_the_node(argo):
    main = dag("main", task("part", when="{{workflow.parameters.it}} == yes"))
    done = run(argo, main, phase("part"), parameters={"it": "not-a-word"})

    assert done.node("part").phase == "Error"
    assert done.node("part").message.startswith("Invalid 'when' expression 'not-a-word == yes'")


def promised(argo, when, *, made=False, **more):
    """Ask at the exit for a global output that a task has made, or never made because it was skipped."""
    part = phase("part", WRITE, args=["yes"], outputs=OUT)
    part["outputs"]["parameters"][0]["globalName"] = "sealed"
    main = dag("main", task("part", when="a == a" if made else "a == b"))
    at_exit = dag("exit", task("last", when=when, **more))
    return run(argo, main, part, at_exit, phase("last", inputs=[{"name": "it", "value": ""}]), onExit="exit")


@pytest.mark.parametrize(("made", "phase_of_last"), [(True, "Succeeded"), (False, "Skipped")])
def test_in_quotes_a_global_output_that_was_never_made_is_a_text_that_equals_nothing(argo, made, phase_of_last):
    done = promised(argo, "'{{workflow.outputs.parameters.sealed}}' == 'yes'", made=made)

    assert (done.phase, done.node("last").phase) == ("Succeeded", phase_of_last)


def test_without_quotes_one_that_was_never_made_turns_the_workflow_to_error(argo):
    done = promised(argo, "{{workflow.outputs.parameters.sealed}} == yes")

    assert (done.phase, done.node("last").phase) == ("Error", "Error")
    assert "Invalid token" in done.node("last").message


def test_a_global_output_that_no_template_makes_is_an_unknown_tag(argo):
    with pytest.raises(errors.UnknownTag):
        promised(argo, "'{{workflow.outputs.parameters.saled}}' == 'yes'")


@pytest.mark.parametrize(("made", "told"), [(True, "yes"), (False, "never")])
def test_an_expression_may_ask_for_a_global_output_that_was_never_made(argo, made, told):
    asked = "{{=workflow?.outputs?.parameters?.sealed ?? 'never'}}"
    done = promised(argo, "'a' == 'a'", made=made, it=asked)

    assert done.node("last").inputs == {"it": told}


def test_all_arguments_are_told_as_json_with_what_the_template_says_of_them_and_the_unknown_ones_too(argo):
    known = {"name": "known", "value": "a", "description": "one"}
    main = phase("main", WRITE, args=["{{workflow.parameters}}"], outputs=OUT)
    done = run(argo, main, arguments=[known], parameters={"known": 'a "b"', "unknown": "{c}"})

    told = json.loads(only(done).outputs["out"])
    assert told == [{**known, "value": 'a "b"'}, {"name": "unknown", "value": "{c}"}]


def test_the_labels_of_the_workflow_are_told_as_json(argo):
    done = run(argo, phase("main", WRITE, args=["{{workflow.labels.json}}"], outputs=OUT))

    assert json.loads(only(done).outputs["out"]) == {"workflows.argoproj.io/workflow-template": "backup"}


def skipped_then(argo, source, consumer_input, value="{{tasks.part.outputs.parameters.out}}"):
    part = phase("part", outputs={"out": source})
    after = phase("after", WRITE, inputs=[consumer_input], args=["{{inputs.parameters.it}}"], outputs=OUT)
    main = dag("main", task("part", when="a == b"), task("after", "part", it=value))
    return run(argo, main, part, after).node("after")


def test_the_output_of_a_skipped_task_is_its_default(argo):
    after = skipped_then(argo, {"default": "producer"}, {"name": "it", "value": "consumer"})

    assert after.outputs == {"out": "producer"}


def test_without_a_default_of_the_skipped_task_the_consumer_s_default_applies(argo):
    after = skipped_then(argo, {}, {"name": "it", "value": "consumer"})

    assert after.outputs == {"out": "consumer"}


def test_without_any_default_the_output_of_a_skipped_task_fails_the_consumer(argo):
    after = skipped_then(argo, {}, {"name": "it"})

    assert after.phase == "Error"
    assert after.message.startswith("inputs.parameters.it: argument references an absent optional")


def test_the_consumer_s_default_does_not_help_inside_a_longer_argument(argo):
    after = skipped_then(argo, {}, {"name": "it", "value": "x"}, "no {{tasks.part.outputs.parameters.out}}")

    assert after.phase == "Error"
    assert after.message.startswith("unable to substitute {{tasks.part.outputs.parameters.out}}")


def test_an_output_of_a_dag_falls_back_to_its_own_default(argo):
    source = {"parameter": "{{tasks.part.outputs.parameters.out}}", "default": "none"}
    done = run(argo, dag("main", task("part", when="a == b"), outputs={"it": source}), phase("part", outputs=OUT))

    assert only(done).outputs == {"it": "none"}


def test_an_output_of_a_dag_that_nobody_gives_is_an_error(argo):
    source = {"parameter": "{{tasks.part.outputs.parameters.out}}"}
    done = run(argo, dag("main", task("part", when="a == b"), outputs={"it": source}), phase("part", outputs=OUT))

    assert done.phase == "Error"


# --- tags ---


def test_tags_name_the_workflow_and_the_pod(argo):
    tags = [
        "workflow.name", "workflow.uid", "workflow.namespace", "workflow.serviceAccountName",
        "workflow.creationTimestamp.s", "workflow.creationTimestamp.RFC3339", "pod.name",
    ]  # fmt: skip
    part = phase("part", WRITE, args=["{{" + tag + "}}" for tag in tags], outputs=OUT)
    done = run(argo, dag("main", task("part")), part, serviceAccountName="saver")
    name, created = done.name, "2026-01-02T03:04:05Z"
    pod = done.node("part").attempts[0].pod

    assert pod.startswith(f"{name}-part-")
    assert done.node("part").outputs["out"] == (f"{name} {done.uid} {NAMESPACE} saver 1767323045 {created} {pod}")


def test_an_expression_chooses_between_two_values(argo):
    asked = "{{=workflow.parameters.keep == 'yes' ? 'kept' : inputs.parameters.other}}"
    main = phase("main", WRITE, inputs=[{"name": "other", "value": "lost"}], args=[asked], outputs=OUT)
    done = run(argo, main, parameters={"keep": "no"})

    assert only(done).outputs == {"out": "lost"}


# --- tries ---


def test_a_try_again_is_tried_until_no_retries_are_left(argo):
    done = run(argo, phase("main", TRY_AGAIN, retryStrategy=RETRY))

    assert (done.phase, done.message) == ("Failed", "No more retries left")
    assert [attempt.exit_code for attempt in only(done).attempts] == [75, 75, 75]


def test_a_failure_for_good_is_tried_once(argo):
    done = run(argo, phase("main", FAIL, retryStrategy=RETRY))

    assert (done.phase, done.message) == ("Failed", "retryStrategy.expression evaluated to false")
    assert len(only(done).attempts) == 1


def test_a_later_try_that_succeeds_gives_the_outputs(argo):
    script = WRITE + "; sys.exit(0 if sys.argv[2] == '1' else 75)"
    done = run(argo, phase("main", script, args=["{{retries}}"], outputs=OUT, retryStrategy=RETRY))

    assert (done.phase, only(done).outputs) == ("Succeeded", {"out": "1"})
    assert [attempt.phase for attempt in only(done).attempts] == ["Failed", "Succeeded"]


def test_each_try_gets_an_empty_directory_of_its_own(argo):
    script = TMP + "left = os.listdir(tmp); (tmp / 'left').touch(); sys.exit(1 if left else 75)"
    done = run(argo, phase("main", script, retryStrategy=RETRY))

    assert [attempt.exit_code for attempt in only(done).attempts] == [75, 75, 75]


@pytest.mark.parametrize("strategy", [{"limit": 2, "retryPolicy": "OnError"}, {"limit": 2}])
def test_a_policy_of_retries_other_than_always_is_not_played(argo, strategy):
    with pytest.raises(errors.UnknownField, match=r"template main .*retryPolicy Always"):
        argo.apply(workflow(phase("main", FAIL, retryStrategy=strategy)))


def test_a_comparison_of_text_with_a_number_ends_the_rehearsal(argo):
    with pytest.raises(errors.UnknownExpression, match="mismatched types string and number"):
        run(argo, phase("main", FAIL, retryStrategy={"limit": 1, "expression": "lastRetry.exitCode == 75", **ALWAYS}))


def test_a_process_that_a_signal_kills_failed_with_128_and_the_signal(argo):
    argo.on_start = lambda _name, process: process.kill()
    done = run(argo, phase("main", "import time; time.sleep(60)"))

    assert (done.phase, only(done).exit_code) == ("Failed", 137)


def test_the_first_try_can_be_killed_and_the_second_goes_on(argo):
    killed = []

    def kill_once(name, process):
        if not killed:
            killed.append(name)
            process.kill()

    argo.on_start = kill_once
    strategy = {"limit": 1, "expression": "lastRetry.exitCode in ['137', '143']", **ALWAYS}
    done = run(argo, dag("main", task("part")), phase("part", "import time; time.sleep(0.1)", retryStrategy=strategy))

    assert killed == ["part"]
    assert [attempt.exit_code for attempt in done.node("part").attempts] == [137, 0]


# --- messages ---


def test_a_failed_node_carries_the_termination_message(argo):
    script = "import sys, pathlib; pathlib.Path(sys.argv[2]).write_text('no such claim'); sys.exit(1)"
    done = run(argo, phase("main", script, args=["/dev/termination-log"]))

    assert done.message == "main: Error (exit code 1): no such claim"


def test_a_failed_node_without_a_message_tells_the_exit_code(argo):
    assert run(argo, phase("main", FAIL)).message == "main: Error (exit code 1)"


def test_a_command_that_does_not_exist_fails_with_64(argo):
    done = run(argo, phase("main", container={"command": ["no-such-command"]}))

    assert (done.phase, only(done).exit_code) == ("Failed", 64)
    assert 'exec: "no-such-command": executable file not found' in done.message


def test_the_log_holds_what_all_tries_printed(argo):
    done = run(
        argo,
        phase(
            "main",
            "import sys; print(sys.argv[2], flush=True); raise SystemExit('err')",
            args=["{{retries}}"],
            retryStrategy={"limit": 1, **ALWAYS},
        ),
    )

    assert only(done).log == "0\nerr\n1\nerr\n"


# --- the exit handler ---

FAILURES = TMP + "(tmp / 'out').write_text(sys.argv[2] + ' ' + json.dumps(json.loads(json.loads(sys.argv[3]))))"
REPORT_ARGS = ["{{workflow.status}}", "{{workflow.failures}}"]


def test_the_exit_handler_runs_after_success(argo):
    done = run(argo, phase("main"), phase("report", FAILURES, args=REPORT_ARGS, outputs=OUT), onExit="report")

    assert done.phase == "Succeeded"
    assert done.node("onExit").outputs == {"out": "Succeeded null"}


def test_the_exit_handler_learns_what_failed(argo):
    report = phase("report", FAILURES, args=REPORT_ARGS, outputs=OUT)
    done = run(argo, dag("main", task("bad")), phase("bad", FAIL), report, onExit="report")
    status, _, told = done.node("onExit").outputs["out"].partition(" ")
    bad = next(entry for entry in json.loads(told) if entry["displayName"] == "bad")

    assert (done.phase, status) == ("Failed", "Failed")
    assert bad == {
        "displayName": "bad",
        "message": "main: Error (exit code 1)",
        "templateName": "bad",
        "phase": "Failed",
        "podName": done.node("bad").attempts[0].pod,
        "finishedAt": bad["finishedAt"],
    }


def test_each_failed_try_stands_among_the_failures(argo):
    done = run(argo, dag("main", task("bad")), phase("bad", FAIL, retryStrategy={"limit": 1, **ALWAYS}))

    assert {entry["displayName"] for entry in done.failures} == {done.name, "bad", "bad(0)", "bad(1)"}


def test_an_exit_handler_that_fails_turns_a_success_into_a_failure(argo):
    done = run(argo, phase("main"), phase("report", FAIL), onExit="report")

    assert (done.phase, done.message) == ("Failed", "main: Error (exit code 1)")


def test_an_exit_handler_that_fails_leaves_a_failure_as_it_is(argo):
    done = run(argo, phase("main", "raise SystemExit(3)"), phase("report", FAIL), onExit="report")

    assert (done.phase, done.message) == ("Failed", "main: Error (exit code 3)")


def test_an_exit_handler_can_be_a_dag(argo):
    done = run(argo, phase("main"), dag("bye", task("report")), phase("report"), onExit="bye")

    assert done.node("onExit.report").phase == "Succeeded"


def test_the_exit_handler_sees_global_outputs(argo):
    main = phase("main", WRITE, args=["claim-1"], outputs=OUT)
    main["outputs"]["parameters"][0]["globalName"] = "claim"
    report = phase("report", WRITE, args=["{{workflow.outputs.parameters.claim}}"], outputs=OUT)
    done = run(argo, main, report, onExit="report")

    assert done.node("onExit").outputs == {"out": "claim-1"}


# --- time ---


def test_a_template_s_timeout_ends_the_process(argo):
    done = run(argo, phase("main", "import time; time.sleep(60)", timeout="2m"))

    assert (done.phase, only(done).exit_code) == ("Failed", 143)
    assert done.message == "Pod was active on the node longer than the specified deadline"


def test_a_timeout_does_not_end_the_waiting_of_a_pod_with_retries_as_in_argo(argo):
    main = on_claim(phase("main", timeout="1m", retryStrategy={"limit": 1, **ALWAYS}), "lost", "/lost")
    with pytest.raises(errors.PendingForEver, match="'lost'"):
        run(argo, main)


def test_a_timeout_ends_the_waiting_of_a_pod_without_retries(argo):
    done = run(argo, on_claim(phase("main", timeout="1m"), "lost", "/lost"))

    assert (done.phase, done.message, only(done).exit_code) == ("Failed", "timeout", None)


def test_the_workflow_s_deadline_ends_what_runs_but_not_the_exit_handler(argo):
    slow = phase("slow", "import time; time.sleep(60)")
    done = run(argo, dag("main", task("slow")), slow, phase("report"), activeDeadlineSeconds=100, onExit="report")

    assert done.node("slow").message == "Step exceeded its deadline"
    assert (done.phase, done.node("onExit").phase) == ("Failed", "Succeeded")


def test_a_stop_ends_what_runs_but_not_the_exit_handler(argo):
    argo.on_start = lambda name, _process: argo.stop() if name == "slow" else None
    slow = phase("slow", "import time; time.sleep(60)")
    main = dag("main", task("slow"), task("after", "slow.Failed", template="slow"))
    done = run(argo, main, slow, phase("report"), onExit="report")

    assert (done.phase, phases(done)["after"], done.node("onExit").phase) == ("Failed", "Failed", "Succeeded")


# --- a gate ---

GATED = (
    dag("main", task("gate"), task("after", "gate")),
    {"name": "gate", "suspend": {}},
    phase("after", WRITE, args=["open"], outputs=OUT),
)


def test_a_gate_goes_on_when_a_person_resumes_it(argo):
    asked = []
    argo.resume = lambda node: asked.append((node.name, node.phase)) or True

    done = run(argo, *GATED)

    assert asked == [("gate", "Running")]
    assert (done.phase, done.node("gate").phase, done.node("after").outputs) == (
        "Succeeded",
        "Succeeded",
        {"out": "open"},
    )


def test_a_gate_that_nobody_resumes_ends_with_the_workflow_s_deadline_and_the_exit_handler_runs(argo):
    done = run(argo, *GATED, phase("report"), activeDeadlineSeconds=3600, onExit="report")

    assert (done.phase, done.node("gate").message) == ("Failed", "Step exceeded its deadline")
    assert phases(done)["after"] == "Omitted"
    assert done.node("onExit").phase == "Succeeded"


def test_a_gate_that_nothing_ends_is_an_error(argo):
    with pytest.raises(errors.NobodyResumes, match="nobody resumes gate"):
        run(argo, *GATED)


def test_a_gate_with_a_time_is_not_played(argo):
    with pytest.raises(errors.UnknownField, match="duration"):
        run(argo, {"name": "main", "suspend": {"duration": "20s"}})


def test_a_pod_knows_the_workflow_s_deadline_where_that_comes_first(argo):
    tell = "import os, sys; sys.exit(os.environ['ARGO_DEADLINE'])"
    done = run(argo, phase("main", tell, timeout="3h"), activeDeadlineSeconds=3600)

    until = datetime.fromisoformat(only(done).log.strip())
    assert 3500 < (until - datetime.now(UTC)).total_seconds() <= 3600


# --- once more ---


def test_retry_runs_only_what_failed_and_keeps_name_uid_and_outputs(argo, cluster):
    first = phase("first", WRITE, args=["kept"], outputs=OUT)
    cluster.apply(claim("state"))
    second = on_claim(
        phase(
            "second",
            "import sys, pathlib; sys.exit(not pathlib.Path(sys.argv[2]).exists())",
            args=["/state/repaired"],
            inputs=["it"],
        ),
        "state",
        "/state",
    )
    failed = run(
        argo,
        dag("main", task("first"), task("second", "first", it="{{tasks.first.outputs.parameters.out}}")),
        first,
        second,
    )
    (argo.volume("state") / "repaired").touch()
    started = []
    argo.on_start = lambda name, _process: started.append(name)
    done = argo.retry(failed)

    assert (failed.phase, done.phase, started) == ("Failed", "Succeeded", ["second"])
    assert (done.name, done.uid, done.node("second").inputs) == (failed.name, failed.uid, {"it": "kept"})


def on_claim(template, name, path, **mount):
    read_only = {"readOnly": True} if mount.pop("claim_read_only", False) else {}
    template["container"]["volumeMounts"].append({"name": "claim", "mountPath": path, **mount})
    template["volumes"].append({"name": "claim", "persistentVolumeClaim": {"claimName": name, **read_only}})
    return template


def test_retry_runs_again_what_came_after_a_failure_though_it_succeeded(argo):
    failed = run(
        argo,
        dag("main", task("bad"), task("clean", "bad.Failed"), task("end", "bad", template="bad")),
        phase("bad", FAIL),
        phase("clean"),
    )
    started = []
    argo.on_start = lambda name, _process: started.append(name)
    argo.retry(failed)

    assert started == ["bad", "clean"]


def test_retry_runs_again_what_is_inside_a_dag_that_came_after_a_failure(argo):
    clean = dag("clean", task("part"))
    main = dag("main", task("bad"), task("clean", "bad.Failed"), task("end", "bad", template="bad"))
    failed = run(argo, main, clean, phase("bad", FAIL), phase("part"))
    started = []
    argo.on_start = lambda name, _process: started.append(name)
    argo.retry(failed)

    assert started == ["bad", "part"]


def test_retry_keeps_a_dag_that_succeeded_with_the_global_outputs_inside(argo):
    part = phase("part", WRITE, args=["claim-1"], outputs=OUT)
    part["outputs"]["parameters"][0]["globalName"] = "claim"
    inner = dag("inner", task("part"), outputs={"out": {"parameter": "{{tasks.part.outputs.parameters.out}}"}})
    inner["outputs"]["parameters"][0]["globalName"] = "unseen"
    failed = run(argo, dag("main", task("inner"), task("bad", "inner")), inner, part, phase("bad", FAIL))
    started = []
    argo.on_start = lambda name, _process: started.append(name)
    done = argo.retry(failed)

    assert (started, done.outputs) == (["bad"], {"claim": "claim-1"})
    assert phases(done) == {"inner": "Succeeded", "part": "Succeeded", "bad": "Failed"}


def test_retry_uses_the_template_as_it_was_at_submit(argo):
    failed = run(argo, phase("main", FAIL))
    argo.apply(workflow(phase("main")))

    assert argo.retry(failed).phase == "Failed"


def test_a_workflow_that_succeeded_can_not_be_retried(argo):
    with pytest.raises(engine.NotToRepeat, match="must be Failed/Error to retry"):
        argo.retry(run(argo, phase("main")))


def test_resubmit_is_a_new_workflow_with_the_same_arguments(argo):
    failed = run(argo, phase("main", FAIL), parameters={"it": "1"})
    argo.apply(workflow(phase("main")))
    done = argo.resubmit(failed)

    assert (done.phase, done.arguments) == ("Succeeded", {"it": "1"})
    assert done.uid != failed.uid
    assert done.name.startswith(f"{failed.name}-")


def test_a_memoized_resubmit_skips_what_succeeded_and_uses_its_outputs(argo):
    first = phase("first", WRITE, args=["kept"], outputs=OUT)
    main = dag("main", task("first"), task("second", "first", it="{{tasks.first.outputs.parameters.out}}"))
    failed = run(argo, main, first, phase("second", FAIL, inputs=["it"]))
    argo.apply(workflow(main, first, phase("second", inputs=["it"])))
    done = argo.resubmit(failed, memoized=True)

    assert phases(done) == {"first": "Skipped", "second": "Succeeded"}
    assert done.node("first").message.startswith("original pod: ")
    assert done.node("second").inputs == {"it": "kept"}


def test_a_cron_workflow_fires_with_its_arguments_and_labels(argo):
    argo.apply(workflow(phase("main"), arguments=["it"]))
    spec = {
        "schedules": ["0 2 * * *"],
        "workflowSpec": {
            "workflowTemplateRef": {"name": "backup"},
            "arguments": {"parameters": [{"name": "it", "value": "nightly"}]},
            "workflowMetadata": {"labels": {"of": "the-night"}},
        },
    }
    argo.apply({"kind": "CronWorkflow", "metadata": {"name": "nightly"}, "spec": spec})
    done = argo.submit_cron("nightly")

    assert (done.phase, done.arguments) == ("Succeeded", {"it": "nightly"})
    assert re.fullmatch(r"nightly-\d{10}", done.name)
    assert done.metadata["labels"]["of"] == "the-night"


# --- what the cluster sees ---


def test_the_workflow_is_an_object_of_the_cluster(argo, cluster):
    done = run(argo, phase("main", WRITE, args=["said"], outputs=OUT), parameters={"it": "given"})
    shown = cluster.get("workflows", NAMESPACE, done.name)

    assert shown["metadata"]["uid"] == done.uid
    assert shown["metadata"]["labels"]["workflows.argoproj.io/phase"] == "Succeeded"
    assert shown["spec"]["arguments"]["parameters"] == [{"name": "it", "value": "given"}]
    assert shown["status"]["nodes"][done.name]["outputs"]["parameters"] == [{"name": "out", "value": "said"}]


def test_each_pod_is_an_object_of_the_cluster(argo, cluster):
    done = run(argo, dag("main", task("part")), phase("part"))
    name = done.node("part").attempts[0].pod

    assert [shown for shown in cluster.shown if shown[0] == "Pod"] == [
        ("Pod", name, "Pending"),
        ("Pod", name, "Running"),
        ("Pod", name, "Succeeded"),
    ]


def test_anything_but_workflows_goes_to_the_cluster(argo, cluster):
    argo.apply(claim("made"))

    assert cluster.get("persistentvolumeclaims", NAMESPACE, "made")


def test_a_person_is_told_each_change(cluster, tmp_path):
    told = []
    argo = engine.Engine(cluster, tmp_path, namespace=NAMESPACE, say=lambda node: told.append((node.name, node.phase)))
    run(argo, dag("main", task("part")), phase("part"))

    assert [phase for name, phase in told if name == "part"] == ["Pending", "Running", "Succeeded"]


class Elsewhere:
    """Pods that run elsewhere: keeps the orders, and says that each went well."""

    def __init__(self):
        self.orders = []

    def run(self, order, limit, tell):  # noqa: ARG002  # as whoever runs pods is asked
        self.orders.append(order)
        return Ending("Succeeded")


def test_pods_may_run_elsewhere_and_are_told_what_the_workflow_sets_for_them(cluster, tmp_path):
    pods = Elsewhere()
    argo = engine.Engine(cluster, tmp_path, namespace=NAMESPACE, pods=pods)
    security = {"runAsUser": 1000}

    done = run(argo, phase("main"), securityContext=security, affinity={"podAffinity": "{{workflow.name}}"})

    assert pods.orders[0].pod_fields == {"securityContext": security, "affinity": {"podAffinity": done.name}}


def test_what_a_template_sets_for_its_pod_comes_before_what_the_workflow_sets(cluster, tmp_path):
    pods = Elsewhere()
    argo = engine.Engine(cluster, tmp_path, namespace=NAMESPACE, pods=pods)

    run(argo, phase("main", affinity={"nodeAffinity": "its own"}), affinity={"podAffinity": "of all"})

    assert pods.orders[0].pod_fields == {"affinity": {"nodeAffinity": "its own"}}


def test_pods_are_collected_when_the_workflow_has_ended(argo, cluster):
    run(argo, phase("main"), podGC={"strategy": "OnPodCompletion", "deleteDelayDuration": "10m"})

    assert cluster.of("Pod") == []


def test_pods_stay_where_nothing_collects_them(argo, cluster):
    run(argo, phase("main"))

    assert [pod["status"]["phase"] for pod in cluster.of("Pod")] == ["Succeeded"]


def test_a_strategy_of_collection_that_is_not_played_is_refused(argo):
    with pytest.raises(errors.UnknownName, match="OnPodSuccess"):
        run(argo, phase("main"), podGC={"strategy": "OnPodSuccess"})


def test_a_workflow_has_the_labels_that_its_template_gives(argo):
    argo.apply(workflow(phase("main"), workflowMetadata={"labels": {"made-by": "template"}}))

    assert argo.submit("backup").metadata["labels"]["made-by"] == "template"


# --- a task for each item of a list ---

ECHO = TMP + "(tmp / 'out').write_text(sys.argv[2])"
FAIL_ON_B = TMP + "sys.exit(sys.argv[2] == 'b')"


def each(name, source, *, when="", **arguments):
    """A task that runs for each item of the list that an output of `first` holds."""
    return {**task(name, "first", template="part", when=when, **arguments), "withParam": source}


def fan(argo, listed, *, script=ECHO, when="", after=(), **more):
    first = phase("first", TMP + "(tmp / 'out').write_text(sys.argv[2])", args=[listed], outputs=OUT)
    part = phase(
        "part", script, inputs=["x"], args=["{{inputs.parameters.x}}"], outputs={"out": {"default": ""}}, **more
    )
    tasks = [task("first"), each("many", "{{tasks.first.outputs.parameters.out}}", when=when, x="{{item}}"), *after]
    last = phase("last", "")
    return run(argo, dag("main", *tasks, failFast=False), first, part, last)


def test_a_task_with_a_list_runs_once_for_each_item_and_its_nodes_are_named_after_them(argo):
    done = fan(argo, '["a", "b (c)", 3, true]')

    assert phases(done) == {
        "first": "Succeeded",
        "many": "Succeeded",
        **dict.fromkeys(["many(0:a)", "many(1:b c)", "many(2:3)", "many(3:true)"], "Succeeded"),
    }
    assert [done.node(name).outputs["out"] for name in ("many(0:a)", "many(1:b c)", "many(2:3)")] == ["a", "b (c)", "3"]
    assert done.node("many(0:a)").path == f"{done.name}.many(0:a)"


def test_the_parallelism_of_a_dag_bounds_how_many_of_its_tasks_run_at_once(argo):
    first = phase("first", WRITE, args=['["a", "b", "c", "d"]'], outputs=OUT)
    part = phase("part", "import time; time.sleep(0.3)", inputs=["x"], args=["{{inputs.parameters.x}}"])
    tasks = [task("first"), each("many", "{{tasks.first.outputs.parameters.out}}", x="{{item}}")]
    done = run(argo, {**dag("main", *tasks), "parallelism": 2}, first, part)

    spans = [
        (attempt.started_s, attempt.started_s + attempt.duration_s)
        for node in done.nodes
        if node.name.startswith("many(")
        for attempt in node.attempts
    ]
    assert max(sum(start <= moment < end for start, end in spans) for moment, _ in spans) <= 2
    assert phases(done)["many"] == "Succeeded"


@pytest.mark.parametrize("listed", ["[]", "null"])
def test_an_empty_list_skips_the_task(argo, listed):
    done = fan(argo, listed, after=[task("last", "many")])

    assert phases(done) == {"first": "Succeeded", "many": "Skipped", "last": "Succeeded"}
    assert done.node("many").message == "Skipped, empty params"


@pytest.mark.parametrize("listed", ["", "a", '{"a": 1}'])
def test_what_is_no_list_is_an_error_of_the_node(argo, listed):
    done = fan(argo, listed)

    assert phases(done) == {"first": "Succeeded", "many": "Error"}
    assert done.node("many").message.startswith("withParam value could not be parsed as a JSON list: ")
    assert done.phase == "Error"


def test_a_task_with_a_list_that_its_when_skips_asks_for_no_list(argo):
    done = fan(argo, "no list", when="a == b")

    assert done.node("many").message == "Skipped, empty params"
    assert done.phase == "Succeeded"


def test_a_when_may_ask_for_the_item(argo):
    done = fan(argo, '["a", "b"]', when="{{item}} == b")

    assert phases(done) == {"first": "Succeeded", "many": "Succeeded", "many(0:a)": "Skipped", "many(1:b)": "Succeeded"}


def test_an_item_that_fails_leaves_the_others_alone_and_fails_the_task(argo):
    done = fan(argo, '["a", "b", "c"]', script=FAIL_ON_B, after=[task("last", "many")])

    assert phases(done) == {
        "first": "Succeeded",
        "many": "Failed",
        "many(0:a)": "Succeeded",
        "many(1:b)": "Failed",
        "many(2:c)": "Succeeded",
        "last": "Omitted",
    }
    assert done.phase == "Failed"


def test_an_item_whose_claim_can_not_be_mounted_ends_by_its_timeout_and_the_others_go_on(argo, cluster):
    cluster.apply(claim("b"))
    volume = {"name": "v", "persistentVolumeClaim": {"claimName": "{{inputs.parameters.x}}"}}
    done = fan(argo, '["a", "b"]', volumes=[volume], timeout="600s")

    assert phases(done) == {
        "first": "Succeeded",
        "many": "Failed",
        "many(0:a)": "Failed",
        "many(1:b)": "Succeeded",
    }
    assert done.node("many(0:a)").message == "timeout"


def test_a_task_with_a_list_may_be_a_dag(argo):
    inner = {**dag("part", task("echo", x="{{inputs.parameters.x}}")), "inputs": {"parameters": [{"name": "x"}]}}
    echo = phase("echo", ECHO, inputs=["x"], args=["{{inputs.parameters.x}}"], outputs=OUT)
    first = phase("first", WRITE, args=['["a", "b"]'], outputs=OUT)
    source = "{{tasks.first.outputs.parameters.out}}"
    done = run(argo, dag("main", task("first"), each("many", source, x="{{item}}")), first, inner, echo)

    assert done.node("many(1:b).echo").outputs == {"out": "b"}
    assert done.phase == "Succeeded"


def test_the_outputs_of_all_items_together_are_not_played(argo):
    with pytest.raises(errors.UnknownTag):
        fan(argo, '["a"]', after=[task("last", "many", when="{{tasks.many.outputs.parameters.out}} == a")])


@pytest.mark.parametrize("listed", ['[["a"]]', '[{"claim": "a"}]', "[null]"])
def test_an_item_that_is_no_text_or_number_is_not_played(argo, listed):
    with pytest.raises(errors.UnknownField):
        fan(argo, listed)


def test_retry_runs_again_only_the_items_that_failed(argo, tmp_path):
    flag = tmp_path / "flag"
    script = f"{TMP}sys.exit(sys.argv[2] == 'b' and not pathlib.Path({str(flag)!r}).exists())"
    failed = fan(argo, '["a", "b"]', script=script)
    flag.touch()

    done = argo.retry(failed)

    assert done.phase == "Succeeded"
    assert done.node("many(0:a)").duration_s == 0.0
    assert done.node("many(1:b)").duration_s > 0.0


# --- a leaf whose end does not count ---


@pytest.mark.parametrize(
    ("goes_on", "script", "ended"),
    [
        ({"failed": True}, FAIL, "Succeeded"),
        ({"error": True}, FAIL, "Failed"),
        ({"failed": True, "error": True}, "", "Succeeded"),
        ({}, FAIL, "Failed"),
    ],
)
def test_a_leaf_with_continue_on_does_not_decide_how_its_dag_ends(argo, goes_on, script, ended):
    done = run(
        argo, dag("main", {**task("leaf"), "continueOn": goes_on}, task("other")), phase("leaf", script), phase("other")
    )

    assert done.phase == ended
    assert done.node("leaf").phase == ("Failed" if script else "Succeeded")


def test_an_exit_handler_that_goes_on_leaves_a_success_as_it_is(argo):
    handler = dag("exit", {**task("leaf"), "continueOn": {"failed": True, "error": True}})

    done = run(argo, phase("main"), handler, phase("leaf", FAIL), onExit="exit")

    assert (done.phase, done.node("leaf").phase) == ("Succeeded", "Failed")


def test_continue_on_beside_depends_is_refused_as_argo_does(argo):
    leaf = {**task("leaf"), "continueOn": {"failed": True}}

    with pytest.raises(errors.UnknownField, match="continueOn"):
        argo.apply(workflow(dag("main", leaf, task("other", "leaf")), phase("leaf")))
