"""Secrets and ConfigMaps as a backup has saved them, and the same in a namespace."""

from steps.archive.marks import Mark

MARK = Mark("nightly", "abc")


def secret(name="zync", data=None, **more):
    return {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {"name": name},
        "data": data or {"KEY": "dmFsdWU="},
        **more,
    }


def config(name="system-environment", **more):
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name}, **more}


def owner(uid="uid-1", kind="APIManager", name="example"):
    return {"apiVersion": "apps.3scale.net/v1alpha1", "kind": kind, "name": name, "uid": uid}


def put(stage, obj):
    return stage.kubernetes.apply({**obj, "metadata": {"namespace": stage.namespace, **obj["metadata"]}})
