"""Objects: made, read, refused."""

import pytest

from steps import errors
from steps.kubernetes.kinds import APIMANAGER, CONFIGMAP, DEPLOYMENT, DEPLOYMENT_CONFIG, SECRET, Kind
from tests.builders.refusals import Holding, refused

SPEC = {"wildcardDomain": "example.test"}
NO_RESOURCE = Kind("api/v1", "secretes", "Secret")
NO_RESOURCE_OF_A_GROUP = Kind("apis/apps.3scale.net/v1alpha1", "managers", "Manager")
NO_GROUP = Kind("apis/no.such.example/v1", "things", "Thing")
NOT_BASE64 = "illegal base64 data at input byte"


def test_what_is_created_is_read_back(cluster):
    door = cluster.connect()

    created = door.create(SECRET, cluster.object("Secret", "new", data={"KEY": "dg=="}))

    assert door.get(SECRET, "new") == created
    assert (created["data"], created["type"]) == ({"KEY": "dg=="}, "Opaque")
    assert {"uid", "resourceVersion", "creationTimestamp"} <= set(created["metadata"])


def test_a_custom_resource_counts_its_generations(cluster):
    created = cluster.connect().create(APIMANAGER, cluster.object("APIManager", "new", spec=SPEC))

    assert (created["spec"], created["metadata"]["generation"]) == (SPEC, 1)
    assert "status" not in created


def test_a_name_that_is_taken_is_a_conflict(cluster):
    cluster.create("Secret", "taken")

    with refused(errors.AlreadyExists, resource="secrets", name="taken"):
        cluster.connect().create(SECRET, cluster.object("Secret", "taken"))


@pytest.mark.parametrize("kind", [SECRET, APIMANAGER, DEPLOYMENT], ids=lambda kind: kind.resource)
def test_what_is_not_there_reads_as_none(cluster, kind):
    assert cluster.connect().get(kind, "nothing") is None


@pytest.mark.parametrize(
    ("path", "said"),
    [
        ("secrets/nothing", 'secrets "nothing" not found'),
        ("apimanagers/nothing", 'apimanagers.apps.3scale.net "nothing" not found'),
        ("deployments/nothing", 'deployments.apps "nothing" not found'),
    ],
)
def test_what_is_not_there_is_said_by_resource_and_name(cluster, path, said):
    answer = cluster.ask("GET", path)

    assert (answer.status, answer.reason, answer.message) == (404, "NotFound", said)


@pytest.mark.parametrize("kind", [NO_RESOURCE, NO_RESOURCE_OF_A_GROUP, NO_GROUP], ids=lambda kind: kind.resource)
def test_a_resource_that_nobody_serves_is_told_from_one_without_objects(cluster, kind):
    door = cluster.connect()

    assert door.get(kind, "any") is None
    with pytest.raises(errors.UnknownResource):
        door.list(kind)
    with refused(errors.Rejected, status=404):
        door.create(kind, {"apiVersion": kind.api_version, "kind": kind.name, "metadata": {"name": "any"}})
    assert door.delete(kind, "any", "uid") is False


@pytest.mark.parametrize(
    ("path", "called", "part"),
    [
        ("/apis", "APIGroupList", "groups"),
        ("/apis/apps.3scale.net", "APIGroup", "versions"),
        ("/apis/apps.3scale.net/v1alpha1", "APIResourceList", "resources"),
        ("/api/v1", "APIResourceList", "resources"),
    ],
)
def test_a_server_lists_what_it_has(cluster, path, called, part):
    answer = cluster.ask("GET", path, account="threescale-backup")

    assert (answer.status, answer.content["kind"]) == (200, called)
    assert isinstance(answer.content[part], list)


@pytest.mark.parametrize("path", ["/apis/no.such.example", "/apis/apps.3scale.net/v7"])
def test_a_group_or_version_that_is_not_there_is_said_in_plain_text(cluster, path):
    answer = cluster.ask("GET", path)

    assert (answer.status, answer.content) == (404, "404 page not found\n")


def test_an_account_without_rights_learns_too_that_a_group_is_not_there(cluster):
    with pytest.raises((errors.UnknownResource, errors.NotAllowed)):
        cluster.connect("stranger").list(NO_GROUP)


def test_a_group_that_only_openshift_has_is_not_known_elsewhere(cluster):
    if cluster.knows("apps.openshift.io"):
        pytest.skip("this is OpenShift")

    with pytest.raises(errors.UnknownResource):
        cluster.connect("threescale-restore").list(DEPLOYMENT_CONFIG)


def test_a_namespace_that_is_not_there_is_empty_and_takes_nothing(cluster):
    door = cluster.connect(namespace="no-such-namespace")

    assert (door.get(SECRET, "any"), door.list(SECRET)) == (None, [])
    with refused(errors.Rejected, status=404):
        door.create(SECRET, {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "any"}})


@pytest.mark.parametrize("name", ["Capital", "under_score", "-dash", "a..b", "x" * 254, ""])
def test_a_name_that_kubernetes_does_not_allow_is_invalid(cluster, name):
    with refused(errors.Rejected, status=422, message=Holding("is invalid: metadata.name: ")):
        cluster.connect().create(CONFIGMAP, cluster.object("ConfigMap", name))


def test_a_name_is_generated_where_only_its_start_is_given(cluster):
    first, second = (cluster.ask("POST", "configmaps", {"metadata": {"generateName": "made-"}}) for _ in range(2))

    assert (first.status, first.content["metadata"]["generateName"]) == (201, "made-")
    assert first.content["metadata"]["name"].startswith("made-")
    assert first.content["metadata"]["name"] != second.content["metadata"]["name"]


def test_what_only_a_server_says_is_not_taken_from_the_client(cluster):
    forged = {"uid": "forged", "creationTimestamp": "2020-01-01T00:00:00Z", "deletionTimestamp": "2020-01-01T00:00:00Z"}

    created = cluster.connect().create(CONFIGMAP, cluster.object("ConfigMap", "forged", forged))

    assert created["metadata"]["uid"] != "forged"
    assert created["metadata"]["creationTimestamp"] > "2020"
    assert "deletionTimestamp" not in created["metadata"]


@pytest.mark.parametrize(
    ("metadata", "status", "said"),
    [
        ({"resourceVersion": "7"}, 500, "resourceVersion should not be set on objects to be created"),
        ({"namespace": "elsewhere"}, 400, "the namespace of the provided object does not match the namespace sent"),
    ],
)
@pytest.mark.parametrize("kind", ["Secret", "APIManager"])
def test_what_means_another_object_cannot_be_created(cluster, kind, metadata, status, said):
    path = f"{kind.lower()}s"

    answer = cluster.ask("POST", path, cluster.object(kind, "another", metadata, spec=SPEC))

    assert (answer.status, said in answer.message) == (status, True)


@pytest.mark.parametrize("body", [b"", b"{oh", b"[]"])
@pytest.mark.parametrize(("path", "kind"), [("secrets", "Secret"), ("apimanagers", "APIManager")])
def test_a_body_that_is_no_object_is_a_bad_request(cluster, path, kind, body):
    answer = cluster.ask("POST", path, body)

    assert (answer.status, answer.reason) == (400, "BadRequest")
    assert answer.message.startswith(f"the object provided is unrecognized (must be of type {kind}): couldn't get")


@pytest.mark.parametrize(
    ("kind", "fields", "status"),
    [
        ("Secret", {"kind": "ConfigMap"}, 400),
        ("Secret", {"apiVersion": "v2"}, 400),
        ("APIManager", {"kind": "ConfigMap"}, 422),
        ("APIManager", {"apiVersion": "v2"}, 400),
    ],
)
def test_an_object_of_another_kind_is_refused(cluster, kind, fields, status):
    answer = cluster.ask("POST", f"{kind.lower()}s", cluster.object(kind, "other", spec=SPEC) | fields)

    assert (answer.status, answer.reason) == (status, "BadRequest" if status == 400 else "Invalid")


# --- what Secrets and ConfigMaps hold ---


@pytest.mark.parametrize(
    ("kind", "fields", "said"),
    [
        ("Secret", {"data": {"k": "not base64!"}}, f"{NOT_BASE64} 3"),
        ("Secret", {"data": {"k": "YQ"}}, f"{NOT_BASE64} 0"),
        ("Secret", {"data": {"k": "YQ="}}, f"{NOT_BASE64} 3"),
        ("Secret", {"data": {"k": 7}}, "cannot unmarshal number into Go struct field Secret.data"),
        ("ConfigMap", {"binaryData": {"k": "YQ!="}}, f"{NOT_BASE64} 2"),
        ("ConfigMap", {"data": {"k": 7}}, "cannot unmarshal number into Go struct field ConfigMap.data"),
        ("ConfigMap", {"data": {"k": ["a"]}}, "cannot unmarshal array into Go struct field ConfigMap.data"),
    ],
)
def test_a_value_of_another_type_is_a_bad_request(cluster, kind, fields, said):
    answer = cluster.ask("POST", f"{kind.lower()}s", cluster.object(kind, "typed", **fields))

    assert (answer.status, answer.reason) == (400, "BadRequest")
    assert answer.message.startswith(f'{kind} in version "v1" cannot be handled as a {kind}: ')
    assert said in answer.message


@pytest.mark.parametrize(
    ("kind", "fields", "said"),
    [
        ("Secret", {"data": {"a/b": "YQ=="}}, 'data[a/b]: Invalid value: "a/b": a valid config key must'),
        ("ConfigMap", {"data": {"a/b": "x"}}, 'data[a/b]: Invalid value: "a/b": a valid config key must'),
        ("ConfigMap", {"data": {"a": "x"}, "binaryData": {"a": "YQ=="}}, "duplicate of key present in binaryData"),
        ("Secret", {"stringData": {"k": "x" * (2**20 + 1)}}, "data: Too long: may not be more than 1048576 bytes"),
        ("ConfigMap", {"data": {"k": "x" * (2**20 + 1)}}, "[]: Too long: may not be more than 1048576 bytes"),
    ],
)
def test_data_that_kubernetes_does_not_keep_is_invalid(cluster, kind, fields, said):
    answer = cluster.ask("POST", f"{kind.lower()}s", cluster.object(kind, "full", **fields))

    assert (answer.status, answer.reason) == (422, "Invalid")
    assert said in answer.message


def test_plain_values_of_a_secret_become_base64(cluster):
    secret = cluster.object("Secret", "plain", stringData={"k": "ü"}, data={"other": "YQ==", "none": None})

    created = cluster.connect().create(SECRET, secret)

    assert created["data"] == {"k": "w7w=", "other": "YQ==", "none": ""}
    assert "stringData" not in created


def test_what_is_empty_is_not_there(cluster):
    nothing = {"labels": {}, "annotations": {}, "finalizers": [], "ownerReferences": []}

    created = cluster.connect().create(SECRET, cluster.object("Secret", "empty", nothing, data={}))

    assert {"data", *nothing} & {*created, *created["metadata"]} == set()


# --- labels and annotations ---


@pytest.mark.parametrize(
    ("metadata", "said"),
    [
        ({"labels": {"a b": "c"}}, "metadata.labels"),
        ({"labels": {"a": "b c"}}, "a valid label must be an empty string or consist of alphanumeric characters"),
        ({"labels": {"a": "x" * 64}}, "must be no more than 63 characters"),
        ({"labels": {"x" * 64: "a"}}, "name part must be no more than 63 characters"),
        ({"labels": {"UPPER.example/a": "b"}}, "prefix part a lowercase RFC 1123 subdomain must consist"),
        ({"annotations": {"a/b/c": "d"}}, "metadata.annotations"),
        ({"annotations": {"a": "x" * 2**18}}, "Too long: may not be more than 262144 bytes"),
        ({"ownerReferences": [{"apiVersion": "v1", "kind": "Secret", "name": "x"}]}, "uid"),
    ],
)
def test_metadata_that_kubernetes_does_not_allow_is_invalid(cluster, metadata, said):
    with refused(errors.Rejected, status=422) as error:
        cluster.connect().create(CONFIGMAP, cluster.object("ConfigMap", "marked", metadata))

    assert said in str(error.value)


def test_the_values_of_annotations_are_free(cluster):
    annotations = {"UPPER.example/a": "any\ntext", "apiManagerName": "☃"}

    created = cluster.connect().create(CONFIGMAP, cluster.object("ConfigMap", "free", {"annotations": annotations}))

    assert created["metadata"]["annotations"] == annotations


# --- lists ---


def test_the_items_of_a_list_say_what_they_are_only_where_the_kind_is_custom(cluster):
    cluster.create("Secret", "listed")
    cluster.create("APIManager", "listed", spec=SPEC)

    secrets, managers = cluster.ask("GET", "secrets"), cluster.ask("GET", "apimanagers")

    assert (secrets.content["kind"], managers.content["kind"]) == ("SecretList", "APIManagerList")
    assert "kind" not in secrets.content["items"][0]
    assert managers.content["items"][0]["kind"] == "APIManager"
    assert {obj["kind"] for obj in cluster.connect().list(SECRET)} == {"Secret"}


HEADS = {"Accept": "application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1"}


def test_a_list_is_told_page_by_page_and_of_metadata_alone_where_that_is_asked_for(cluster):
    for number in range(3):
        labels = {"paged": "yes"}
        cluster.create("ConfigMap", f"paged-{number}", {"labels": labels}, data={"k": "v"})
    query = (("labelSelector", "paged=yes"), ("limit", "2"))

    first = cluster.ask("GET", "configmaps", query=query, headers=HEADS).content
    token = (("continue", first["metadata"]["continue"]),)
    last = cluster.ask("GET", "configmaps", query=(*query, *token), headers=HEADS).content

    assert (first["apiVersion"], first["kind"]) == ("meta.k8s.io/v1", "PartialObjectMetadataList")
    assert [obj["metadata"]["name"] for obj in first["items"]] == ["paged-0", "paged-1"]
    assert {(obj["apiVersion"], obj["kind"]) for obj in first["items"]} == {("meta.k8s.io/v1", "PartialObjectMetadata")}
    assert not any("data" in obj for obj in first["items"])
    assert "remainingItemCount" not in first["metadata"]  # with a selector nobody counts them
    assert last["metadata"]["resourceVersion"] == first["metadata"]["resourceVersion"]
    assert [obj["metadata"]["name"] for obj in last["items"]] == ["paged-2"]
    assert not last["metadata"].get("continue")


def test_an_empty_list_of_metadata_has_null_for_its_items_and_is_read_as_empty(cluster):
    nothing = (("labelSelector", "nobody=has"),)

    assert cluster.ask("GET", "configmaps", query=nothing, headers=HEADS).content["items"] is None
    assert cluster.ask("GET", "configmaps", query=nothing).content["items"] == []
    assert list(cluster.connect().heads(CONFIGMAP, "nobody=has")) == []


def test_the_first_page_of_all_counts_those_that_are_left(cluster):
    for number in range(3):
        cluster.create("ConfigMap", f"counted-{number}")
    every = cluster.ask("GET", "configmaps").content["items"]

    first = cluster.ask("GET", "configmaps", query=(("limit", "1"),)).content

    assert first["metadata"]["remainingItemCount"] == len(every) - 1


@pytest.mark.parametrize(
    ("query", "headers", "status"),
    [
        ((("limit", "few"),), {}, 400),
        ((("limit", "1"), ("continue", "!")), {}, 400),
        ((), {"Accept": "application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v9"}, 406),
    ],
)
def test_a_page_that_can_not_be_told_is_refused(cluster, query, headers, status):
    assert cluster.ask("GET", "configmaps", query=query, headers=headers).status == status


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("PUT", "secrets", 405),
        ("PATCH", "secrets", 405),
        ("POST", "secrets/any", 405),
        ("GET", "secrets/any/nothing", 404),
        ("GET", "secrets/any/status", 404),
    ],
)
def test_what_cannot_be_done_there_is_refused(cluster, method, path, status):
    assert cluster.ask(method, path, {}).status == status
