{{- define "execloop.arguments" -}}
- operator
- --health-port={{ .Values.operator.port }}
- --log-format={{ .Values.operator.logFormat }}
- --log-level={{ .Values.operator.logLevel }}
- --workers={{ .Values.operator.workers }}
- --max-threads={{ .Values.operator.maxThreads }}
- --journal=/journal/execloop
{{- range .Values.watch.namespaces }}
- --namespace={{ . }}
{{- end }}
{{- with .Values.watch.selector }}
- {{ printf "--selector=%s" . | quote }}
{{- end }}
- --plans=/plans
{{- if .Values.plans.configMap }}
- --plans=/plans-configmap
{{- end }}
{{- if .Values.plans.volume }}
- --plans=/plans-volume
{{- end }}
{{- if .Values.plans.image.reference }}
- --plans=/plans-image
{{- end }}
{{- if .Values.leaderElection.enabled }}
- --leader-elect
- --lease-name={{ include "execloop.lease" . }}
- --lease-namespace={{ .Release.Namespace }}
{{- if gt (int .Values.leaderElection.shards) 1 }}
- --shards={{ int .Values.leaderElection.shards }}
{{- if .Values.leaderElection.shardSelector }}
- --shard-selector
{{- end }}
{{- end }}
{{- end }}
{{- with .Values.operator.defaultServiceAccount }}
- --default-service-account={{ . }}
{{- end }}
{{- if .Values.operator.requireServiceAccount }}
- --require-service-account
{{- end }}
{{- range .Values.operator.requireServiceAccountFor }}
- {{ printf "--require-service-account-for=%s" . | quote }}
{{- end }}
{{- range .Values.operator.manifestsNamespaces }}
- {{ printf "--manifests-namespace=%s" . | quote }}
{{- end }}
{{- range .Values.operator.planFolders }}
- {{ printf "--plan-folder=%s" . | quote }}
{{- end }}
{{- range .Values.operator.planAddresses }}
- {{ printf "--plan-address=%s" . | quote }}
{{- end }}
{{- range .Values.operator.allow }}
- {{ printf "--allow=%s" . | quote }}
{{- end }}
{{- if eq .Values.secrets.policy "trusted" }}
- --trust-secrets-policy
{{- end }}
{{- if .Values.operator.crossNamespaceDependencies }}
- --cross-namespace-dependencies
{{- end }}
{{- if .Values.page.enabled }}
- --page=:{{ .Values.page.port }}
- --page-key=/page-key/key
{{- if .Values.page.actions }}
- --page-actions
{{- end }}
{{- with .Values.page.audience }}
- {{ printf "--page-audience=%s" . | quote }}
{{- end }}
{{- if .Values.page.impersonate.secret }}
- --page-impersonate=/page-proxy/secret
- {{ printf "--page-impersonate-prefix=%s" .Values.page.impersonate.prefix | quote }}
{{- end }}
{{- end }}
{{- range .Values.operator.extraArgs }}
- {{ . | quote }}
{{- end }}
{{- end }}
