"""What each value of the chart is there for: a value, what must be with it, where to look, what is there."""

import json
from collections.abc import Callable
from typing import Any

from tests.chart.rendering import Rendered, Values

Look = Callable[[Rendered], Any]

RULE = {"apiGroups": ["apps"], "resources": ["deployments"], "verbs": ["get", "patch"]}
TOLERATION = {"key": "dedicated", "operator": "Exists"}
SPREAD = {"maxSkew": 2, "topologyKey": "zone", "whenUnsatisfiable": "DoNotSchedule"}
PEER = {"namespaceSelector": {"matchLabels": {"name": "monitoring"}}}
DIGEST = "sha256:" + "0" * 64


def arguments(rendered: Rendered) -> list[str]:
    found: list[str] = rendered.container["args"]
    return found


def rules(rendered: Rendered) -> list[Any]:
    found: list[Any] = rendered.one("ClusterRole", ":execloop")["rules"]
    return found


def roles(rendered: Rendered) -> list[tuple[str, str]]:
    kinds = rendered.of("Role", "ClusterRole")
    return [(role["metadata"].get("namespace", ""), role["metadata"]["name"]) for role in kinds]


def everywhere(field: str) -> Look:
    return lambda rendered: [
        manifest["metadata"].get(field, {}).get("team")
        for manifest in rendered
        if manifest["metadata"]["name"] != "execloop-test"
    ]


def volume(name: str) -> Look:
    return lambda rendered: (
        [entry for entry in rendered.pod["volumes"] if entry["name"] == f"plans-{name}"],
        [entry["readOnly"] for entry in rendered.container["volumeMounts"] if entry["name"] == f"plans-{name}"],
        f"--plans=/plans-{name}" in arguments(rendered),
    )


def policies(rendered: Rendered) -> set[str]:
    return {manifest["metadata"]["name"] for manifest in rendered if "AdmissionPolicy" in manifest["kind"]}


def hook(rendered: Rendered) -> list[str]:
    """The arguments of the check before an uninstallation."""
    return [arg for job in rendered.of("Job") for arg in job["spec"]["template"]["spec"]["containers"][0]["args"]]


def policy(rendered: Rendered) -> Any:
    return rendered.one("NetworkPolicy")["spec"]


def monitor(rendered: Rendered) -> Any:
    return rendered.one("ServiceMonitor")


def board(rendered: Rendered) -> Any:
    return rendered.one("ConfigMap", "-dashboard")


def impersonation(rendered: Rendered) -> list[Any]:
    """The rules of the page's impersonation: for groups, then for users."""
    found: list[Any] = rendered.one("ClusterRole", ":page-impersonate")["rules"]
    return found


def kinds(rendered: Rendered) -> set[str]:
    return {manifest["kind"] for manifest in rendered}


PAGE = {"page": {"enabled": True}}
ON = {"networkPolicy": {"enabled": True}}
SHOWN = {"grafanaDashboard": {"enabled": True}}
SCRAPED = {"serviceMonitor": {"enabled": True}}

EFFECTS: dict[str, tuple[Any, Values, Look, Any]] = {
    "nameOverride": ("converger", {}, lambda r: r.one("Deployment")["metadata"]["name"], "execloop-converger"),
    "fullnameOverride": ("converger", {}, lambda r: r.one("Deployment")["metadata"]["name"], "converger"),
    "labels": ({"team": "a"}, {}, lambda r: set(everywhere("labels")(r)), {"a"}),
    "annotations": ({"team": "a"}, {}, lambda r: set(everywhere("annotations")(r)), {"a"}),
    "image.repository": ("registry.example/x", {}, lambda r: r.container["image"], "registry.example/x:0.1.0"),
    "image.tag": ("v7", {}, lambda r: r.container["image"], "execloop:v7"),
    "image.digest": (DIGEST, {}, lambda r: r.container["image"], f"execloop@{DIGEST}"),
    "image.pullPolicy": ("Always", {}, lambda r: r.container["imagePullPolicy"], "Always"),
    "image.pullSecrets": (["a"], {}, lambda r: r.pod["imagePullSecrets"], [{"name": "a"}]),
    "replicas": (3, {}, lambda r: r.one("Deployment")["spec"]["replicas"], 3),
    "leaderElection.enabled": (
        False,
        {"replicas": 1},
        lambda r: (r.one("Deployment")["spec"].get("strategy"), "--leader-elect" in arguments(r), len(r.of("Role"))),
        ({"type": "Recreate"}, False, 0),
    ),
    "leaderElection.leaseName": (
        "chief",
        {"leaderElection": {"enabled": True}},
        lambda r: ("--lease-name=chief" in arguments(r), r.one("Role")["rules"][0]["resourceNames"]),
        (True, ["chief"]),
    ),
    "leaderElection.shards": (
        4,
        {},
        lambda r: ("--shards=4" in arguments(r), r.one("Role")["rules"][0]["verbs"]),
        (True, ["get", "list", "create", "update", "delete"]),
    ),
    "leaderElection.shardSelector": (
        True,
        {"leaderElection": {"shards": 4}},
        lambda r: "--shard-selector" in arguments(r),
        True,
    ),
    "watch.selector": ("team in (a, b)", {}, lambda r: "--selector=team in (a, b)" in arguments(r), True),
    "watch.namespaces": (
        ["a", "b"],
        {
            "rbac": {"aggregate": False, "approver": False},
            "leaderElection": {"enabled": False},
            "replicas": 1,
            "secrets": {"policy": "trusted"},
        },
        lambda r: (roles(r), [arg for arg in arguments(r) + hook(r) if "--namespace" in arg]),
        (
            [("a", "execloop-system:execloop"), ("b", "execloop-system:execloop")],
            ["--namespace=a", "--namespace=b"] * 2,
        ),
    ),
    "operator.workers": (3, {}, lambda r: "--workers=3" in arguments(r), True),
    "operator.maxThreads": (30, {}, lambda r: "--max-threads=30" in arguments(r), True),
    "operator.logFormat": ("plain", {}, lambda r: "--log-format=plain" in arguments(r), True),
    "operator.logLevel": ("debug", {}, lambda r: "--log-level=debug" in arguments(r), True),
    "operator.port": (
        9000,
        {},
        lambda r: ("--health-port=9000" in arguments(r), r.container["ports"][0]["containerPort"]),
        (True, 9000),
    ),
    "operator.defaultServiceAccount": (
        "runner",
        {"impersonation": {"serviceAccounts": [{"namespace": "*", "names": ["runner"]}]}},
        lambda r: "--default-service-account=runner" in arguments(r),
        True,
    ),
    "operator.requireServiceAccount": (True, {}, lambda r: "--require-service-account" in arguments(r), True),
    "operator.requireServiceAccountFor": (
        ["sql", "own-*"],
        {},
        lambda r: [arg for arg in arguments(r) if "-account-for" in arg],
        ["--require-service-account-for=sql", "--require-service-account-for=own-*"],
    ),
    "operator.manifestsNamespaces": (
        ["team-*", "ClusterRole"],
        {},
        lambda r: [arg for arg in arguments(r) if "manifests-namespace" in arg],
        ["--manifests-namespace=team-*", "--manifests-namespace=ClusterRole"],
    ),
    "page.enabled": (
        True,
        {},
        lambda r: (
            "--page=:8090" in arguments(r),
            [port["name"] for port in r.one("Service")["spec"]["ports"]],
            [role for role in roles(r) if role[1].endswith(":page")],
        ),
        (True, ["http", "page"], [("", "execloop-system:execloop:page")]),
    ),
    "page.port": (
        9090,
        PAGE,
        lambda r: (
            "--page=:9090" in arguments(r),
            r.container["ports"][1],
            r.one("Service")["spec"]["ports"][1]["port"],
        ),
        (True, {"name": "page", "containerPort": 9090}, 9090),
    ),
    "page.actions": (True, PAGE, lambda r: "--page-actions" in arguments(r), True),
    "page.audience": ("page", PAGE, lambda r: "--page-audience=page" in arguments(r), True),
    "page.keySecret": (
        "own-key",
        PAGE,
        lambda r: (r.of("Secret"), [v["secret"] for v in r.pod["volumes"] if v["name"] == "page-key"]),
        ([], [{"secretName": "own-key", "items": [{"key": "key", "path": "key"}]}]),
    ),
    "page.impersonate.secret": (
        "proxy",
        PAGE,
        lambda r: (
            "--page-impersonate=/page-proxy/secret" in arguments(r),
            "--page-impersonate-prefix=oidc:" in arguments(r),
            [v["secret"] for v in r.pod["volumes"] if v["name"] == "page-proxy"],
        ),
        (True, True, [{"secretName": "proxy", "items": [{"key": "secret", "path": "secret"}]}]),
    ),
    "page.impersonate.prefix": (
        "",
        {"page": {"enabled": True, "impersonate": {"secret": "proxy"}}},
        lambda r: "--page-impersonate-prefix=" in arguments(r),
        True,
    ),
    "page.impersonate.users": (
        ["oidc:ann"],
        {"page": {"enabled": True, "impersonate": {"secret": "proxy"}}},
        lambda r: [rule.get("resourceNames") for rule in impersonation(r)],
        [None, ["oidc:ann"]],
    ),
    "page.impersonate.groups": (
        ["oidc:team"],
        {"page": {"enabled": True, "impersonate": {"secret": "proxy"}}},
        lambda r: [rule.get("resourceNames") for rule in impersonation(r)],
        [["oidc:team"], None],
    ),
    "networkPolicy.pageFrom": (
        [PEER],
        {"page": {"enabled": True}, "networkPolicy": {"enabled": True}},
        lambda r: policy(r)["ingress"][1],
        {"ports": [{"port": "page"}], "from": [PEER]},
    ),
    "operator.planFolders": (["/migrations"], {}, lambda r: "--plan-folder=/migrations" in arguments(r), True),
    "operator.planAddresses": (
        ["10.0.0.0/8", "*.svc"],
        {},
        lambda r: [arg for arg in arguments(r) if "plan-address" in arg],
        ["--plan-address=10.0.0.0/8", "--plan-address=*.svc"],
    ),
    "operator.allow": (["a=b,c-*"], {}, lambda r: "--allow=a=b,c-*" in arguments(r), True),
    "operator.crossNamespaceDependencies": (
        True,
        {},
        lambda r: "--cross-namespace-dependencies" in arguments(r),
        True,
    ),
    "operator.extraArgs": (["--x=1"], {}, lambda r: arguments(r)[-1], "--x=1"),
    "plans.configMap": (
        "code",
        {},
        volume("configmap"),
        ([{"name": "plans-configmap", "configMap": {"name": "code"}}], [True], True),
    ),
    "plans.volume": (
        {"emptyDir": {}},
        {},
        volume("volume"),
        ([{"name": "plans-volume", "emptyDir": {}}], [True], True),
    ),
    "plans.image.reference": (
        "plans:1",
        {},
        volume("image"),
        (
            [{"name": "plans-image", "image": {"reference": "plans:1", "pullPolicy": "IfNotPresent"}}],
            [True],
            True,
        ),
    ),
    "plans.image.pullPolicy": (
        "Always",
        {"plans": {"image": {"reference": "plans:1"}}},
        lambda r: r.pod["volumes"][-1]["image"]["pullPolicy"],
        "Always",
    ),
    "serviceAccount.create": (
        False,
        {},
        lambda r: (r.of("ServiceAccount"), r.pod["serviceAccountName"]),
        ([], "default"),
    ),
    "serviceAccount.name": (
        "own",
        {},
        lambda r: (
            r.one("ServiceAccount")["metadata"]["name"],
            r.pod["serviceAccountName"],
            {subject["name"] for bind in r.of("RoleBinding", "ClusterRoleBinding") for subject in bind["subjects"]},
        ),
        ("own", "own", {"own"}),
    ),
    "serviceAccount.annotations": (
        {"cloud": "id"},
        {},
        lambda r: r.one("ServiceAccount")["metadata"]["annotations"],
        {"cloud": "id"},
    ),
    "rbac.create": (
        False,
        {"rbac": {"aggregate": False, "approver": False}},
        lambda r: kinds(r) & {"Role", "ClusterRole", "RoleBinding", "ClusterRoleBinding"},
        set(),
    ),
    "rbac.readConfigMaps": (
        True,
        {},
        lambda r: {"apiGroups": [""], "resources": ["configmaps"], "verbs": ["get", "list", "watch"]} in rules(r),
        True,
    ),
    "rbac.readSecrets": (
        True,
        {},
        lambda r: {"apiGroups": [""], "resources": ["secrets"], "verbs": ["get", "list", "watch"]} in rules(r),
        True,
    ),
    "rbac.extraRules": ([RULE], {}, lambda r: RULE in rules(r), True),
    "rbac.aggregate": (False, {}, lambda r: [name for _, name in roles(r) if name.endswith(("view", "edit"))], []),
    "rbac.approver": (False, {}, lambda r: [name for _, name in roles(r) if name.endswith("approver")], []),
    "impersonation.serviceAccounts": (
        [{"namespace": "a", "names": ["deployer"]}],
        {},
        lambda r: [
            (role["metadata"]["namespace"], rule["resourceNames"])
            for role in r.of("Role")
            for rule in role["rules"]
            if "impersonate" in rule["verbs"]
        ],
        [("a", ["deployer"])],
    ),
    "crds.install": (False, {}, lambda r: r.of("CustomResourceDefinition"), []),
    "crds.keep": (
        False,
        {},
        lambda r: "annotations" in r.one("CustomResourceDefinition")["metadata"],
        False,
    ),
    "approval.policies": (False, {}, lambda r: [name for name in policies(r) if name.startswith("plan-")], []),
    "secrets.policy": (
        "trusted",
        {},
        lambda r: (
            "plans.execloop.dev-secrets" in policies(r),
            [name for _, name in roles(r) if name.endswith("secrets-policy")],
            "--trust-secrets-policy" in arguments(r),
        ),
        (False, [], True),
    ),
    "uninstall.check": (False, {}, lambda r: r.of("Job"), []),
    "uninstall.removeFinalizers": (True, {}, hook, ["teardowns", "--remove-finalizers"]),
    "podDisruptionBudget.enabled": (False, {}, lambda r: r.of("PodDisruptionBudget"), []),
    "podDisruptionBudget.maxUnavailable": (
        "50%",
        {},
        lambda r: r.one("PodDisruptionBudget")["spec"]["maxUnavailable"],
        "50%",
    ),
    "resources": (
        {"limits": {"memory": "1Gi"}},
        {},
        lambda r: r.container["resources"]["limits"],
        {"memory": "1Gi"},
    ),
    "podSecurityContext": ({"fsGroup": 7}, {}, lambda r: r.pod["securityContext"]["fsGroup"], 7),
    "securityContext": ({"runAsUser": 7}, {}, lambda r: r.container["securityContext"]["runAsUser"], 7),
    "terminationGracePeriodSeconds": (60, {}, lambda r: r.pod["terminationGracePeriodSeconds"], 60),
    "priorityClassName": ("high", {}, lambda r: r.pod["priorityClassName"], "high"),
    "nodeSelector": ({"a": "b"}, {}, lambda r: r.pod["nodeSelector"], {"a": "b"}),
    "tolerations": ([TOLERATION], {}, lambda r: r.pod["tolerations"], [TOLERATION]),
    "affinity": ({"nodeAffinity": {}}, {}, lambda r: r.pod["affinity"], {"nodeAffinity": {}}),
    "topologySpreadConstraints": (
        [SPREAD],
        {},
        lambda r: [
            {**constraint, "labelSelector": min(constraint["labelSelector"]["matchLabels"])}
            for constraint in r.pod["topologySpreadConstraints"]
        ],
        [{**SPREAD, "labelSelector": "app.kubernetes.io/component"}],
    ),
    "podLabels": (
        {"a": "b"},
        {},
        lambda r: r.one("Deployment")["spec"]["template"]["metadata"]["labels"]["a"],
        "b",
    ),
    "podAnnotations": (
        {"a": "b"},
        {},
        lambda r: r.one("Deployment")["spec"]["template"]["metadata"]["annotations"],
        {"a": "b"},
    ),
    "extraEnv": (
        [{"name": "A", "value": "b"}],
        {},
        lambda r: r.container["env"],
        [{"name": "A", "value": "b"}],
    ),
    "extraEnvFrom": (
        [{"secretRef": {"name": "a"}}],
        {},
        lambda r: r.container["envFrom"],
        [{"secretRef": {"name": "a"}}],
    ),
    "extraVolumes": (
        [{"name": "a", "emptyDir": {}}],
        {},
        lambda r: r.pod["volumes"][-1],
        {"name": "a", "emptyDir": {}},
    ),
    "extraVolumeMounts": (
        [{"name": "a", "mountPath": "/a"}],
        {},
        lambda r: r.container["volumeMounts"][-1],
        {"name": "a", "mountPath": "/a"},
    ),
    "service.port": (80, {}, lambda r: r.one("Service")["spec"]["ports"][0]["port"], 80),
    "service.annotations": ({"a": "b"}, {}, lambda r: r.one("Service")["metadata"]["annotations"], {"a": "b"}),
    "serviceMonitor.enabled": (True, {}, lambda r: monitor(r)["spec"]["endpoints"][0]["path"], "/metrics"),
    "serviceMonitor.interval": ("1m", SCRAPED, lambda r: monitor(r)["spec"]["endpoints"][0]["interval"], "1m"),
    "serviceMonitor.labels": ({"a": "b"}, SCRAPED, lambda r: monitor(r)["metadata"]["labels"]["a"], "b"),
    "grafanaDashboard.enabled": (
        True,
        {},
        lambda r: json.loads(board(r)["data"]["execloop.json"])["title"],
        "execloop",
    ),
    "grafanaDashboard.labels": ({"a": "b"}, SHOWN, lambda r: board(r)["metadata"]["labels"]["a"], "b"),
    "grafanaDashboard.annotations": ({"a": "b"}, SHOWN, lambda r: board(r)["metadata"]["annotations"], {"a": "b"}),
    "networkPolicy.enabled": (True, {}, lambda r: policy(r)["policyTypes"], ["Ingress", "Egress"]),
    "networkPolicy.apiServerPorts": ([16443], ON, lambda r: policy(r)["egress"][1]["ports"], [{"port": 16443}]),
    "networkPolicy.metricsFrom": ([PEER], ON, lambda r: policy(r)["ingress"][0]["from"], [PEER]),
    "networkPolicy.extraEgress": (
        [{"ports": [{"port": 5432}]}],
        ON,
        lambda r: policy(r)["egress"][-1],
        {"ports": [{"port": 5432}]},
    ),
}
