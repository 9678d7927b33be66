{{ define "outer" }}
  {{ include "inner" . }}
{{ end }}
{{ define "inner" }}{{ .Values.a.b.c }}{{ end }}
{{- define "fails" -}}
{{ fail "from a helper" }}
{{- end -}}
{{ define "unknown" }}{{ include "nothing" . }}{{ end }}
{{ define "tpls" }}{{ tpl "{{ include \"inner\" . }}" . }}{{ end }}
