"""Measure libraries that read one object from a Kubernetes API server, each in a fresh process of its own venv.

    python3 tests/benchmarks/measure_clients.py [--rounds 9] [--first "import pydantic"] CLIENT=VENV ...

CLIENT is `official`, `lightkube`, `kr8s`, `urllib3`, `httpx` or `nothing`; `CLIENT:LABEL=VENV` tells two venvs of one
client apart. The rounds are interleaved; each figure is a median. The first CLIENT is what ratios are of.
"""

import argparse
import contextlib
import json
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, NamedTuple

LIMIT_S = 1.0  # of a request
DRIP_S = 0.25  # between two bytes of a slow answer, so that only a limit of the whole ends it
DRIPS = 16
SECRET = {
    "apiVersion": "v1",
    "kind": "Secret",
    "metadata": {"name": "one", "namespace": "here", "uid": "u", "unknownField": {"kept": True}},
    "data": {"key": "dmFsdWU="},
    "unknownField": ["kept"],
}
VERSION = {"major": "1", "minor": "35", "gitVersion": "v1.35.0"}  # kr8s asks for it first

# Each defines `connect(kubeconfig)`, which gives `read(namespace, limit_s)`, which gives the object as a dictionary.
CLIENTS = {
    "nothing": """
def connect(path):
    return lambda namespace, limit_s: None
""",
    "official": """
from kubernetes import config
from kubernetes.client.api_client import ApiClient
from kubernetes.client.configuration import Configuration
from kubernetes.stream import ws_client
def connect(path):
    configuration = Configuration()
    config.load_kube_config(path, client_configuration=configuration)
    configuration.retries = False
    api = ApiClient(configuration)
    def read(namespace, limit_s):
        path = f"/api/v1/namespaces/{namespace}/secrets/one"
        asked = api.param_serialize("GET", path, header_params={}, auth_settings=["BearerToken"])
        return json.loads(api.call_api(*asked, _request_timeout=limit_s).response.read())
    return read
""",
    "lightkube": """
from lightkube import Client, KubeConfig
from lightkube.generic_resource import create_namespaced_resource
import httpx2, wsproto
def connect(path):
    Secret = create_namespaced_resource("", "v1", "Secret", "secrets")
    client = Client(config=KubeConfig.from_file(path), timeout=httpx2.Timeout(1.0))
    return lambda namespace, limit_s: client.get(Secret, "one", namespace=namespace)
""",
    "kr8s": """
import asyncio, kr8s.asyncio
def connect(path):
    async def read(namespace, limit_s):
        api = await kr8s.asyncio.api(kubeconfig=path)
        api.timeout = limit_s
        async with api.call_api("GET", version="v1", namespace=namespace, url="secrets/one") as response:
            return response.json()
    return lambda namespace, limit_s: asyncio.run(read(namespace, limit_s))
""",
    "urllib3": """
import urllib3, websocket, yaml
def connect(path):
    told = yaml.safe_load(open(path))
    server, token = told["clusters"][0]["cluster"]["server"], told["users"][0]["user"]["token"]
    pool, headers = urllib3.PoolManager(retries=False), {"Authorization": f"Bearer {token}"}
    def read(namespace, limit_s):
        url = f"{server}/api/v1/namespaces/{namespace}/secrets/one"
        return pool.request("GET", url, headers=headers, timeout=urllib3.Timeout(total=limit_s)).json()
    return read
""",
    "httpx": """
import httpx, httpx_ws, yaml
def connect(path):
    told = yaml.safe_load(open(path))
    server, token = told["clusters"][0]["cluster"]["server"], told["users"][0]["user"]["token"]
    client = httpx.Client(base_url=server, headers={"Authorization": f"Bearer {token}"}, timeout=1.0)
    return lambda namespace, limit_s: client.get(f"/api/v1/namespaces/{namespace}/secrets/one").json()
""",
}
TOLD = """
import json, resource, sys
found, used = read(sys.argv[2], float(sys.argv[3])), resource.getrusage(resource.RUSAGE_SELF)
print(json.dumps([found, used.ru_utime + used.ru_stime, used.ru_maxrss / 1024]))
"""


class Server(BaseHTTPRequestHandler):
    """One Secret, at once in the namespace `here` and slowly in `drip`, for whoever sends the token."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True  # TCP_NODELAY

    def do_GET(self) -> None:
        """Answer."""
        body = json.dumps(VERSION if self.path.startswith("/version") else SECRET).encode()
        known = self.headers["Authorization"] in {"Bearer secret", "bearer secret"}
        self.send_response(200 if known else 401)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        slow = DRIPS if "/drip/" in self.path else 0
        with contextlib.suppress(OSError):  # the client has had enough
            for place in range(slow):
                time.sleep(DRIP_S)
                self.wfile.write(body[place : place + 1])
            self.wfile.write(body[slow:])

    def log_message(self, *_: Any) -> None:
        """Say nothing."""


class Run(NamedTuple):
    """What one process took."""

    seconds: float
    cpu_seconds: float
    mib: float


class Installed(NamedTuple):
    """What a venv holds."""

    packages: int
    mib: float


@contextlib.contextmanager
def kubeconfig() -> Iterator[str]:
    """Serve, and say in a file where and to whom."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), Server)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    content = {
        "apiVersion": "v1",
        "kind": "Config",
        "current-context": "all",
        "contexts": [{"name": "all", "context": {"cluster": "all", "user": "all", "namespace": "here"}}],
        "clusters": [{"name": "all", "cluster": {"server": f"http://127.0.0.1:{server.server_port}"}}],
        "users": [{"name": "all", "user": {"token": "secret"}}],
    }
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "config")
        path.write_text(json.dumps(content), encoding="utf-8")
        yield str(path)
    server.shutdown()


def command(venv: str, client: str, path: str, namespace: str, first: str = "") -> list[str]:
    """A process, begun by a small shell: the peak that a process tells of itself is no less than its parent's."""
    program = f"{first}\nimport json, sys{CLIENTS[client]}read = connect(sys.argv[1]){TOLD}"
    python = [f"{venv}/bin/python", "-I", "-c", program, path, namespace, str(LIMIT_S)]
    return ["/bin/sh", "-c", '"$@"; exit $?', "sh", *python]


def _said(command: list[str]) -> subprocess.CompletedProcess[str]:
    return subprocess.run(command, check=False, capture_output=True, text=True)  # noqa: S603  the venvs are given


def run(venv: str, client: str, path: str, first: str) -> Run:
    """Import, connect, read one object, see that it is whole."""
    began = time.perf_counter()
    said = _said(command(venv, client, path, "here", first))
    seconds = time.perf_counter() - began
    said.check_returncode()
    found, cpu_seconds, mib = json.loads(said.stdout)
    if client != "nothing" and found != SECRET:
        raise SystemExit(f"{client} does not keep the object as it is: {found}")
    return Run(seconds, cpu_seconds, mib)


def drip(venv: str, client: str, path: str) -> str:
    """By what error the limit ends an answer that comes byte by byte, or that it does not."""
    if client == "nothing":
        return "-"
    ended = _said(command(venv, client, path, "drip"))
    return "no" if ended.returncode == 0 else ended.stderr.strip().rpartition("\n")[2].partition(":")[0]


def installed(venv: str) -> Installed:
    """Count its packages without pip, and the bytes of all their files."""
    (site,) = Path(venv, "lib").glob("python3*/site-packages")
    names = [path.name for path in site.glob("*.dist-info") if not path.name.startswith(("pip-", "setuptools-"))]
    sizes = [
        path.stat().st_size
        for path in site.rglob("*")
        if path.is_file() and path.relative_to(site).parts[0].partition("-")[0] not in {"pip", "setuptools"}
    ]
    return Installed(len(names), sum(sizes) / 2**20)


def main() -> None:
    """Measure all, and write a table in Markdown."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--first", default="", help="what each process has imported anyway")
    parser.add_argument("venvs", nargs="+", metavar="CLIENT=VENV")
    told = parser.parse_args()
    venvs = dict(each.split("=", 1) for each in told.venvs)
    runs: dict[str, list[Run]] = {label: [] for label in venvs}
    with kubeconfig() as path:
        for _ in range(told.rounds + 1):
            for label, venv in venvs.items():
                runs[label].append(run(venv, label.partition(":")[0], path, told.first))
        drips = {label: drip(venv, label.partition(":")[0], path) for label, venv in venvs.items()}
    # the first round warms up
    took = {label: Run(*map(statistics.median, zip(*of[1:], strict=True))) for label, of in runs.items()}
    one = took[next(iter(venvs))].seconds
    say = sys.stdout.write
    say("| client | packages | MiB installed | ms | ratio | CPU ms | peak MiB | limit ends a slow answer |\n")
    say("|" + " --- |" * 8 + "\n")
    for label, venv in venvs.items():
        size, own = installed(venv), took[label]
        times = f"{own.seconds * 1000:.0f} | {own.seconds / one:.2f} | {own.cpu_seconds * 1000:.0f}"
        say(f"| {label} | {size.packages} | {size.mib:.1f} | {times} | {own.mib:.1f} | {drips[label]} |\n")


if __name__ == "__main__":
    main()
