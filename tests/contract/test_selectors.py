"""Selectors: what they choose, and which are refused, whether there is something to choose from or not."""

import pytest

from steps import errors
from steps.kubernetes.kinds import CLAIM, CONFIGMAP, EVENT, POD, SECRET
from tests.builders.refusals import refused


@pytest.fixture(scope="module")
def chosen(cluster):
    """Three ConfigMaps, and what a selector finds of them."""
    cluster.create("ConfigMap", "a", {"labels": {"app": "one", "tier": "x"}})
    cluster.create("ConfigMap", "b", {"labels": {"app": "two"}})
    cluster.create("ConfigMap", "c", {"labels": {"other": "", "example.test/of": "c"}})
    door = cluster.connect()

    def choose(labels="", fields=""):
        return [name for obj in door.list(CONFIGMAP, labels, fields) if (name := obj["metadata"]["name"]) in "abc"]

    return choose


@pytest.mark.parametrize(
    ("selector", "names"),
    [
        ("", "abc"),
        ("  ", "abc"),
        ("app=one", "a"),
        ("app==one,tier=x", "a"),
        ("app = one", "a"),
        ("app=", ""),
        ("other=", "c"),
        ("app!=one", "bc"),
        ("app", "ab"),
        ("!app", "c"),
        ("! app", "c"),
        ("app in (one, two)", "ab"),
        ("app in(one)", "a"),
        ("app in (,one)", "a"),
        ("other in ()", "c"),
        ("app notin (one)", "bc"),
        ("app notin (one,two),!tier", "c"),
        ("app  in  ( one , two ) , tier", "a"),
        ("in", ""),
        ("in in (in)", ""),
        ("example.test/of=c", "c"),
    ],
)
def test_a_label_selector_chooses(chosen, selector, names):
    assert chosen(selector) == list(names)


@pytest.mark.parametrize(
    ("selector", "said"),
    [
        (",", "found ',', expected: !, identifier, or 'end of string'"),
        ("app,", "found '', expected: identifier after ','"),
        ("app=one,,tier=x", "found ',', expected: identifier after ','"),
        ("app one", "unable to parse requirement: found 'one', expected: in, notin, =, ==, !=, gt, lt"),
        ("app in one", "unable to parse requirement: found 'one' expected: '('"),
        ("app in (one", "unable to parse requirement: found '', expected: ',' or ')'"),
        ("=one", "found '=', expected: !, identifier, or 'end of string'"),
        ("app=one=two", "found '=', expected: ',' or 'end of string'"),
        ("!app=one", "found '=', expected: ',' or 'end of string'"),
        ("app!==one", "unable to parse requirement: found '=', expected: identifier"),
        ("app=-one", 'unable to parse requirement: values[0][app]: Invalid value: "-one": a valid label must be'),
        ("-app", 'unable to parse requirement: <nil>: Invalid value: "-app": name part must consist of'),
        ("a/b/c=d", 'unable to parse requirement: <nil>: Invalid value: "a/b/c": a qualified name must consist of'),
        (f"app={'x' * 64}", "must be no more than 63 characters"),
    ],
)
@pytest.mark.parametrize("path", ["configmaps", "apimanagers"])
def test_a_label_selector_that_is_none_is_a_bad_request(cluster, chosen, path, selector, said):  # noqa: ARG001
    answer = cluster.ask("GET", path, query=[("labelSelector", selector)])

    assert (answer.status, answer.reason) == (400, "BadRequest")
    assert said in answer.message


@pytest.mark.parametrize(
    ("selector", "names"),
    [
        ("metadata.name=b", "b"),
        ("metadata.name==b", "b"),
        ("metadata.name!=b", "ac"),
        ("metadata.name=b,", "b"),
        ("metadata.name=b,metadata.name=a", ""),
    ],
)
def test_a_field_selector_chooses(chosen, selector, names):
    assert chosen(fields=selector) == list(names)


def test_both_selectors_choose_together(chosen):
    assert chosen("app", "metadata.name!=a") == ["b"]


@pytest.mark.parametrize("kind", [CONFIGMAP, SECRET, POD, EVENT, CLAIM], ids=lambda kind: kind.resource)
@pytest.mark.parametrize("selector", ["data.x=y", "metadata.uid=x", "metadata.name", "metadata.name = a"])
def test_a_field_that_cannot_be_selected_by_is_refused_even_where_nothing_is(cluster, kind, selector):
    with refused(errors.Rejected, status=400):
        cluster.connect().list(kind, fields=selector)


@pytest.mark.parametrize(
    ("kind", "selector", "is_allowed"),
    [
        (EVENT, "involvedObject.kind=Pod,involvedObject.name=x,involvedObject.uid=y", True),
        (EVENT, "type=Warning,reason=x", True),
        (CONFIGMAP, "involvedObject.kind=Pod", False),
        (POD, "status.phase=Running,spec.nodeName=x", True),
        (CLAIM, "status.phase=Bound", False),
        (SECRET, "type=Opaque", True),
        (CONFIGMAP, "type=Opaque", False),
    ],
)
def test_each_kind_has_fields_of_its_own_to_select_by(cluster, kind, selector, is_allowed):
    answer = cluster.ask("GET", f"{kind.resource}", query=[("fieldSelector", selector)])

    assert answer.status == (200 if is_allowed else 400)


@pytest.mark.parametrize(
    ("fields", "names"),
    [
        ("involvedObject.kind=Pod,involvedObject.name=phase", ["first", "second"]),
        ("involvedObject.kind=Pod,involvedObject.name=phase,involvedObject.uid=2", ["second"]),
        ("involvedObject.kind=PersistentVolumeClaim", []),
    ],
)
def test_the_events_of_an_object_are_found(cluster, fields, names):
    for number, name in enumerate(["first", "second"], start=1):
        about = {"kind": "Pod", "name": "phase", "namespace": cluster.namespace, "uid": str(number)}
        event = cluster.object(
            "Event", name, involvedObject=about, type="Warning", reason="Evicted", message="so it is"
        )
        cluster.hand.apply(event)

    found = cluster.connect("threescale-backup").list(EVENT, fields=fields)

    assert sorted(obj["metadata"]["name"] for obj in found) == names
