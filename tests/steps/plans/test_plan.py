import pytest

from steps import errors
from steps.parts.conflicts import KEEP, REPLACE, ObjectState, Standing
from steps.plans.plan import Does, Plan, PlanLine

SECRET = {"kind": "Secret", "metadata": {"name": "zync"}, "data": {"KEY": "bm90IHRvIGJlIHNlZW4="}}


def plan(*lines, of="abc"):
    return Plan(of, lines=[PlanLine(*line) for line in lines])


def refuse():
    raise errors.VersionUnknown("2.16")


def test_the_table_stands_in_columns_and_ends_with_the_digest_and_what_it_comes_to():
    made = plan(
        (Does.CREATE, "Secret zync"), (Does.DIFFERS, "ConfigMap system", "a, b"), (Does.CREATE, "Secret apicast")
    )

    assert list(made.text()) == [
        "create   Secret zync",
        "differs  ConfigMap system  a, b",
        "create   Secret apicast",
        f"plan {made.digest}: 2 create, 1 differs",
    ]


def test_a_line_that_is_done_says_so_and_leaves_the_digest_as_it_was():
    before, after = plan((Does.CREATE, "Secret zync")), plan((Does.CREATE, "Secret zync", "", True))

    assert next(after.text()) == "create  Secret zync  (already done by a restore of this backup)"
    assert after.digest == before.digest


def test_a_line_that_is_done_names_who_did_it():
    made = Plan("abc", [PlanLine(Does.CREATE, "Secret zync", "", True)], maker="this workflow")

    assert next(made.text()) == "create  Secret zync  (already done by this workflow)"


@pytest.mark.parametrize(
    "other",
    [
        plan((Does.SAME, "Secret zync", "how")),
        plan((Does.CREATE, "Secret apicast", "how")),
        plan((Does.CREATE, "Secret zync", "else")),
        plan((Does.CREATE, "Secret zync", "how"), (Does.SAME, "Secret apicast")),
        plan((Does.CREATE, "Secret zync", "how"), of="def"),
    ],
)
def test_whatever_is_planned_otherwise_has_another_digest(other):
    assert other.digest != plan((Does.CREATE, "Secret zync", "how")).digest


@pytest.mark.parametrize(
    ("state", "does", "done"),
    [
        (ObjectState.ABSENT, Does.CREATE, False),
        (ObjectState.MADE, Does.CREATE, True),
        (ObjectState.SAME, Does.SAME, False),
        (ObjectState.DIFFERS, Does.DIFFERS, False),
        (ObjectState.GOING, Does.REFUSED, False),
    ],
)
def test_an_object_has_one_line_without_its_values(state, does, done):
    made = Plan("abc")

    why = "KEY" if state in {ObjectState.DIFFERS, ObjectState.GOING} else ""
    made.add_objects([Standing(SECRET, state, why)])

    how = ", ".join(filter(None, ["132 bytes" if does is Does.CREATE else why, "type Opaque"]))
    assert made.lines == [PlanLine(does, "Secret zync", how, done)]
    assert SECRET["data"]["KEY"] not in "".join(made.text())


@pytest.mark.parametrize(
    ("asked", "found", "does"),
    [
        (KEEP, SECRET, Does.KEEP),
        (REPLACE, SECRET, Does.REPLACE),
        (REPLACE, {**SECRET, "immutable": True}, Does.REFUSED),
        (REPLACE, {**SECRET, "type": "example.com/other"}, Does.REFUSED),
    ],
)
def test_what_differs_has_the_line_that_was_asked_for(asked, found, does):
    made = Plan("abc")

    made.add_objects([Standing(SECRET, ObjectState.DIFFERS, "KEY", found=found)], asked)

    assert [line.does for line in made.lines] == [does]
    assert made.lines[0].how.startswith("KEY")
    assert ("is saved to claim WORKFLOW-replaced first" in made.lines[0].how) == (does is Does.REPLACE)


def test_what_was_replaced_has_the_same_line_as_what_will_be():
    before, after = Plan("abc"), Plan("abc")

    before.add_objects([Standing(SECRET, ObjectState.DIFFERS, "KEY", found=SECRET)], REPLACE)
    after.add_objects([Standing(SECRET, ObjectState.MADE, "KEY", found=SECRET)])

    assert before.digest == after.digest
    assert after.lines[0].done


def test_what_speaks_against_it_is_a_line_and_the_first_of_it_is_raised():
    made = Plan("abc")

    assert made.ask("3scale's version", refuse) is None
    assert made.ask("", lambda: made.refuse() or "asked") is None
    assert made.ask("Secret zync", lambda: "there") == "there"
    with pytest.raises(errors.VersionUnknown):
        made.refuse()

    assert [(line.does, line.what) for line in made.lines] == [(Does.REFUSED, "3scale's version")]


@pytest.mark.parametrize("error", [errors.NoAnswer("get", "secrets", "zync", "HTTP 503"), errors.Interrupted()])
def test_where_nobody_can_say_there_is_no_objection_and_no_plan(error):
    made = Plan("abc")

    def fail():
        raise error

    with pytest.raises(type(error)):
        made.ask("Secret zync", fail)

    assert (made.lines, made.objections) == ([], [])


def test_a_plan_without_objections_is_not_refused():
    plan((Does.CREATE, "Secret zync")).refuse()


def test_a_program_gets_the_digest_the_lines_and_the_sentences():
    made = plan((Does.CREATE, "Secret zync"))
    made.ask("3scale's version", refuse)

    told = made.as_json()

    assert told["digest"] == made.digest
    assert told["lines"][0] == {"does": "create", "what": "Secret zync", "how": "", "done": False}
    assert told["objections"] == [errors.VersionUnknown("2.16").told]


def test_a_name_with_a_line_break_makes_no_line_of_its_own():
    made = plan((Does.CREATE, "APIManager a\ncreate  Secret b\x1b[2J"))

    assert next(made.text()) == "create  APIManager a\\ncreate  Secret b\\x1b[2J"


def test_no_name_in_a_plan_forges_a_line_of_it():
    plan = Plan("threescale")
    plan.add(Does.SAVE, "APIManager a\nplan 0: 1 save")

    assert plan.names == "save: APIManager a\\nplan 0: 1 save"
    assert len(list(plan.text())) == 2
