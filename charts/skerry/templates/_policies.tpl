{{/* Egress to DNS. */}}
{{- define "skerry.toDns" -}}
- ports:
    {{- range .Values.networkPolicy.dnsPorts }}
    - protocol: UDP
      port: {{ . }}
    - protocol: TCP
      port: {{ . }}
    {{- end }}
{{- end }}

{{/* Egress to the API server. It is no Pod, so that only its ports tell it. */}}
{{- define "skerry.toApiServer" -}}
- ports:
    {{- range .Values.networkPolicy.apiServerPorts }}
    - protocol: TCP
      port: {{ . }}
    {{- end }}
{{- end }}

{{/* Egress to the database. */}}
{{- define "skerry.toDatabase" -}}
{{- if .Values.postgres.enabled -}}
- to:
    - podSelector:
        matchLabels:
          {{- include "skerry.selectorLabels" (list . "postgres") | nindent 10 }}
  ports:
    - protocol: TCP
      port: 5432
{{- else -}}
- ports:
    {{- range .Values.networkPolicy.controlPlane.databasePorts }}
    - protocol: TCP
      port: {{ . }}
    {{- end }}
{{- end }}
{{- end }}

{{/* Task Pods, as the peer of a policy in the release's namespace. */}}
{{- define "skerry.taskPeer" -}}
namespaceSelector:
  matchLabels:
    kubernetes.io/metadata.name: {{ include "skerry.tasksNamespace" . }}
podSelector:
  matchLabels:
    app.kubernetes.io/managed-by: skerry
{{- end }}
