"""Kubeconfig files: the fields that kubectl reads, each error in one line that names the file and the field."""

from __future__ import annotations

import base64
import binascii
import os
import ssl
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import yaml

from execloop.kube.config import plugins
from execloop.kube.config.cluster import Cluster
from execloop.kube.config.credentials import ClientCertificate, Credential, Credentials, StaticCredentials, token_file
from execloop.kube.config.proxy import proxy_for
from execloop.kube.config.tls import Tls
from execloop.kube.errors import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

__all__ = ["read_kubeconfig"]


def read_kubeconfig(paths: Sequence[Path], context: str | None, environ: Mapping[str, str]) -> Cluster:
    """Several files count as one: the first that names a thing wins, and its relative paths are relative to it."""
    files = [_read(path) for path in paths if len(paths) == 1 or path.exists()]
    if not files:
        raise ConfigurationError(f"KUBECONFIG: none of {', '.join(map(str, paths))} exists")
    name = context or next(filter(None, (file.text("current-context") for file in files)), None)
    if not name:
        raise ConfigurationError(f"{files[0].where}: current-context is not set; {_known('contexts', files)}")
    settings = _named("contexts", name, files).mapping("context")
    cluster = _named("clusters", settings.required("cluster"), files).mapping("cluster")
    user = settings.text("user")
    server = cluster.required("server").rstrip("/")
    if not server.startswith(("https://", "http://")):
        raise ConfigurationError(f"{cluster.where}.server must begin with https:// or http://")
    insecure = cluster.flag("insecure-skip-tls-verify")
    return Cluster(
        server=server,
        credentials=_credentials(_named("users", user, files).mapping("user"), cluster, paths, name)
        if user
        else StaticCredentials(),
        ca=None if insecure else _authority(cluster),
        insecure=insecure,
        server_name=cluster.text("tls-server-name"),
        proxy=cluster.text("proxy-url") or proxy_for(server, environ),
        namespace=settings.text("namespace") or "default",
    )


def _credentials(user: _Section, cluster: _Section, paths: Sequence[Path], context: str) -> Credentials:
    for field in ("as", "as-uid", "as-groups", "as-user-extra"):
        if user.fields.get(field):
            raise ConfigurationError(f"{user.where}.{field} is not supported: use a user that needs no impersonation")
    certificate = _certificate(user)
    token = user.text("token")
    if token:
        return StaticCredentials(Credential(f"Bearer {token}", certificate))
    if path := user.text("tokenFile"):
        credentials = token_file(user.folder / path, certificate)
        credentials.renew(None)
        return credentials
    if certificate:
        return StaticCredentials(Credential(certificate=certificate))
    return _plugin(user, cluster, paths, context) or _basic(user)


def _plugin(user: _Section, cluster: _Section, paths: Sequence[Path], context: str) -> Credentials | None:
    if settings := user.fields.get("exec"):
        section = user.mapping("exec")
        section.required("command")
        section.required("apiVersion")
        return plugins.exec_plugin(section.where, settings, cluster.fields, user.folder)
    if user.fields.get("auth-provider"):
        return plugins.auth_provider(f"{user.where}.auth-provider", os.pathsep.join(map(str, paths)), context)
    return None


def _basic(user: _Section) -> Credentials:
    if name := user.text("username"):
        pair = base64.b64encode(f"{name}:{user.text('password') or ''}".encode()).decode()
        return StaticCredentials(Credential(f"Basic {pair}"))
    return StaticCredentials()


def _authority(cluster: _Section) -> str | None:
    authority = cluster.pem("certificate-authority")
    if authority is not None:
        try:
            Tls(authority)
        except (ssl.SSLError, ValueError):
            raise ConfigurationError(f"{cluster.where}.certificate-authority holds no certificate in PEM") from None
    return authority


def _certificate(user: _Section) -> ClientCertificate | None:
    certificate, key = user.pem("client-certificate"), user.pem("client-key")
    if certificate is None and key is None:
        return None
    if certificate is None or key is None:
        missing = "client-certificate" if certificate is None else "client-key"
        raise ConfigurationError(f"{user.where}.{missing} is missing beside its other half")
    pair = ClientCertificate(certificate, key)
    try:
        Tls().show(pair)
    except (ssl.SSLError, ValueError):
        raise ConfigurationError(f"{user.where}.client-certificate and client-key do not match") from None
    return pair


@dataclass(frozen=True)
class _Section:
    """A mapping in a file; `where` names it in errors."""

    where: str
    folder: Path
    fields: Mapping[str, Any]

    def mapping(self, field: str) -> _Section:
        value = self.fields.get(field)
        if not isinstance(value, dict):
            raise ConfigurationError(f"{self.where}.{field} must be a mapping")
        return _Section(f"{self.where}.{field}", self.folder, value)

    def text(self, field: str) -> str | None:
        value = self.fields.get(field)
        if value is not None and not isinstance(value, str):
            raise ConfigurationError(f"{self.where}.{field} must be text")
        return value or None

    def required(self, field: str) -> str:
        value = self.text(field)
        if value is None:
            raise ConfigurationError(f"{self.where}.{field} is missing")
        return value

    def flag(self, field: str) -> bool:
        value = self.fields.get(field, False)
        if not isinstance(value, bool):
            raise ConfigurationError(f"{self.where}.{field} must be true or false")
        return value

    def pem(self, field: str) -> str | None:
        """From `FIELD-data` in base64, else from the file that `FIELD` names."""
        if data := self.text(f"{field}-data"):
            try:
                return base64.b64decode(data, validate=True).decode()
            except (binascii.Error, UnicodeDecodeError):
                raise ConfigurationError(f"{self.where}.{field}-data is not PEM in base64") from None
        path = self.text(field)
        if path is None:
            return None
        try:
            return (self.folder / path).read_text()
        except OSError as error:
            raise ConfigurationError(f"{self.where}.{field}: {error.filename}: {error.strerror}") from None
        except UnicodeDecodeError:
            raise ConfigurationError(f"{self.where}.{field}: {path} is not PEM") from None


def _read(path: Path) -> _Section:
    try:
        content = yaml.safe_load(path.read_bytes())
    except OSError as error:
        raise ConfigurationError(f"{path}: {error.strerror}") from None
    except yaml.YAMLError as error:
        # Its own text quotes the file, which has credentials.
        mark = getattr(error, "problem_mark", None)
        line = f"line {mark.line + 1}: {getattr(error, 'problem', '')}" if mark else type(error).__name__
        raise ConfigurationError(f"{path}: not YAML: {line}") from None
    if not isinstance(content, dict):
        raise ConfigurationError(f"{path}: not a kubeconfig: it must be a mapping with clusters, users and contexts")
    return _Section(str(path), path.absolute().parent, content)


def _entries(kind: str, file: _Section) -> Mapping[str, _Section]:
    entries = file.fields.get(kind) or []
    if not isinstance(entries, list) or not all(
        isinstance(e, dict) and isinstance(e.get("name"), str) for e in entries
    ):
        raise ConfigurationError(f"{file.where}: {kind} must be a list of mappings that each have a name")
    return {e["name"]: _Section(f"{file.where}: {kind}[{e['name']}]", file.folder, e) for e in reversed(entries)}


def _named(kind: str, name: str, files: Sequence[_Section]) -> _Section:
    for file in files:
        if section := _entries(kind, file).get(name):
            return section
    raise ConfigurationError(f"{files[0].where}: {kind} has no {name!r}; {_known(kind, files)}")


def _known(kind: str, files: Sequence[_Section]) -> str:
    names = sorted({name for file in files for name in _entries(kind, file)})
    return f"{kind}: {', '.join(names) or 'none'}"
