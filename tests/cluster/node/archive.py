"""An image of one layer, written without a container tool: for a static program or two.

The format is `docker save`'s, which containerd and podman both read; times and owners are fixed, so that the same
programs give the same image.
"""

import hashlib
import io
import json
import platform
import tarfile
from collections.abc import Mapping
from pathlib import Path
from typing import Final

_ARCHITECTURES: Final = {"x86_64": "amd64", "aarch64": "arm64"}  # Go's names, which images use


def write(path: Path, name: str, programs: Mapping[str, Path], settings: Mapping[str, object]) -> None:
    """Write an image that holds programs, by their path in the image, with OCI image settings such as `Entrypoint`."""
    layer = _tar({inside: (program.read_bytes(), 0o755) for inside, program in programs.items()})
    config = json.dumps(
        {
            "architecture": _ARCHITECTURES.get(platform.machine(), platform.machine()),
            "os": "linux",
            "config": dict(settings),
            "rootfs": {"type": "layers", "diff_ids": [f"sha256:{hashlib.sha256(layer).hexdigest()}"]},
        }
    ).encode()
    config_name = f"{hashlib.sha256(config).hexdigest()}.json"
    manifest = json.dumps([{"Config": config_name, "RepoTags": [name], "Layers": ["layer.tar"]}]).encode()
    files = {"layer.tar": layer, config_name: config, "manifest.json": manifest}
    path.write_bytes(_tar({name: (content, 0o644) for name, content in files.items()}))


def _tar(files: Mapping[str, tuple[bytes, int]]) -> bytes:
    whole = io.BytesIO()
    with tarfile.open(fileobj=whole, mode="w") as tar:
        for name, (content, mode) in files.items():
            entry = tarfile.TarInfo(name)
            entry.size, entry.mode = len(content), mode
            tar.addfile(entry, io.BytesIO(content))
    return whole.getvalue()
