import pytest

from workflows.rehearsal.argo import expressions

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
        ("a == b || c == c && d == d", True),
        ("(a == a || c == c) && d == e", False),
        ("true", True),
    ],
)
def test_when_compares_words(text, runs):
    assert expressions.when(text) is runs


@pytest.mark.parametrize("text", [" == yes", "my-claim == x", "yes", "a == b c", "(a == b", "a = b", "a < 1", "!a"])
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
        ("my-error.Errored", True),
        ("my-error.Failed", False),
        ("good && bad.Failed", True),
        ("(bad || good.Failed) || off", True),
    ],
)
def test_depends_asks_how_tasks_ended(text, starts):
    assert expressions.depends(text, ENDED) is starts


@pytest.mark.parametrize("text", ["good.Done", "off.Skipped", "!bad", "nobody", "good &&", "good bad"])
def test_a_depends_that_argo_can_not_read_is_refused(text):
    with pytest.raises(expressions.Unreadable):
        expressions.depends(text, ENDED)


def test_depends_names_each_task_once():
    assert expressions.dependencies("a-1 && (b.Failed || a-1.Skipped)") == ("a-1", "b")


# --- expressions ---

TRY = {"lastRetry.exitCode": "75", "lastRetry.status": "Failed", "lastRetry.message": "", "inputs.claim-wait": "10"}


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("lastRetry.exitCode == '75'", True),
        ("lastRetry.status ?? 'none' == 'Failed'", True),
        ("lastRetry.status == 'Error' || lastRetry.exitCode in ['75', '137']", True),
        ("lastRetry.message != '' && lastRetry.message == 1", False),
        ("lastRetry.message == nil", False),
        ("true ? 'a' : 'b'", "a"),
        ("inputs['claim-wait']", "10"),
        ("inputs['claim-wait'] matches '^[0-9]+$'", True),
        ("lastRetry.status matches '^[0-9]+$'", False),
        ("'it\\'s'", "it's"),
    ],
)
def test_an_expression_is_evaluated_as_expr_does(text, value):
    assert expressions.evaluate(text, TRY.__getitem__) == value


@pytest.mark.parametrize(
    "text",
    [
        "lastRetry.exitCode == 75",
        "asInt(lastRetry.exitCode) == 75",
        "not true",
        "lastRetry['status'",
        "lastRetry[status]",
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
