"""What lies in the namespace of a drill."""

SCRATCH = "scratch"


def there(stage, resource):
    """What lies in the scratch namespace."""
    return [obj["metadata"]["name"] for obj in stage.kubernetes.list(resource, SCRATCH)]


def put(stage, kind, name, namespace=SCRATCH, **more):
    versions = {"APIManager": "apps.3scale.net/v1alpha1"}
    metadata = {"name": name, "namespace": namespace, **more.pop("metadata", {})}
    return stage.kubernetes.apply({"apiVersion": versions.get(kind, "v1"), "kind": kind, "metadata": metadata, **more})
