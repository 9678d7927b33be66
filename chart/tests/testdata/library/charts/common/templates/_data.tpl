{{- define "common.data" -}}
chart: {{ .Chart.Name }}
values: {{ .Values.common | toJson }}
{{- end -}}
