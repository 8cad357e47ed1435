import json

import pytest

from steps import errors
from steps.kubernetes.kinds import APIMANAGER, CLAIM, CONFIGMAP, POD, ROUTE, SECRET, WORKFLOW
from tests.builders.refusals import Holding, refused
from tests.builders.stored import META, PAGE, SECRET_OBJECT, WHOLE_SECRET, not_found, without


def test_a_rejected_secret_is_never_quoted(empty):
    message = 'Secret in version "v1" cannot be handled: illegal base64 data: canary'
    empty.kubernetes.refuse_next("create", "secrets", status=422, message=message)

    with refused(errors.Rejected, status=422, message=Holding("Invalid")) as error:
        empty.connect().create(SECRET, SECRET_OBJECT)

    assert "canary" not in str(error.value)


RIGHTS = 'User "system:serviceaccount:x:y" cannot create resource "secrets" in API group "" in the namespace "x"'


@pytest.mark.parametrize("status", [400, 403, 409, 422, 500])
@pytest.mark.parametrize(
    ("message", "refuser"),
    [
        ('admission webhook "no.example.com" denied the request: canary', "no.example.com"),
        (f'admission webhook "no.example.com" denied the request: {RIGHTS} canary', "no.example.com"),
        ('admission webhook "a.b" denied the request: secrets "new" is forbidden: exceeded quota: canary', "a.b"),
        ('Internal error occurred: failed calling webhook "slow.b": canary', "slow.b"),
        (
            "secrets \"new\" is forbidden: ValidatingAdmissionPolicy 'p.b' with binding 'c' denied request: canary",
            "p.b",
        ),
        ("secrets \"new\" is forbidden: ValidatingAdmissionPolicy 'p.b' denied request: canary", "p.b"),
        ("policy 'p.b' with binding 'c' denied request: canary", "admission policy 'p.b'"),
        ('policy "p.b" denied request: canary', "admission policy 'p.b'"),
        ('secrets "new" is forbidden: admission webhook "a.b" denied the request: canary', "a.b"),
        ('Internal error occurred: admission webhook "a.b" denied the request: canary', "a.b"),
        ('admission webhook "a.b" does not support dry run', "a.b"),
        ('Internal error occurred: admission webhook "a.b" attempted to modify the object, canary', "a.b"),
        ("canary policy 'p.b' with binding 'c' denied request: no", ""),
        ('secrets "new" is forbidden: exceeded quota: canary', ""),
        (f"secrets is forbidden: {RIGHTS}: canary", ""),
        (f"canary: {RIGHTS}", ""),
        ('admission webhook "a canary" denied the request: no', ""),
        ('secrets "new" already exists\ncanary', ""),
    ],
)
def test_what_may_hold_a_secrets_data_is_withheld_and_who_refused_is_said(empty, status, message, refuser):
    empty.kubernetes.refuse_next("create", "secrets", status=status, message=message, reason="canary")

    with pytest.raises(errors.PhaseError) as error:
        empty.connect().create(SECRET, SECRET_OBJECT)

    assert "canary" not in str(error.value)
    assert refuser in str(error.value)
    assert not isinstance(error.value, errors.NotAllowed | errors.QuotaExceeded)


def test_a_withheld_message_is_said_to_be_withheld(empty):
    empty.kubernetes.refuse_next("create", "secrets", status=403, message='admission webhook "a.b" denied the request')

    with refused(errors.Rejected, message=Holding("message is withheld because it may hold a Secret's data")):
        empty.connect().create(SECRET, SECRET_OBJECT)


@pytest.mark.parametrize("text", [PAGE, b"", b'{"kind": "Status", "status": "Success"}', b'{"message": "no"}'])
@pytest.mark.parametrize("status", [200, 302, 400, 403, 404, 405, 409, 413, 422, 500, 501, 503, 511, 520, 527])
def test_an_answer_that_is_not_in_the_servers_own_words_is_none(through, status, text):
    door = through(status=status, text=text)

    with refused(errors.NoAnswer, reason=Holding(f"HTTP {status}"), server=Holding("127.0.0.1:")) as error:
        door.patch(CONFIGMAP, "new", {})

    assert error.value.exit_code == 75
    assert not isinstance(error.value, errors.Conflict)


@pytest.mark.parametrize("status", [501, 511, 520])
def test_a_refusal_in_the_servers_own_words_is_final_whatever_its_status(through, status):
    said = {"kind": "Status", "status": "Failure", "code": status, "message": "never"}

    with refused(errors.Rejected, status=status, message="never"):
        through(status=status, text=json.dumps(said).encode()).get(CONFIGMAP, "new")


VERBS = {
    "get": lambda door: door.get(SECRET, "new"),
    "list": lambda door: door.list(SECRET),
    "create": lambda door: door.create(SECRET, SECRET_OBJECT),
    "patch": lambda door: door.patch(SECRET, "new", {}),
    "replace": lambda door: door.replace(SECRET, SECRET_OBJECT),
    "delete": lambda door: door.delete(SECRET, "new", "uid"),
}
OF_ANOTHER_NAME = without(name="other")
LIST = {"apiVersion": "v1", "kind": "SecretList", "metadata": {}}


def test_what_is_whole_is_an_answer(through):
    door = through(text=json.dumps(WHOLE_SECRET).encode())

    assert door.get(SECRET, "new") == WHOLE_SECRET
    assert through(text=json.dumps({**LIST, "items": [WHOLE_SECRET]}).encode()).list(SECRET) == [WHOLE_SECRET]


def test_only_what_is_created_by_a_dry_run_has_no_version(through):
    door = through(text=json.dumps(without("resourceVersion")).encode())

    assert door.create(SECRET, SECRET_OBJECT, dry_run=True) == without("resourceVersion")
    with pytest.raises(errors.NoAnswer):
        door.create(SECRET, SECRET_OBJECT)
    with pytest.raises(errors.NoAnswer):
        door.replace(SECRET, SECRET_OBJECT, dry_run=True)


@pytest.mark.parametrize("kind", [CLAIM, POD, APIMANAGER, ROUTE, WORKFLOW])
def test_an_object_without_its_spec_is_none(through, kind):
    bare = {"apiVersion": kind.api_version, "kind": kind.name, "metadata": META}
    door = through(text=json.dumps(bare).encode())
    many = through(text=json.dumps({"kind": f"{kind.name}List", "metadata": {}, "items": [bare]}).encode())

    with pytest.raises(errors.NoAnswer):
        door.get(kind, "new")
    with pytest.raises(errors.NoAnswer):
        many.list(kind)


@pytest.mark.parametrize("act", VERBS.values(), ids=VERBS)
@pytest.mark.parametrize(
    "text",
    [
        b"",
        b"null",
        b"[]",
        b"{}",
        PAGE,
        json.dumps(WHOLE_SECRET).encode()[:-1],
        b"[" * 100_000,
        json.dumps(OF_ANOTHER_NAME).encode(),
        json.dumps({**WHOLE_SECRET, "kind": "ConfigMap"}).encode(),
        json.dumps({**WHOLE_SECRET, "data": []}).encode(),
        json.dumps(without(namespace="elsewhere")).encode(),
        *(json.dumps(without(field)).encode() for field in ("uid", "resourceVersion", "creationTimestamp")),
        *(json.dumps(without(uid=value)).encode() for value in (7, "", None)),
        *(json.dumps({**LIST, "items": [item]}).encode() for item in (without("uid"), without(resourceVersion=7))),
        json.dumps(LIST).encode(),
        json.dumps({**LIST, "items": None}).encode(),
        json.dumps({**LIST, "items": [{}]}).encode(),
        json.dumps({**LIST, "items": [], "metadata": {"continue": "more"}}).encode(),
        json.dumps({**LIST, "items": [], "metadata": "none"}).encode(),
        json.dumps({"kind": "Status", "status": "Failure"}).encode(),
    ],
)
def test_a_success_without_what_was_asked_for_is_none(through, act, text):
    door = through(text=text)

    with pytest.raises(errors.NoAnswer) as error:
        act(door)

    assert error.value.exit_code == 75


@pytest.mark.parametrize(
    "answer",
    [
        {"kind": "Status", "status": "Success"},
        {"kind": "Status", "status": "Success", "details": {"name": "new", "kind": "secrets", "uid": "uid"}},
        without(deletionTimestamp="2026-01-01T00:00:00Z"),
        WHOLE_SECRET,  # as a server answers that has deleted at once, for claims and pods
    ],
)
def test_a_delete_is_done_when_a_status_or_the_object_says_so(through, answer):
    assert through(text=json.dumps(answer).encode()).delete(SECRET, "new", "uid") is True


@pytest.mark.parametrize(
    "answer",
    [
        without(uid="another"),
        without(uid="another", deletionTimestamp="2026-01-01T00:00:00Z"),
        {"kind": "Status", "status": "Success", "details": {"name": "new", "uid": "another"}},
    ],
)
def test_the_deletion_of_another_object_of_the_name_is_no_answer(through, answer):
    with pytest.raises(errors.NoAnswer):
        through(text=json.dumps(answer).encode()).delete(SECRET, "new", "uid")


@pytest.mark.parametrize(
    "text", [not_found(name="backend"), not_found(name="backend", kind="routes", group=ROUTE.group)]
)
def test_a_status_says_that_there_is_no_such_object(through, text):
    assert through(status=404, text=text).get(ROUTE, "backend") is None


@pytest.mark.parametrize("called", ["ConfigMap", "configmaps"])  # as a real server has it, before and in its storage
def test_an_object_of_another_uid_is_told_by_the_server_s_own_sentence(through, called):
    why = "the UID in the precondition (1) does not match the UID in record (2)"
    said = f'Operation cannot be fulfilled on {called} "mine": {why}.'
    status = {"kind": "Status", "status": "Failure", "reason": "Conflict", "code": 409, "message": said}

    assert through(status=409, text=json.dumps(status).encode()).delete(CONFIGMAP, "mine", "1") is False
