import pytest

from workflows.rehearsal import errors, expressions, retries, tags

VALUES = {"workflow.name": "backup-1", "inputs.parameters.it": 'a "b"\n', "tasks.part.outputs.parameters.out": None}


def test_tags_are_replaced_in_values_and_in_keys():
    document = {"{{workflow.name}}": ["of {{ workflow.name }}", 1, None]}

    assert tags.substitute(document, VALUES, "here") == {"backup-1": ["of backup-1", 1, None]}


def test_a_value_can_not_break_out_of_its_string():
    assert tags.substitute(["<{{inputs.parameters.it}}>"], VALUES, "here") == ['<a "b"\n>']


def test_a_tag_that_nobody_knows_is_an_error_with_its_place():
    with pytest.raises(errors.UnknownTag, match=r"here: .*\{\{workflow.typo\}\}"):
        tags.substitute("{{workflow.typo}}", VALUES, "here")


def test_tags_of_tasks_can_wait():
    later = ["{{tasks.a.status}}", "{{=tasks.a.status == 'x'}}"]

    assert tags.substitute(later, VALUES, "here", later=("tasks.",)) == later


def test_an_absent_output_is_not_an_empty_one():
    with pytest.raises(tags.Absent, match="absent optional"):
        tags.substitute("{{tasks.part.outputs.parameters.out}}", VALUES, "here")


def test_an_expression_tag_that_can_not_be_read_is_an_error_with_its_place():
    with pytest.raises(errors.UnknownExpression, match=r"here: can't evaluate 'sprig\.upper"):
        tags.substitute("{{=sprig.upper(workflow.name)}}", VALUES, "here")


def test_an_expression_tag_may_hold_quotes():
    assert tags.substitute('{{=workflow.name == "backup-1" ? "yes" : "no"}}', VALUES, "here") == "yes"


@pytest.mark.parametrize(("text", "tag"), [("{{ a.b }}", "a.b"), ("x{{a.b}}", None), ("", None)])
def test_a_text_can_be_nothing_but_a_tag(text, tag):
    assert tags.only_tag(text) == tag


@pytest.mark.parametrize(("value", "text"), [("a", "a"), (True, "true"), (3, "3"), (["a"], '["a"]')])
def test_a_parameter_is_kept_as_text(value, text):
    assert tags.as_text(value) == text


# --- when ---


@pytest.mark.parametrize(
    ("text", "runs"),
    [
        ("yes == yes", True),
        ("yes != yes", False),
        ("'two words' == \"two words\"", True),
        ("1 == 1.0", True),
        ("1 == yes", False),
        ("1 != yes", True),
        ("2 < 10", True),
        ("a == b || c == c && d == d", True),
        ("(a == a || c == c) && d == e", False),
        ("!(a == b)", True),
        ("true", True),
    ],
)
def test_when_compares_words(text, runs):
    assert expressions.when(text) is runs


@pytest.mark.parametrize("text", [" == yes", "my-claim == x", "yes", "a == b c", "(a == b", "a = b", "a < 1"])
def test_a_when_that_argo_can_not_read_is_refused(text):
    with pytest.raises(expressions.Unreadable):
        expressions.when(text)


# --- depends ---

ENDED = {"good": "Succeeded", "bad": "Failed", "off": "Skipped", "my-error": "Error", "left-out": "Omitted"}


@pytest.mark.parametrize(
    ("text", "starts"),
    [
        ("good", True),
        ("off", True),
        ("bad", False),
        ("left-out", False),
        ("left-out.Omitted", True),
        ("my-error.Errored", True),
        ("my-error.Failed", False),
        ("good.AnySucceeded", False),
        ("off.Daemoned", False),
        ("good && bad.Failed", True),
        ("(bad || good.Failed) || off.Skipped", True),
        ("!bad.Succeeded", True),
        ("good && !off.Skipped", False),
    ],
)
def test_depends_asks_how_tasks_ended(text, starts):
    assert expressions.depends(text, ENDED) is starts


@pytest.mark.parametrize("text", ["good.Done", "nobody", "good &&", "good bad"])
def test_a_depends_that_argo_can_not_read_is_refused(text):
    with pytest.raises(expressions.Unreadable):
        expressions.depends(text, ENDED)


def test_depends_names_each_task_once():
    assert expressions.dependencies("a-1 && (b.Failed || a-1.Skipped)") == ("a-1", "b")


# --- expressions ---

TRY = {"lastRetry.exitCode": "75", "lastRetry.status": "Failed", "lastRetry.message": ""}


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("asInt(lastRetry.exitCode) == 75", True),
        ("lastRetry.status ?? 'none' == 'Failed'", True),
        ("lastRetry.status == 'Error' || asInt(lastRetry.exitCode) in [75, 137]", True),
        ("lastRetry['status'] != 'Failed'", False),
        ("not (lastRetry.status == 'Error') and asInt(lastRetry.exitCode) >= 75", True),
        ("asFloat('1.5') < 2", True),
        ("lastRetry.message != '' && asInt(lastRetry.message) == 1", False),
        ("lastRetry.message == nil", False),
        ("true ? 'a' : 'b'", "a"),
        ("'it\\'s'", "it's"),
    ],
)
def test_an_expression_is_evaluated_as_expr_does(text, value):
    assert expressions.evaluate(text, TRY.__getitem__) == value


@pytest.mark.parametrize(
    "text",
    [
        "lastRetry.exitCode == 75",
        "asInt(lastRetry.message) == 1",
        "now()",
        "true < false",
        "a ? b",
        "[1, 2",
        "'open",
        "",
    ],
)
def test_an_expression_that_expr_can_not_evaluate_is_refused(text):
    with pytest.raises(expressions.Unreadable):
        expressions.evaluate(text, {"a": True, "b": 1, **TRY}.__getitem__)


# --- durations and back-offs ---


@pytest.mark.parametrize(
    ("text", "seconds"), [("15m", 900), ("1h30m", 5400), ("90", 90), ("1.5s", 1.5), ("2d", 172800)]
)
def test_a_duration_is_read_in_seconds(text, seconds):
    assert retries.duration_s(text) == seconds


@pytest.mark.parametrize("text", ["", "soon", "5 m", "5x"])
def test_a_duration_without_meaning_is_refused(text):
    with pytest.raises(ValueError, match="invalid duration"):
        retries.duration_s(text)


def test_a_back_off_grows_by_its_factor_up_to_its_cap():
    strategy = {"limit": 4, "backoff": {"duration": "10s", "factor": "2", "cap": "30s"}}

    assert [retries.backoff_s(strategy, count) for count in (1, 2, 3, 4, 5)] == [10, 20, 30, 30, 0]


def test_a_back_off_without_a_factor_stays_as_it_is():
    assert retries.backoff_s({"limit": "4", "backoff": {"duration": "10s"}}, 3) == 10


def test_argo_waits_only_under_a_limit():
    assert retries.backoff_s({"backoff": {"duration": "10s"}}, 1) == 0
