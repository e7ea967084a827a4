{{/* An image's address. Takes (list $ .Values.operator.image). */}}
{{- define "skerry.image" -}}
{{- $root := index . 0 -}}
{{- $image := index . 1 -}}
{{- $registry := $image.registry | default $root.Values.image.registry | trimSuffix "/" -}}
{{- $name := empty $registry | ternary $image.repository (printf "%s/%s" $registry $image.repository) -}}
{{- if $image.digest -}}
{{- printf "%s@%s" $name $image.digest -}}
{{- else -}}
{{- printf "%s:%s" $name ($image.tag | default $root.Values.image.tag | default $root.Chart.AppVersion) -}}
{{- end -}}
{{- end }}

{{- define "skerry.pullPolicy" -}}
{{- (index . 1).pullPolicy | default (index . 0).Values.image.pullPolicy -}}
{{- end }}

{{/* What all Pods have. Takes (dict "root" $ "component" "operator" "values" .Values.operator). */}}
{{- define "skerry.podSpec" -}}
{{- $values := .values -}}
{{- $selected := include "skerry.selectorLabels" (list .root .component) | fromYaml -}}
{{- /* Else Kubernetes adds variables such as SKERRY_OPERATOR_PORT=tcp://… for our own Services: settings, to our programs. */ -}}
enableServiceLinks: false
{{- with .root.Values.image.pullSecrets }}
imagePullSecrets:
  {{- range . }}
  - name: {{ . }}
  {{- end }}
{{- end }}
{{- with $values.podSecurityContext | default .root.Values.podSecurityContext }}
securityContext:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with $values.priorityClassName }}
priorityClassName: {{ . }}
{{- end }}
{{- with $values.nodeSelector }}
nodeSelector:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with $values.tolerations }}
tolerations:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with $values.affinity }}
affinity:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- if or $values.spreadOverNodes $values.topologySpreadConstraints }}
topologySpreadConstraints:
  {{- if $values.spreadOverNodes }}
  - topologyKey: kubernetes.io/hostname
    maxSkew: 1
    whenUnsatisfiable: ScheduleAnyway
    labelSelector:
      matchLabels:
        {{- toYaml $selected | nindent 8 }}
  {{- end }}
  {{- with $values.topologySpreadConstraints }}
  {{- toYaml . | nindent 2 }}
  {{- end }}
{{- end }}
{{- end }}

{{/* SKERRY_DATABASE_URL, from the Secret that has it. */}}
{{- define "skerry.databaseUrl" -}}
- name: SKERRY_DATABASE_URL
  valueFrom:
    secretKeyRef:
      {{- if .Values.postgres.enabled }}
      name: {{ include "skerry.postgresSecret" . }}
      key: url
      {{- else }}
      name: {{ .Values.database.existingSecret }}
      key: {{ .Values.database.key }}
      {{- end }}
{{- end }}

{{- define "skerry.postgresSecret" -}}
{{- .Values.postgres.existingSecret | default (include "skerry.componentName" (list . "postgres")) -}}
{{- end }}

{{- define "skerry.adminKeySecret" -}}
{{- .Values.adminKey.existingSecret | default (include "skerry.componentName" (list . "admin-key")) -}}
{{- end }}

{{/* A container that brings the schema up to date and stores the first key. Any number of them may run at once. */}}
{{- define "skerry.migrateContainer" -}}
name: migrate
image: {{ include "skerry.image" (list . .Values.controlPlane.image) }}
imagePullPolicy: {{ include "skerry.pullPolicy" (list . .Values.controlPlane.image) }}
command: [skerry-api]
args: [migrate]
env:
  {{- include "skerry.databaseUrl" . | nindent 2 }}
  - name: SKERRY_MIGRATE_WAIT_SECONDS
    value: {{ .Values.migrations.waitSeconds | toJson | quote }}
  - name: SKERRY_LOG_LEVEL
    value: {{ .Values.controlPlane.logLevel }}
  {{- if .Values.adminKey.enabled }}
  # Only here: a process that serves needs no key, and the database has its hash.
  - name: SKERRY_ADMIN_KEY
    valueFrom:
      secretKeyRef:
        name: {{ include "skerry.adminKeySecret" . }}
        key: {{ .Values.adminKey.key }}
        # A Job before an upgrade runs before a Secret that the upgrade brings; the Pods after it store the key then.
        optional: true
  {{- end }}
  {{- with .Values.controlPlane.extraEnv }}
  {{- toYaml . | nindent 2 }}
  {{- end }}
{{- with .Values.controlPlane.extraEnvFrom }}
envFrom:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .Values.migrations.resources }}
resources:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .Values.securityContext }}
securityContext:
  {{- toYaml . | nindent 2 }}
{{- end }}
volumeMounts:
  - name: tmp
    mountPath: /tmp
{{- end }}
