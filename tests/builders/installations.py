"""The Secrets of the sample installation, and one whose files lie in S3."""

import base64
from typing import Any

from workflows.manifests import render
from workflows.rehearsal.rehearse import SETTINGS
from workflows.rehearsal.threescale import installation as threescale
from workflows.rehearsal.threescale import objects as threescale_objects

THIRTEEN = list(threescale_objects.SECRETS)
USERS = list(threescale_objects.DATABASE_SECRETS)
NINE = [name for name in THIRTEEN if name not in {*USERS, "system-memcache"}]

BUCKET = {"AWS_BUCKET": "tenants", "AWS_REGION": "eu-south-2", "AWS_HOSTNAME": "s3.example.test"}
CREDENTIALS = {"AWS_ACCESS_KEY_ID": "made-up-key-id", "AWS_SECRET_ACCESS_KEY": "made-up-secret-key"}


def move_to_s3(stage: Any) -> None:
    """Have the files of an installation lie in S3, and Roles that name its Secret."""
    for manifest in render(SETTINGS.model_copy(update={"secrets": (*SETTINGS.secrets, "my-s3")})):
        stage.engine.apply(manifest)
    data = {key: base64.b64encode(value.encode()).decode() for key, value in {**BUCKET, **CREDENTIALS}.items()}
    metadata = {"name": "my-s3", "namespace": stage.namespace}
    stage.kubernetes.apply({"apiVersion": "v1", "kind": "Secret", "metadata": metadata, "data": data})
    service = {"simpleStorageService": {"configurationSecretRef": {"name": "my-s3"}}}
    spec = {"system": {"fileStorage": {"persistentVolumeClaim": None, **service}}}
    stage.kubernetes.patch("apimanagers", stage.namespace, threescale.NAME, {"spec": spec})
    for pod in stage.exists("pods"):
        stage.kubernetes.delete("pods", stage.namespace, pod)
    stage.lose_claim("system-storage")
