{{- define "execloop.fullname" -}}
{{- if .Values.fullnameOverride -}}
{{- .Values.fullnameOverride | trunc 52 | trimSuffix "-" -}}
{{- else -}}
{{- $name := default .Chart.Name .Values.nameOverride -}}
{{- $full := contains $name .Release.Name | ternary .Release.Name (printf "%s-%s" .Release.Name $name) -}}
{{- $full | trunc 52 | trimSuffix "-" -}}
{{- end -}}
{{- end }}

{{/* For objects without a namespace, of which two releases may not share one. */}}
{{- define "execloop.clusterName" -}}
{{- printf "%s:%s" .Release.Namespace (include "execloop.fullname" .) -}}
{{- end }}

{{- define "execloop.identity" -}}
app.kubernetes.io/name: {{ default .Chart.Name .Values.nameOverride }}
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end }}

{{/* Of the operator's pods, and not of those that hooks run. */}}
{{- define "execloop.selector" -}}
{{ include "execloop.identity" . }}
app.kubernetes.io/component: operator
{{- end }}

{{- define "execloop.labels" -}}
{{ include "execloop.identity" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" }}
{{- with .Values.labels }}
{{ toYaml . }}
{{- end }}
{{- end }}

{{/* The metadata that all objects share: (dict "root" $ "labels" {...} "annotations" {...}), the last two optional. */}}
{{- define "execloop.metadata" -}}
labels:
  {{- include "execloop.labels" .root | nindent 2 }}
  {{- with .labels }}
  {{- toYaml . | nindent 2 }}
  {{- end }}
{{- with merge (dict) (default dict .annotations) .root.Values.annotations }}
annotations:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- end }}

{{- define "execloop.serviceAccount" -}}
{{- if .Values.serviceAccount.create -}}
{{- default (include "execloop.fullname" .) .Values.serviceAccount.name -}}
{{- else -}}
{{- default "default" .Values.serviceAccount.name -}}
{{- end -}}
{{- end }}

{{- define "execloop.lease" -}}
{{- default (include "execloop.fullname" .) .Values.leaderElection.leaseName -}}
{{- end }}

{{- define "execloop.pageKey" -}}
{{- default (printf "%s-page" (include "execloop.fullname" .)) .Values.page.keySecret -}}
{{- end }}

{{- define "execloop.image" -}}
{{- with .Values.image -}}
{{- if .digest -}}
{{- printf "%s@%s" .repository .digest -}}
{{- else -}}
{{- printf "%s:%s" .repository (default $.Chart.AppVersion .tag) -}}
{{- end -}}
{{- end -}}
{{- end }}

{{/* Of every pod that runs the operator's image. */}}
{{- define "execloop.pod" -}}
serviceAccountName: {{ include "execloop.serviceAccount" . }}
{{- with .Values.image.pullSecrets }}
imagePullSecrets:
  {{- range . }}
  - name: {{ . }}
  {{- end }}
{{- end }}
{{- with .Values.priorityClassName }}
priorityClassName: {{ . }}
{{- end }}
securityContext:
  {{- toYaml .Values.podSecurityContext | nindent 2 }}
{{- with .Values.nodeSelector }}
nodeSelector:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .Values.tolerations }}
tolerations:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- end }}

{{- define "execloop.container" -}}
image: {{ include "execloop.image" . | quote }}
imagePullPolicy: {{ .Values.image.pullPolicy }}
securityContext:
  {{- toYaml .Values.securityContext | nindent 2 }}
resources:
  {{- toYaml .Values.resources | nindent 2 }}
{{- end }}
