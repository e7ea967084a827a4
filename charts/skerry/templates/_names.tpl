{{/* The chart's name, as labels have it. */}}
{{- define "skerry.name" -}}
{{- .Values.nameOverride | default .Chart.Name | trunc 40 | trimSuffix "-" -}}
{{- end }}

{{/* What every name begins with. Short enough for what is added to it. */}}
{{- define "skerry.fullname" -}}
{{- $name := .Values.nameOverride | default .Chart.Name -}}
{{- $own := contains $name .Release.Name | ternary .Release.Name (printf "%s-%s" .Release.Name $name) -}}
{{- .Values.fullnameOverride | default $own | trunc 40 | trimSuffix "-" -}}
{{- end }}

{{/* The name of a part. Takes (list $ "operator"). */}}
{{- define "skerry.componentName" -}}
{{- printf "%s-%s" (include "skerry.fullname" (index . 0)) (index . 1) -}}
{{- end }}

{{/* The name of a part in the whole cluster: two releases may share a name. Takes (list $ "operator"). */}}
{{- define "skerry.clusterName" -}}
{{- printf "%s-%s" (index . 0).Release.Namespace (include "skerry.componentName" .) -}}
{{- end }}

{{/* Labels by which a part's Pods are found; they never change. Takes (list $ "operator"). */}}
{{- define "skerry.selectorLabels" -}}
{{- $root := index . 0 -}}
app.kubernetes.io/name: {{ include "skerry.name" $root }}
app.kubernetes.io/instance: {{ $root.Release.Name }}
app.kubernetes.io/component: {{ index . 1 }}
{{- end }}

{{/* All labels of a part's objects. Takes (list $ "operator" $moreLabels). */}}
{{- define "skerry.labels" -}}
{{- $root := index . 0 -}}
{{- $own := include "skerry.selectorLabels" . | fromYaml -}}
{{- $_ := set $own "helm.sh/chart" (printf "%s-%s" $root.Chart.Name $root.Chart.Version | replace "+" "_" | trunc 63) -}}
{{- $_ := set $own "app.kubernetes.io/version" ($root.Chart.AppVersion | trunc 63) -}}
{{- $_ := set $own "app.kubernetes.io/part-of" "skerry" -}}
{{- $_ := set $own "app.kubernetes.io/managed-by" $root.Release.Service -}}
{{- toYaml (mergeOverwrite dict $root.Values.commonLabels (index . 2 | default dict) $own) -}}
{{- end }}

{{/* The metadata of an object. Takes (dict "root" $ "component" "operator"), and, where they differ from a part's own:
     name, namespace, labels, annotations; clusterScoped. */}}
{{- define "skerry.metadata" -}}
{{- $root := .root -}}
name: {{ .name | default (include "skerry.componentName" (list $root .component)) }}
{{- if not .clusterScoped }}
namespace: {{ .namespace | default $root.Release.Namespace }}
{{- end }}
labels:
  {{- include "skerry.labels" (list $root .component .labels) | nindent 2 }}
{{- with mergeOverwrite dict $root.Values.commonAnnotations (.annotations | default dict) }}
annotations:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- end }}

{{/* Labels of a part's Pods. Takes (list $ "operator" $moreLabels). */}}
{{- define "skerry.podLabels" -}}
{{- $root := index . 0 -}}
{{- $own := include "skerry.selectorLabels" . | fromYaml -}}
{{- toYaml (mergeOverwrite dict $root.Values.commonLabels (index . 2 | default dict) $own) -}}
{{- end }}

{{- define "skerry.tasksNamespace" -}}
{{- .Values.tasks.namespace | default .Release.Namespace -}}
{{- end }}

{{/* The service account of a part. Takes (list $ "control-plane" .Values.controlPlane.serviceAccount). */}}
{{- define "skerry.serviceAccountName" -}}
{{- $account := index . 2 -}}
{{- $made := include "skerry.componentName" . -}}
{{- if $account.create -}}
{{- $account.name | default $made -}}
{{- else -}}
{{- $account.name | default "default" -}}
{{- end -}}
{{- end }}

{{- define "skerry.controlPlaneAccount" -}}
{{- include "skerry.serviceAccountName" (list . "control-plane" .Values.controlPlane.serviceAccount) -}}
{{- end }}

{{- define "skerry.operatorAccount" -}}
{{- include "skerry.serviceAccountName" (list . "operator" .Values.operator.serviceAccount) -}}
{{- end }}

{{- define "skerry.tasksAccount" -}}
{{- include "skerry.serviceAccountName" (list . "tasks" .Values.tasks.serviceAccount) -}}
{{- end }}

{{/* The control plane, as task Pods reach it. */}}
{{- define "skerry.url" -}}
{{- printf "http://%s.%s.svc:%d" (include "skerry.componentName" (list . "control-plane")) .Release.Namespace (int .Values.controlPlane.service.port) -}}
{{- end }}
