"""Whether an object in a cluster is as it was rendered."""

import pytest

from workflows.doctor.likeness import differences


def template(**spec):
    return {"apiVersion": "argoproj.io/v1alpha1", "kind": "WorkflowTemplate", "metadata": {"name": "x"}, "spec": spec}


def test_what_a_server_adds_is_no_difference():
    rendered = template(templates=[{"name": "a", "container": {"image": "x"}}])
    real = template(templates=[{"name": "a", "container": {"image": "x", "imagePullPolicy": "Always"}}], ttl=1)
    real["metadata"] |= {"uid": "1", "labels": {"more": "x"}}
    rendered["kind"] = "PrometheusRule"

    assert [*differences(rendered, real)] == []


def test_one_more_field_of_a_template_is_a_difference():
    rendered = template(templates=[{"name": "a"}])
    real = template(templates=[{"name": "a", "nodeSelector": {"disk": "fast"}}], parallelism=1)

    assert [*differences(rendered, real)] == ["spec.parallelism", "spec.templates[0]"]


@pytest.mark.parametrize("empty", [None, "", [], {}])
def test_empty_is_absent(empty):
    assert [*differences(template(hooks=empty, templates=[{"inputs": empty}]), template(templates=[{}]))] == []


def test_the_item_of_a_list_is_named():
    rendered = template(templates=[{"name": "a"}, {"name": "b", "retries": 3}])

    assert [*differences(rendered, template(templates=[{"name": "a"}, {"name": "b", "retries": 2}]))] == [
        "spec.templates[1]"
    ]


@pytest.mark.parametrize("items", [[], [{"name": "a"}, {"name": "b"}], None, "text"])
def test_a_list_of_another_length_is_named_itself(items):
    assert [*differences(template(templates=[{"name": "a"}]), template(templates=items))] == ["spec.templates"]


def test_zero_and_false_are_not_absent():
    assert [*differences(template(fails=0, runs=False), template())] == ["spec.fails", "spec.runs"]


def test_labels_and_annotations_are_compared():
    rendered, real = template(), template()
    rendered["metadata"]["labels"] = {"part-of": "x"}
    rendered["metadata"]["annotations"] = {"title": "x"}
    real["metadata"]["annotations"] = {"title": "x", "more": "y"}

    assert [*differences(rendered, real)] == ["metadata.labels"]


def test_one_more_field_of_a_rule_is_a_difference():
    rule = {"apiGroups": [""], "resources": ["secrets"], "verbs": ["get"]}
    rendered = {"kind": "Role", "metadata": {}, "rules": [rule, {**rule, "resourceNames": []}]}

    assert [*differences(rendered, {**rendered, "rules": [{**rule, "resourceNames": ["zync"]}, rule]})] == ["rules[0]"]


def test_one_more_rule_is_a_difference():
    rule = {"apiGroups": [""], "resources": ["secrets"], "verbs": ["get"]}

    assert [*differences({"metadata": {}, "rules": [rule]}, {"metadata": {}, "rules": [rule, rule]})] == ["rules"]
