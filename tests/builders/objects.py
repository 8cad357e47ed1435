"""Changes to objects of a namespace, and objects that the sample installation has not."""


def patch(stage, resource, name, body):
    stage.kubernetes.patch(resource, stage.namespace, name, body)


def delete(stage, resource, name):
    stage.kubernetes.delete(resource, stage.namespace, name)


def going(stage, resource, name):
    """Delete an object that something holds."""
    patch(stage, resource, name, {"metadata": {"finalizers": ["example/wait"]}})
    delete(stage, resource, name)


def put_apimanager(stage, annotations=None, **metadata):
    """An APIManager that the sample's operator does not bring up, because it is of another name."""
    return stage.kubernetes.apply(
        {
            "apiVersion": "apps.3scale.net/v1alpha1",
            "kind": "APIManager",
            "metadata": {
                "name": "second",
                "namespace": stage.namespace,
                "annotations": annotations or {},
                **metadata,
            },
            "spec": {"wildcardDomain": "apps.example.test"},
        }
    )
