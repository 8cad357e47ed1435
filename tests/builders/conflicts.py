"""A namespace whose objects and files differ from a backup, and the checks of what a restore made of them."""

import base64
import json

from steps.archive import layout, marks, seal
from steps.files import mtree, volume
from steps.kubernetes import fields
from workflows.rehearsal.threescale import objects as threescale_objects

OTHER = base64.b64encode(b"what was there before").decode()

FILES = {"kept/here.txt": b"written since\n", ".hidden": b"\x00\xff", "top.bin": b"x" * 100_000}


def differing_secret(stage, name="zync"):
    """Put a Secret with another value, with labels and an owner of its own."""
    sample = _sample(stage, name)
    key = min(sample["data"])
    metadata = {**sample["metadata"], "labels": {"mine": "yes"}, "annotations": {"note": "mine"}}
    stage.kubernetes.apply({**sample, "data": {**sample["data"], key: OTHER, "MORE": OTHER}, "metadata": metadata})
    return stage.get("secrets", name)


def filled_storage(stage, **metadata):
    """Put a system-storage that holds files of somebody's."""
    stage.claim(metadata=metadata)
    for name, data in FILES.items():
        path = stage.storage / name
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(data)
    (stage.storage / "link").symlink_to("kept/here.txt")
    (stage.storage / volume.LOST_AND_FOUND).mkdir(exist_ok=True)


def check_files_are_saved(root):
    """Check that the files of `filled_storage` lie on a volume, and in its listing."""
    tree = root / layout.TREE
    assert {name: (tree / name).read_bytes() for name in FILES} == FILES
    assert (tree / "link").readlink().name == "here.txt"
    assert {entry.path for entry in mtree.parse(seal.lines(root)) if entry.kind == mtree.FILE} == set(FILES)


def saved(root, path):
    """An object as it lies on a volume."""
    return json.loads((root / path).read_bytes())


def check_replaced(stage, before):
    """Check that a restore put the data of the backup in the place of `differing_secret` and `filled_storage`."""
    found = stage.get("secrets", "zync")
    sample = _sample(stage, "zync")
    assert found["data"] == sample["data"]
    assert found["metadata"]["uid"] == before["metadata"]["uid"]
    assert found["metadata"]["labels"]["mine"] == "yes"
    assert found["metadata"]["annotations"]["note"] == "mine"
    assert fields.annotation(found, marks.RESTORED_FROM) == "nightly"
    assert fields.annotation(found, marks.REPLACED) == "DATABASE_URL, MORE"
    assert not any((stage.storage / name).exists() for name in ("kept", "top.bin", ".hidden"))
    assert (stage.storage / volume.LOST_AND_FOUND).is_dir()


def _sample(stage, name):
    secrets = threescale_objects.sample("secrets", stage.namespace)
    (sample,) = (obj for obj in secrets if obj["metadata"]["name"] == name)
    return sample
