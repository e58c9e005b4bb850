#!/bin/bash
fetch() {
  local image=$1
  docker pull "$image"
}
serve() { docker run -d --name "$2" "$1"; }
fetch postgres:17
serve redis:8 cache
fetch "$OTHER"
cat << EOF > kind.yaml
kind: Cluster
apiVersion: kind.x-k8s.io/v1alpha4
nodes:
- role: control-plane
  image: kindest/node:v1.34.0
EOF
NODE=kindest/node:v1.33.0
cat > second.yaml <<EOF
kind: Cluster
apiVersion: kind.x-k8s.io/v1alpha4
nodes:
- role: control-plane
  image: "${NODE}"
EOF
