import re
from pathlib import Path

import pytest

from tests.cluster.node import programs


@pytest.fixture
def sources(tmp_path: Path) -> Path:
    for module, required in (("kubernetes", "k8s.io/kubernetes v1.34.4"), ("etcd", "go.etcd.io/etcd/server/v3 v3.6.8")):
        (tmp_path / module).mkdir()
        (tmp_path / module / "go.mod").write_text(f"module trial\n\nrequire (\n\t{required}\n)\n")
        (tmp_path / module / "main.go").write_text("package main\n")
    return tmp_path


def test_the_cache_lies_outside_the_checkout_and_is_named_by_the_versions(sources):
    folder = programs.cache(sources, {"HOME": "/home/somebody"})

    assert folder.parent == Path("/home/somebody/.cache/threescale-backup")
    assert re.fullmatch(r"kubernetes-v1\.34\.4-etcd-v3\.6\.8-[0-9a-f]{8}", folder.name)


def test_the_cache_follows_xdg_cache_home(sources):
    folder = programs.cache(sources, {"HOME": "/home/somebody", "XDG_CACHE_HOME": "/var/cache"})

    assert folder.parent == Path("/var/cache/threescale-backup")


def test_a_changed_source_is_another_cache(sources):
    before = programs.cache(sources)
    (sources / "kubernetes" / "main.go").write_text("package main // changed\n")

    assert programs.cache(sources) != before


def test_the_linker_is_told_version_major_and_minor():
    flags = programs.version_flags("v1.34.4")

    assert "-X k8s.io/component-base/version.gitVersion=v1.34.4" in flags
    assert "-X k8s.io/component-base/version.gitMajor=1" in flags
    assert "-X k8s.io/component-base/version.gitMinor=34" in flags


def test_every_staging_module_is_replaced_by_the_version_that_fits():
    go_mod = (programs.SOURCES / "kubernetes" / "go.mod").read_text()
    replaced = dict(re.findall(r"^\t(k8s\.io/\S+) => (\S+ \S+)$", go_mod, re.MULTILINE))
    minor = programs.kubernetes_version().removeprefix("v1.")

    assert replaced == {module: f"{module} v0.{minor}" for module in replaced}
    assert len(replaced) == 31


def test_a_version_that_no_go_mod_requires_is_an_error(sources):
    with pytest.raises(ValueError, match=r"requires no k8s\.io/api"):
        programs.required("k8s.io/api", sources / "etcd" / "go.mod")


def test_kubebuilder_assets_stand_for_etcd_and_the_api_server_only():
    built = programs.Programs(Path("/cache"), Path("/assets"))

    assert built["etcd"] == Path("/assets/etcd")
    assert built["kube-apiserver"] == Path("/assets/kube-apiserver")
    assert built["kubelet"] == Path("/cache/kubelet")
