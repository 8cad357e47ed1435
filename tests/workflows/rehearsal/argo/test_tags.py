import pytest

from workflows.rehearsal import errors
from workflows.rehearsal.argo import tags

VALUES = {"workflow.name": "backup-1", "inputs.parameters.it": 'a "b"\n', "tasks.part.outputs.parameters.out": None}


def test_tags_are_replaced_in_values_and_in_keys():
    document = {"{{workflow.name}}": ["of {{ workflow.name }}", 1, None]}

    assert tags.substitute(document, VALUES, "here") == {"backup-1": ["of backup-1", 1, None]}


def test_a_value_can_not_break_out_of_its_string():
    assert tags.substitute(["<{{inputs.parameters.it}}>"], VALUES, "here") == ['<a "b"\n>']


def test_a_tag_that_nobody_knows_is_an_error_with_its_place():
    with pytest.raises(errors.UnknownTag, match=r"here .*\{\{workflow.typo\}\}"):
        tags.substitute("{{workflow.typo}}", VALUES, "here")


def test_tags_of_tasks_can_wait():
    later = ["{{tasks.a.status}}", "{{=tasks.a.status == 'x'}}"]

    assert tags.substitute(later, VALUES, "here", later=("tasks.",)) == later


def test_an_absent_output_is_not_an_empty_one():
    with pytest.raises(tags.Absent, match="absent optional"):
        tags.substitute("{{tasks.part.outputs.parameters.out}}", VALUES, "here")


def test_an_expression_tag_that_can_not_be_read_is_an_error_with_its_place():
    with pytest.raises(errors.UnknownExpression, match=r"here the expression 'sprig\.upper"):
        tags.substitute("{{=sprig.upper(workflow.name)}}", VALUES, "here")


def test_an_expression_tag_may_hold_quotes():
    assert tags.substitute('{{=workflow.name == "backup-1" ? "yes" : "no"}}', VALUES, "here") == "yes"


@pytest.mark.parametrize(("text", "tag"), [("{{ a.b }}", "a.b"), ("x{{a.b}}", None), ("", None)])
def test_a_text_can_be_nothing_but_a_tag(text, tag):
    assert tags.only_tag(text) == tag


@pytest.mark.parametrize(("value", "text"), [("a", "a"), (True, "true"), (3, "3"), (["a"], '["a"]')])
def test_a_parameter_is_kept_as_text(value, text):
    assert tags.as_text(value) == text
