{{- define "streamgauge.name" -}}
{{- .Values.fullnameOverride | default (printf "%s-%s" .Release.Name (.Values.nameOverride | default .Chart.Name)) | trunc 52 | trimSuffix "-" -}}
{{- end -}}

{{- define "streamgauge.labels" -}}
app.kubernetes.io/name: {{ .Chart.Name }}
app.kubernetes.io/instance: {{ .Release.Name }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
{{- end -}}

{{- define "streamgauge.selector" -}}
app.kubernetes.io/name: {{ .root.Chart.Name }}
app.kubernetes.io/instance: {{ .root.Release.Name }}
app.kubernetes.io/component: {{ .component }}
{{- end -}}

{{- define "streamgauge.pod" -}}
{{- with .root.Values.imagePullSecrets }}
imagePullSecrets: {{ toYaml . | nindent 2 }}
{{- end }}
terminationGracePeriodSeconds: {{ .root.Values.terminationGracePeriodSeconds }}
securityContext:
  runAsNonRoot: true
  runAsUser: 10001
  runAsGroup: 10001
  fsGroup: 10001
  seccompProfile: {type: RuntimeDefault}
containers:
  - name: streamgauge
    image: "{{ .root.Values.image.repository }}:{{ .root.Values.image.tag | default .root.Chart.AppVersion }}"
    imagePullPolicy: {{ .root.Values.image.pullPolicy }}
    args: [up, --roles, {{ .roles | quote }}, --config, /etc/streamgauge/streamgauge.toml, --listen, "0.0.0.0:8686", --data, /data]
    env:
      - {name: STREAMGAUGE_STORE__URL_FILE, value: /run/secrets/streamgauge/store_url}
      - {name: STREAMGAUGE_STATE__URL_FILE, value: /run/secrets/streamgauge/state_url}
      - {name: STREAMGAUGE_AUTH__TOKENS_FILE, value: /run/secrets/streamgauge/tokens}
      - {name: STREAMGAUGE_STORE__JOURNAL, value: {{ .root.Values.receiver.journal.budget | quote }}}
      - {name: STREAMGAUGE_LOG__FORMAT, value: json}
    ports:
      - {name: http, containerPort: 8686}
    startupProbe:
      httpGet: {path: /health, port: http}
      periodSeconds: 2
      failureThreshold: 90
    livenessProbe:
      httpGet: {path: /health, port: http}
      periodSeconds: 10
      timeoutSeconds: 5
    readinessProbe:
      httpGet: {path: {{ .ready }}, port: http}
      periodSeconds: 5
      timeoutSeconds: 5
    resources: {{ toYaml .own.resources | nindent 6 }}
    securityContext:
      allowPrivilegeEscalation: false
      readOnlyRootFilesystem: true
      capabilities: {drop: [ALL]}
    volumeMounts:
      - {name: data, mountPath: /data}
      - {name: tmp, mountPath: /tmp}
      - {name: config, mountPath: /etc/streamgauge, readOnly: true}
      - {name: secrets, mountPath: /run/secrets/streamgauge, readOnly: true}
{{- with .own.nodeSelector }}
nodeSelector: {{ toYaml . | nindent 2 }}
{{- end }}
{{- with .own.tolerations }}
tolerations: {{ toYaml . | nindent 2 }}
{{- end }}
{{- with .own.affinity }}
affinity: {{ toYaml . | nindent 2 }}
{{- end }}
volumes:
  - name: tmp
    emptyDir: {}
  - name: config
    configMap: {name: {{ include "streamgauge.name" .root }}}
  - name: secrets
    secret: {secretName: {{ .root.Values.existingSecret | quote }}}
{{- end -}}
