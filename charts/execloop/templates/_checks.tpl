{{/* What one value asks of another, which the schema cannot say in a sentence. */}}
{{- define "execloop.checks" -}}
{{- if and (gt (int .Values.replicas) 1) (not .Values.leaderElection.enabled) -}}
{{- fail (printf "replicas: %d operators would work on the same Plans: set leaderElection.enabled to true" (int .Values.replicas)) -}}
{{- end -}}
{{- if and .Values.leaderElection.shardSelector (le (int .Values.leaderElection.shards) 1) -}}
{{- fail "leaderElection.shardSelector: it needs leaderElection.shards of more than 1" -}}
{{- end -}}
{{- if and .Values.plans.image.reference (semverCompare "<1.31.0-0" .Capabilities.KubeVersion.Version) -}}
{{- fail (printf "plans.image.reference: Kubernetes %s has no image volumes: use plans.volume or an image of your own" .Capabilities.KubeVersion.Version) -}}
{{- end -}}
{{- if and .Values.serviceMonitor.enabled (not (.Capabilities.APIVersions.Has "monitoring.coreos.com/v1/ServiceMonitor")) -}}
{{- fail "serviceMonitor.enabled: this cluster does not know monitoring.coreos.com/v1 ServiceMonitor: install the Prometheus operator first" -}}
{{- end -}}
{{- if and .Values.operator.defaultServiceAccount (not .Values.impersonation.serviceAccounts) -}}
{{- fail "operator.defaultServiceAccount: impersonation.serviceAccounts allows no account, so no Plan could act as this one" -}}
{{- end -}}
{{- if .Values.watch.namespaces -}}
{{- range .Values.impersonation.serviceAccounts -}}
{{- if not (or (eq .namespace "*") (has .namespace $.Values.watch.namespaces)) -}}
{{- fail (printf "impersonation.serviceAccounts: %s is not in watch.namespaces, so no Plan there is converged" .namespace) -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- end }}
