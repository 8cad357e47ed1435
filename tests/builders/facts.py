"""A manifest as a seal writes it, without a volume."""

from datetime import UTC, datetime

from steps.archive.manifest import Digest, FileTree, Manifest, Source

NOW = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)


def a_manifest(**more):
    facts = {
        "tool_version": "1.0",
        "backup": "nightly",
        "workflow": "backup-1",
        "workflow_uid": "uid-1",
        "started": NOW,
        "ended": NOW,
        "source": Source(namespace="threescale", apimanager="api", apimanager_uid="uid-2", threescale_version="2.16.0"),
        "objects": {"secrets/system-app.json": Digest(size=1000, sha256="b" * 64)},
        "file_storage": FileTree(
            files=43, folders=20, links=2, size_bytes=190_509, listing=Digest(size=11_000, sha256="c" * 64)
        ),
    }
    return Manifest.model_validate({**facts, **more})
