{{/* The control plane's environment, as far as it is no secret. */}}
{{- define "skerry.settings" -}}
SKERRY_EXECUTOR: kubernetes
SKERRY_TASKS_NAMESPACE: {{ include "skerry.tasksNamespace" . }}
SKERRY_RUNNER_SERVICE_ACCOUNT: {{ include "skerry.tasksAccount" . }}
SKERRY_LOG_LEVEL: {{ .Values.controlPlane.logLevel }}
SKERRY_PLANS: {{ .Values.plans | toJson | quote }}
SKERRY_CPU_REQUEST_RATIO: {{ .Values.tasks.cpuRequestRatio | toJson | quote }}
SKERRY_MEMORY_REQUEST_RATIO: {{ .Values.tasks.memoryRequestRatio | toJson | quote }}
SKERRY_WARM_MIN: {{ .Values.tasks.warm.min | toJson | quote }}
SKERRY_WARM_MAX: {{ .Values.tasks.warm.max | toJson | quote }}
SKERRY_WARM_IDLE_SECONDS: {{ .Values.tasks.warm.idleSeconds | toJson | quote }}
{{- with .Values.tasks.warm.idleRequests }}
SKERRY_WARM_IDLE_REQUESTS: {{ toJson . | quote }}
{{- end }}
{{- with .Values.tasks.template }}
SKERRY_POD_TEMPLATE: {{ toJson . | quote }}
{{- end }}
{{- /* toJson, because 4194304 would be printed as 4.194304e+06. */}}
{{- range $name, $value := .Values.controlPlane.settings }}
SKERRY_{{ $name | snakecase | upper }}: {{ $value | toJson | quote }}
{{- end }}
{{- end }}
