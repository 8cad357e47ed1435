"""The operator's own resources, as its documentation shows them, and the Workflow that does the same work.

Some fields are accepted and ignored: metadata beyond the name, status, and `readOnly`, because a backup is always
mounted read-only. Any other unknown field is refused with its place, because its effect would be lost.
"""

from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from steps.contract.backup_contract import BackupArguments
from steps.contract.declaration import Declared
from steps.contract.restore_contract import RestoreArguments
from steps.kubernetes.kinds import APIMANAGER
from workflows import backup, restore
from workflows.rendering import document
from workflows.rendering.document import BadTextError, Manifest
from workflows.rendering.settings import Namespace

_SHOWN = 60  # characters of an unknown name
_MOST = 10  # problems in one message


class BadResourceError(BadTextError):
    """The file holds no valid APIManagerBackup or APIManagerRestore. The text says where and why."""


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class _Metadata(BaseModel):
    model_config = ConfigDict(extra="ignore", frozen=True)

    name: str = Field(min_length=1)
    namespace: Namespace | None = None


class _Requests(_Strict):
    requests: str | int | None = None


class _Destination(_Strict):
    resources: _Requests = _Requests()
    volume_name: str = Field(default="", alias="volumeName")
    storage_class: str = Field(default="", alias="storageClass")


class _BackupDestination(_Strict):
    claim: _Destination = Field(alias="persistentVolumeClaim")


class _BackupSpec(_Strict):
    destination: _BackupDestination = Field(alias="backupDestination")


class ApiManagerBackup(_Strict):
    """APIManagerBackup of apps.3scale.net/v1alpha1."""

    api_version: Literal["apps.3scale.net/v1alpha1"] = Field(alias="apiVersion")
    kind: Literal["APIManagerBackup"]
    metadata: _Metadata
    spec: _BackupSpec
    status: Any = None

    def workflow(self) -> Manifest:
        """Return the Workflow that does the same work. The backup gets the name of the resource."""
        wanted = self.spec.destination.claim
        given = {
            "name": self.metadata.name,
            "storage-request": str(wanted.resources.requests or ""),
            "storage-class": wanted.storage_class,
            "volume-name": wanted.volume_name,
        }
        arguments = {key: value for key, value in given.items() if value}
        return _workflow(self.metadata, backup.NAME, BackupArguments, arguments)


class _ClaimSource(_Strict):
    claim_name: str = Field(alias="claimName", min_length=1)
    read_only: bool = Field(default=False, alias="readOnly")


class _Source(_Strict):
    claim_source: _ClaimSource = Field(alias="claimSource")


class _RestoreSource(_Strict):
    claim: _Source = Field(alias="persistentVolumeClaim")


class _RestoreSpec(_Strict):
    source: _RestoreSource = Field(alias="restoreSource")


class ApiManagerRestore(_Strict):
    """APIManagerRestore of apps.3scale.net/v1alpha1."""

    api_version: Literal["apps.3scale.net/v1alpha1"] = Field(alias="apiVersion")
    kind: Literal["APIManagerRestore"]
    metadata: _Metadata
    spec: _RestoreSpec
    status: Any = None

    def workflow(self) -> Manifest:
        """Return the Workflow that does the same work."""
        arguments = {"claim-name": self.spec.source.claim.claim_source.claim_name}
        return _workflow(self.metadata, restore.NAME, RestoreArguments, arguments)


def apimanagers(text: str) -> list[Manifest]:
    """Read the APIManagers of a file, as `kubectl get apimanager -o yaml` prints them.

    Raises:
        BadResourceError: the file holds no APIManager.
    """
    found = []
    for each in _documents(text):
        items = each.get("items") if isinstance(each, dict) else None  # of a List
        every = items if isinstance(items, list) else [each]
        found += [item for item in every if _is_apimanager(item)]
    if not found:
        raise BadResourceError("the file holds no APIManager. Make one with `kubectl get apimanager -o yaml`")
    return found


def _is_apimanager(item: Any) -> bool:
    """Whether the object is an APIManager of 3scale, of any version. Other groups have kinds of this name."""
    if not isinstance(item, dict) or item.get("kind") != APIMANAGER.name:
        return False
    group, slash, version = str(item.get("apiVersion")).partition("/")
    return group == APIMANAGER.group and bool(slash and version)


def _documents(text: str) -> list[Any]:
    try:
        return [item for item in document.read_plain(text) if item is not None]
    except document.Error as error:
        raise BadResourceError(f"the file is not valid YAML: {' '.join(str(error).split())}") from error


def workflow(text: str) -> Manifest:
    """Read one resource and return the Workflow that does its work.

    Raises:
        BadResourceError
    """
    documents = _documents(text)
    if len(documents) != 1 or not isinstance(documents[0], dict):
        raise BadResourceError("the file must hold one APIManagerBackup or APIManagerRestore, and nothing else")
    kinds: dict[str, type[ApiManagerBackup | ApiManagerRestore]] = {
        "APIManagerBackup": ApiManagerBackup,
        "APIManagerRestore": ApiManagerRestore,
    }
    kind = str(documents[0].get("kind"))[:_SHOWN]
    model = kinds.get(kind)
    if model is None:
        raise BadResourceError(f"kind {kind!r} is neither APIManagerBackup nor APIManagerRestore")
    try:
        return model.model_validate(documents[0]).workflow()
    except ValidationError as error:
        problems = error.errors()
        more = f" and {len(problems) - _MOST} more" if len(problems) > _MOST else ""
        raise BadResourceError("; ".join(_sentence(dict(problem)) for problem in problems[:_MOST]) + more) from error


def _sentence(problem: dict[str, Any]) -> str:
    place = ".".join(str(part)[:_SHOWN] for part in problem["loc"])
    told = {"missing": " is required", "extra_forbidden": " is not a known field"}
    said = str(problem["msg"]).removeprefix("Value error, ")
    sign = ":" if problem["type"] == "value_error" else ""
    return f"{place}{told.get(problem['type'], f'{sign} {said}')}"


def _workflow(metadata: _Metadata, template: str, model: type[Declared], arguments: dict[str, str]) -> Manifest:
    model.model_validate(arguments)
    return {
        "apiVersion": "argoproj.io/v1alpha1",
        "kind": "Workflow",
        "metadata": {
            "generateName": f"{metadata.name}-",
            **({"namespace": metadata.namespace} if metadata.namespace else {}),
        },
        "spec": {
            "workflowTemplateRef": {"name": template},
            "arguments": {"parameters": [{"name": key, "value": value} for key, value in arguments.items()]},
        },
    }
