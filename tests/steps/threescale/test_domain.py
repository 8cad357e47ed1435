import base64
import copy
import re

import pytest

from steps import errors
from steps.archive import contents
from steps.archive.manifest import Ready
from steps.threescale.domain import Move
from tests.builders.refusals import refused
from workflows.rehearsal.threescale import installation as threescale
from workflows.rehearsal.threescale import objects as threescale_objects

OLD, NEW = "apps.example.test", "new.example.com"
MOVE = Move(OLD, NEW)


def secret(name, **data):
    encoded = {key: base64.b64encode(value.encode()).decode() for key, value in data.items()}
    return {"kind": "Secret", "metadata": {"name": name}, "data": encoded}


def configmap(name, **data):
    return {"kind": "ConfigMap", "metadata": {"name": name}, "data": data}


def endpoint(obj):
    return base64.b64decode(obj["data"]["route_endpoint"]).decode()


def sample():
    kinds = ("apimanager", "secrets", "configmaps")
    return [obj for kind in kinds for obj in threescale_objects.sample(kind, "here")]


def test_exactly_three_places_of_an_installation_are_rewritten():
    rewritten = [place for obj in sample() for place in MOVE.rewrites(obj)]

    assert rewritten == [
        "APIManager example-apimanager: spec.wildcardDomain",
        "Secret backend-listener: route_endpoint",
        "ConfigMap system-environment: THREESCALE_SUPERDOMAIN",
    ]


def test_nothing_else_of_an_installation_is_changed():
    for obj in sample():
        before = copy.deepcopy(obj)

        changed = MOVE.rewritten(obj)

        assert obj == before
        assert MOVE.rewritten(changed) == changed
        assert (changed == obj) == (not list(MOVE.rewrites(obj)))


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (f"https://backend-3scale.{OLD}", f"https://backend-3scale.{NEW}"),
        (f"https://backend-3scale.{OLD}:8443/a", f"https://backend-3scale.{NEW}:8443/a"),
        (f"https://{OLD}/", f"https://{NEW}/"),
        ("https://backend.elsewhere.test", "https://backend.elsewhere.test"),
        (f"https://backend.{OLD}.evil.test", f"https://backend.{OLD}.evil.test"),
        (f"https://notapps.example.test/{OLD}", f"https://notapps.example.test/{OLD}"),
        (f"https://not{OLD}", f"https://not{OLD}"),
        ("", ""),
    ],
)
def test_the_backend_s_address_moves_where_its_host_lies_under_the_old_domain(before, after):
    assert endpoint(MOVE.rewritten(secret("backend-listener", route_endpoint=before))) == after


def test_an_own_superdomain_stays():
    obj = configmap("system-environment", THREESCALE_SUPERDOMAIN="own.example.test")

    assert MOVE.rewritten(obj) == obj


def test_other_places_of_the_old_domain_are_named_and_stay():
    objects = [
        secret("system-smtp", address=f"smtp.{OLD}", domain=OLD.upper(), port="587"),
        configmap("system", **{"service_discovery.yml": f"host: console.{OLD}\n"}),
        {"kind": "APIManager", "metadata": {"name": "a"}, "spec": {"wildcardDomain": OLD, "x": [{"y": f"z.{OLD}"}]}},
    ]

    assert [place for obj in objects for place in MOVE.others(obj)] == [
        "Secret system-smtp: address",
        "Secret system-smtp: domain",
        "ConfigMap system: service_discovery.yml",
        "APIManager a: spec.x[0].y",
    ]
    assert MOVE.rewritten(objects[0]) == objects[0]


def test_a_new_domain_below_the_old_one_is_not_taken_for_the_old_one():
    below = Move(OLD, f"new.{OLD}")

    assert [place for obj in sample() for place in below.others(obj)] == []
    assert [place for obj in sample() for place in below.rewrites(obj)] == [
        place for obj in sample() for place in MOVE.rewrites(obj)
    ]


def test_a_place_in_a_configmap_s_binary_data_is_named_too():
    packed = base64.b64encode(f"host: smtp.{OLD}".encode()).decode()
    obj = {"kind": "ConfigMap", "metadata": {"name": "a"}, "binaryData": {"mail": packed, "none": "/w=="}}

    assert list(MOVE.others(obj)) == ["ConfigMap a: mail"]


@pytest.mark.parametrize("text", [f"my{OLD}", f"{OLD}.com", f"-{OLD}", "apps-example-test", ""])
def test_what_only_looks_like_the_old_domain_is_not_named(text):
    assert list(MOVE.others(configmap("any", key=text))) == []


def test_a_value_that_is_no_text_is_passed_over():
    obj = {"kind": "Secret", "metadata": {"name": "a"}, "data": {"key": base64.b64encode(b"\xff\xfe").decode()}}

    assert list(MOVE.others(obj)) == []


@pytest.mark.parametrize(
    "value", ["*.apps.example.com", "Apps.example.com", "a..b", "-a.b", "a b", "a" * 64, "a." * 130]
)
def test_what_is_no_domain_is_refused(value):
    with refused(errors.BadDomain, value=value):
        Move.to(OLD, value)


@pytest.mark.parametrize("value", ["", OLD])
def test_the_same_domain_moves_nothing(value):
    assert Move.to(OLD, value) is None


def test_a_backup_under_another_domain_asks_for_no_route_of_the_old_one(backup_volume):
    opened = contents.open_at(backup_volume)

    moved = opened.under(NEW)

    assert opened.ready.routes
    assert moved.ready == Ready(
        conditions=("DeploymentsAvailable", "SecretsAvailable"), deployments=opened.ready.deployments, routes=()
    )
    assert moved.apimanager["spec"]["wildcardDomain"] == NEW
    assert opened.apimanager["spec"]["wildcardDomain"] == OLD
    assert opened.under("") == opened


@pytest.mark.thorough
def test_a_restore_under_another_domain_says_what_it_changes_and_goes_on_under_no_other(lost):
    restored = lost.restore("nightly", wildcard_domain=NEW)

    assert restored.phase == "Succeeded", restored.message
    assert lost.get("apimanagers", threescale.NAME)["spec"]["wildcardDomain"] == NEW
    assert endpoint(lost.get("secrets", "backend-listener")) == f"https://backend-3scale.{NEW}"
    assert lost.get("configmaps", "system-environment")["data"]["THREESCALE_SUPERDOMAIN"] == NEW
    told = restored.node("prepare").log
    for place in (place for obj in sample() for place in MOVE.rewrites(obj)):
        assert re.search(
            rf"^rewritten +{re.escape(place)} +{re.escape(OLD)} becomes {re.escape(NEW)}$", told, re.MULTILINE
        )
    for phase in ("prepare", "routes"):
        assert f"Change them to {NEW} in the database, then run `bundle exec rake" in restored.node(phase).log

    again = lost.engine.submit("threescale-restore", {"claim-name": "nightly"}, entrypoint="prepare")
    said = again.nodes[0].attempts[-1].message
    assert f"created APIManager 'example-apimanager' for wildcard domain {NEW}. Now it is asked for {OLD}" in said


@pytest.mark.thorough
def test_a_database_that_shares_the_old_domain_is_named(lost):
    data = {"data": {"system-database.URL": base64.b64encode(f"mysql2://db.{OLD}/system".encode()).decode()}}
    metadata = {"name": "my-env", "namespace": lost.namespace}  # a name that the Role of the sample holds
    lost.kubernetes.apply({"apiVersion": "v1", "kind": "Secret", "metadata": metadata, **data})
    for name in ("backend-redis", "system-database", "system-redis"):
        lost.kubernetes.delete("secrets", lost.namespace, name)
    arguments = {"database-secrets": "restore", "database-overrides": "my-env", "wildcard-domain": NEW}

    prepared = lost.engine.submit("threescale-restore", {"claim-name": "nightly", **arguments}, entrypoint="prepare")

    line = rf"^stays as it is +Secret system-database: URL +contains {re.escape(OLD)}$"
    assert re.search(line, prepared.nodes[0].log, re.MULTILINE)


@pytest.mark.thorough
def test_a_mistyped_domain_is_refused_before_anything_is_written(lost):
    restored = lost.restore("nightly", wildcard_domain="*.new.example.com")

    assert restored.phase == "Failed"
    assert "without '*.'" in restored.node("prepare").attempts[-1].message
    assert "system-storage" not in lost.exists("persistentvolumeclaims")


def test_a_value_that_is_no_base64_holds_no_domain():
    secret = {"kind": "Secret", "metadata": {"name": "x"}, "data": {"a": "é", "b": "x", "c": "/w=="}}

    assert list(Move("old.example.com", "new.example.com").others(secret)) == []
