"""What a cluster is compiled from: packages of the modules in go/, and other projects' modules as published."""

import re
from pathlib import Path
from typing import NamedTuple

from tests.cluster.binaries import KUBE_VERSION

_STRIP = "-s -w"
_STAMP = "k8s.io/component-base/version"
_MAJOR, _MINOR = re.findall(r"\d+", KUBE_VERSION)[:2]
_LINK_KUBERNETES = (
    f"{_STRIP} -X {_STAMP}.gitVersion={KUBE_VERSION} -X {_STAMP}.gitTreeState=clean"
    f" -X {_STAMP}.gitMajor={_MAJOR} -X {_STAMP}.gitMinor={_MINOR}"
)


class Published(NamedTuple):
    """A module of another project, whose own go.sum pins the rest."""

    path: str
    version: str
    sum: str
    """The module's hash, as a go.sum would have it."""


class Program(NamedTuple):
    module: Path | Published
    package: str
    link: str = _STRIP

    @property
    def output(self) -> str:
        """What `go build` names it: the last part of its path that is no version."""
        path = self.module.path if isinstance(self.module, Published) and self.package == "." else self.package
        return re.sub(r"/v\d+$", "", path).rpartition("/")[2]


KIND = Published("sigs.k8s.io/kind", "v0.33.0", "h1:AjvDv3vOygb/VKLVQW87lfktIBzkxR8Ump9DjxC8+Lk=")
_HELM = Published("helm.sh/helm/v4", "v4.3.1", "h1:UndCoLe9UPmNoL7IvWzaUXveL7T5t/ijoorEmgJdI9g=")
_COREDNS = Published("github.com/coredns/coredns", "v1.14.7", "h1:UPDkn4QN+xyNfjz3U5ldgoLszDYpMZEJoy3+ze9au4Q=")
_CONTAINERD = Published(
    "github.com/containerd/containerd/v2", "v2.4.2", "h1:p6Qg+xbEz8lvwdhHDx0U469xENvp4LgGBx+E7djXkGw="
)
KUBERNETES = Path(__file__).parent / "go" / "kubernetes"
"""Etcd's server is in this module too: what both import compiles once."""


def _kubernetes(name: str) -> Program:
    return Program(KUBERNETES, f"k8s.io/kubernetes/cmd/{name}", _LINK_KUBERNETES)


API_SERVER = {
    "etcd": Program(KUBERNETES, "go.etcd.io/etcd/server/v3", _LINK_KUBERNETES),
    "kubectl": _kubernetes("kubectl"),
    "kube-apiserver": _kubernetes("kube-apiserver"),
}
"""All that the demo needs."""
CONTROL_PLANE = API_SERVER | {"kube-controller-manager": _kubernetes("kube-controller-manager")}
CLIENTS = {
    "kind": Program(KIND, "."),
    "helm": Program(_HELM, "./cmd/helm", f"{_STRIP} -X helm.sh/helm/v4/internal/version.version={_HELM.version}"),
}
NODE = {
    **{name: _kubernetes(name) for name in ("kube-scheduler", "kube-proxy", "kubeadm", "kubelet")},
    "coredns": Program(_COREDNS, "."),
    **{name: Program(_CONTAINERD, f"./cmd/{name}") for name in ("containerd", "ctr", "containerd-shim-runc-v2")},
}
PROGRAMS = CONTROL_PLANE | CLIENTS | NODE
