[
  {
    "name": "app",
    "image": "${app_image}",
    "cpu": ${cpu},
    "essential": true
  },
  {
    "name": "side",
    "image": "envoyproxy/envoy:v1.31-latest"
  }
]
