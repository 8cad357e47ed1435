"""Objects as an API server stores and says them, and what is none of its words."""

import json

SECRET_OBJECT = {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "new"}, "data": {"KEY": "dg=="}}


def secret(stage, name="zync", **more):
    obj = {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": name, "namespace": stage.namespace}, **more}
    return stage.kubernetes.apply(obj)


PAGE = b"<html>a proxy's page</html>"
META = {"name": "new", "uid": "uid", "resourceVersion": "7", "creationTimestamp": "2026-01-01T00:00:00Z"}
CONFIGMAP_OBJECT = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": META, "data": {"key": "v" * 99}}
WHOLE_SECRET = {**SECRET_OBJECT, "metadata": META}


def without(*fields, **others):
    """The Secret without some of what the server gives each object, or with something else there."""
    kept = {key: value for key, value in META.items() if key not in fields}
    return {**SECRET_OBJECT, "metadata": {**kept, **others}}


def not_found(**details):
    status = {"kind": "Status", "apiVersion": "v1", "status": "Failure", "reason": "NotFound", "code": 404}
    return json.dumps({**status, "details": details} if details else status).encode()
