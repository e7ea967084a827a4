{{/* Combinations that a schema cannot refuse. */}}
{{- define "skerry.check" -}}
{{- if and .Values.postgres.enabled .Values.database.existingSecret -}}
{{- fail "two databases: database.existingSecret names one, and postgres.enabled=true starts another. Set postgres.enabled=false for production" -}}
{{- end -}}
{{- if not (or .Values.postgres.enabled .Values.database.existingSecret) -}}
{{- fail "no database: set database.existingSecret to a Secret with a PostgreSQL URL, or postgres.enabled=true to evaluate" -}}
{{- end -}}
{{- if not (hasKey .Values.plans "standard") -}}
{{- fail "plans has no \"standard\", the plan of tasks that name none" -}}
{{- end -}}
{{- if and .Values.tasks.createNamespace (eq (include "skerry.tasksNamespace" .) .Release.Namespace) -}}
{{- fail "tasks.createNamespace=true needs a tasks.namespace of its own: the release's namespace is there already" -}}
{{- end -}}
{{- if and .Values.ingress.enabled (not .Values.ingress.hosts) -}}
{{- fail "ingress.enabled=true needs ingress.hosts" -}}
{{- end -}}
{{- if and .Values.metrics.prometheusRule.enabled (not .Values.metrics.serviceMonitor.enabled) -}}
{{- fail "metrics.prometheusRule needs metrics.serviceMonitor.enabled=true: its alerts ask for the ServiceMonitors' jobs" -}}
{{- end -}}
{{- end }}
