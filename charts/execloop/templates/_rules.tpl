{{/* The operator's own rights, wherever it watches. docs/install.md has the reason of each; a test knows them all. */}}
{{- define "execloop.rules" -}}
# find Plans, follow them; patch: the finalizer of those with a teardown; delete: ttlAfterFinished
- apiGroups: [execloop.dev]
  resources: [plans]
  verbs: [get, list, watch, patch, delete]
# say how far they are
- apiGroups: [execloop.dev]
  resources: [plans/status]
  verbs: [update]
# tell of what people care about: stalled, recovered, drift repaired; notice that a namespace goes
- apiGroups: [events.k8s.io]
  resources: [events]
  verbs: [create]
{{- if .Values.rbac.readConfigMaps }}
# parametersFrom: read, and notice a change
- apiGroups: [""]
  resources: [configmaps]
  verbs: [get, list, watch]
{{- end }}
{{- if .Values.rbac.readSecrets }}
- apiGroups: [""]
  resources: [secrets]
  verbs: [get, list, watch]
{{- end }}
{{- range .Values.impersonation.serviceAccounts }}
{{- if eq .namespace "*" }}
# act as the service account that a Plan names
- apiGroups: [""]
  resources: [serviceaccounts]
  resourceNames: {{ toJson .names }}
  verbs: [get, impersonate]
{{- end }}
{{- end }}
{{- with .Values.rbac.extraRules }}
# what plans do (rbac.extraRules)
{{ toYaml . }}
{{- end }}
{{- end }}

{{- define "execloop.subject" -}}
- kind: ServiceAccount
  name: {{ include "execloop.serviceAccount" . }}
  namespace: {{ .Release.Namespace }}
{{- end }}
