"""A private registry: it serves one image of an archive to whoever knows its password.

containerd speaks plain HTTP with registries on the loopback address, so nothing has to be configured on the node.
Read only, as the OCI distribution specification has it: manifests and blobs by digest, the manifest by its tag too.
"""

import base64
import hashlib
import json
import secrets
import tarfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Final

from tests.live.kubernetes import Object

NAME: Final = "threescale-backup/steps"
TAG: Final = "private"
_USER: Final = "puller"
_MANIFEST: Final = "application/vnd.oci.image.manifest.v1+json"
_CONFIG: Final = "application/vnd.oci.image.config.v1+json"
_LAYER: Final = "application/vnd.oci.image.layer.v1.tar"


@dataclass(frozen=True)
class Registry:
    """The running registry."""

    address: str
    password: str
    pulled: list[str]  # the paths that were served to somebody who knew the password

    @property
    def image(self) -> str:
        return f"{self.address}/{NAME}:{TAG}"

    def pull_secret(self, name: str, namespace: str) -> Object:
        """The Secret that lets a pod pull from here."""
        auth = base64.b64encode(f"{_USER}:{self.password}".encode()).decode()
        config = json.dumps({"auths": {self.address: {"auth": auth}}})
        return {
            "apiVersion": "v1",
            "kind": "Secret",
            "type": "kubernetes.io/dockerconfigjson",
            "metadata": {"name": name, "namespace": namespace},
            "stringData": {".dockerconfigjson": config},
        }


@contextmanager
def serve(archive: Path) -> Iterator[Registry]:
    """Serve the image of an archive, as `docker save` and `tests/cluster image` write it."""
    blobs, manifest = _contents(archive)
    password, pulled = secrets.token_hex(16), list[str]()
    known = base64.b64encode(f"{_USER}:{password}".encode()).decode()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            self._answer(body=True)

        def do_HEAD(self) -> None:
            self._answer(body=False)

        def _answer(self, *, body: bool) -> None:
            if self.headers.get("Authorization") != f"Basic {known}":
                self._send(401, b"", {"WWW-Authenticate": 'Basic realm="private"'}, body=body)
                return
            pulled.append(self.path)
            found = {f"/v2/{NAME}/blobs/{digest}": content for digest, content in blobs.items()}.get(self.path)
            if self.path in {f"/v2/{NAME}/manifests/{TAG}", f"/v2/{NAME}/manifests/{_digest(manifest)}"}:
                self._send(
                    200, manifest, {"Content-Type": _MANIFEST, "Docker-Content-Digest": _digest(manifest)}, body=body
                )
            elif found is not None or self.path == "/v2/":
                self._send(200, found or b"", {"Content-Type": "application/octet-stream"}, body=body)
            else:
                self._send(404, b"", {}, body=body)

        def _send(self, status: int, content: bytes, headers: dict[str, str], *, body: bool) -> None:
            self.send_response(status)
            for name, value in {**headers, "Content-Length": str(len(content))}.items():
                self.send_header(name, value)
            self.end_headers()
            if body:
                self.wfile.write(content)

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield Registry(f"127.0.0.1:{server.server_port}", password, pulled)
    finally:
        server.shutdown()
        server.server_close()


def _contents(archive: Path) -> tuple[dict[str, bytes], bytes]:
    """Return the blobs by their digests, and the manifest."""
    with tarfile.open(archive) as tar:

        def read(name: str) -> bytes:
            stream = tar.extractfile(name)
            assert stream is not None
            return stream.read()

        (told,) = json.loads(read("manifest.json"))
        config, layers = read(told["Config"]), [read(name) for name in told["Layers"]]
    manifest = {
        "schemaVersion": 2,
        "mediaType": _MANIFEST,
        "config": _described(_CONFIG, config),
        "layers": [_described(_LAYER, layer) for layer in layers],
    }
    return {_digest(blob): blob for blob in (config, *layers)}, json.dumps(manifest).encode()


def _described(media_type: str, content: bytes) -> dict[str, object]:
    return {"mediaType": media_type, "digest": _digest(content), "size": len(content)}


def _digest(content: bytes) -> str:
    return f"sha256:{hashlib.sha256(content).hexdigest()}"
