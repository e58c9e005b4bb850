[
  {
    "name": "app",
    "image": "${app_image}",
    "portMappings": [{"containerPort": ${app_port}}]
  },
  {"name": "logs", "image": "grafana/fluent-bit-plugin-loki:2.9.10-amd64"}
]
