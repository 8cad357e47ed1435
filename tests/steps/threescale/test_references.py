import pytest

from steps.kubernetes.kinds import CONFIGMAP, SECRET
from steps.threescale import installation, references
from tests.builders import crd
from workflows.rehearsal.threescale import objects as threescale_objects


def found(spec):
    return [(each.kind.name, each.name, each.path) for each in references.of({"spec": spec})]


def test_every_reference_of_the_sample_is_found_with_its_path():
    (apimanager,) = threescale_objects.sample("apimanager", "here")

    assert [(each.name, each.path) for each in references.of(apimanager)] == [
        ("my-env", "spec.apicast.productionSpec.customEnvironments[0].secretRef.name"),
        ("my-policy", "spec.apicast.productionSpec.customPolicies[0].secretRef.name"),
        ("my-tls", "spec.apicast.productionSpec.httpsCertificateSecretRef.name"),
        ("my-telemetry", "spec.apicast.productionSpec.openTelemetry.tracingConfigSecretRef.name"),
        ("my-policy", "spec.apicast.stagingSpec.customPolicies[0].secretRef.name"),
        ("my-tracing", "spec.apicast.stagingSpec.openTracing.tracingConfigSecretRef.name"),
        ("my-registry", "spec.imagePullSecrets[0].name"),
    ]


def test_the_configuration_of_s3_is_found_in_both_forms():
    file_storage = {
        "simpleStorageService": {"configurationSecretRef": {"name": "s3"}},
        "amazonSimpleStorageService": {"awsCredentialsSecret": {"name": "aws"}},
    }

    assert [name for _, name, _ in found({"system": {"fileStorage": file_storage}})] == ["s3", "aws"]


def test_every_field_of_the_crd_that_names_a_secret_is_followed():
    schema = crd.spec_schema()
    named = {path for path in paths_of_objects(schema, "spec") if "secret" in path.lower()}

    followed = {each.path.removesuffix(".name") for each in references.of({"spec": filled(schema)})}

    assert named == followed
    assert len(named) == 13


def paths_of_objects(schema, path):
    """The paths of a schema at which an object with a `name` can stand, as its first elements have them."""
    properties = schema.get("properties") or {}
    if "name" in properties:
        yield path
    for key, value in properties.items():
        yield from paths_of_objects(value, f"{path}.{key}")
    if "items" in schema:
        yield from paths_of_objects(schema["items"], f"{path}[0]")


def filled(schema):
    """A value with everything that a schema knows."""
    if "items" in schema:
        return [filled(schema["items"])]
    if "properties" in schema:
        return {key: filled(value) for key, value in schema["properties"].items()}
    return "some"


@pytest.mark.parametrize(
    ("spec", "expected"),
    [
        ({"newSecretRef": {"name": "a"}}, [("Secret", "a", "spec.newSecretRef.name")]),
        ({"env": [{"secretKeyRef": {"name": "a", "key": "k"}}]}, [("Secret", "a", "spec.env[0].secretKeyRef.name")]),
        ({"luaConfigMapRef": {"name": "a"}}, [("ConfigMap", "a", "spec.luaConfigMapRef.name")]),
        ({"configMap": {"name": "a"}}, [("ConfigMap", "a", "spec.configMap.name")]),
        ({"secretRef": {"name": ""}}, []),
        ({"secretRef": None, "imagePullSecrets": None}, []),
        ({"secretRef": {"key": "a"}, "imagePullSecrets": [{}, "a"]}, []),
        ({"tracingConfigSecretKey": "a", "secretary": {"name": "a"}}, []),
        ({"secretRef": {"name": "system-seed"}, "configMap": {"name": "system"}}, []),
        (None, []),
    ],
)
def test_a_reference_is_known_by_its_field(spec, expected):
    assert found(spec) == expected


def test_names_come_once_and_in_order():
    spec = {"a": {"secretRef": {"name": "y"}}, "b": {"secretRef": {"name": "x"}}, "c": {"secretRef": {"name": "y"}}}
    all_of_it = references.of({"spec": spec})

    assert references.names(all_of_it, SECRET) == ["x", "y"]
    assert references.names(all_of_it, CONFIGMAP) == []


def of_version(version, **spec):
    return references.of({"metadata": {"annotations": {installation.THREESCALE_VERSION: version}}, "spec": spec})


@pytest.mark.parametrize("version", ["2.9", "2.14", "2.15", "2.15.4"])
def test_the_operator_s_default_pull_secret_is_a_reference_up_to_2_15(version):
    (reference,) = of_version(version)

    assert str(reference) == "Secret threescale-registry-auth (spec.imagePullSecrets, the default)"
    assert references.names([reference], SECRET) == ["threescale-registry-auth"]
    assert references.defaults([reference]) == {"threescale-registry-auth"}
    assert references.required([reference]) == []


@pytest.mark.parametrize("version", ["2.16", "2.16.0", "3.0", "", "2", "two.nine"])
def test_there_is_no_default_from_2_16_on_or_of_an_unknown_version(version):
    assert of_version(version) == []


def test_a_field_that_is_there_leaves_no_room_for_the_default():
    named = of_version("2.15.1", imagePullSecrets=[{"name": "threescale-registry-auth"}])

    assert of_version("2.15.1", imagePullSecrets=[]) == []
    assert references.required(named) == named
    assert references.defaults(named) == set()


def test_a_default_that_another_field_names_must_exist():
    found = of_version("2.15.1", secretRef={"name": "threescale-registry-auth"})

    assert len(found) == 2
    assert references.defaults(found) == set()
