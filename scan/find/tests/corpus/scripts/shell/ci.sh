#!/usr/bin/env bash
set -euo pipefail
IMAGE="${IMAGE:-python:3.12}"
ENGINE=${ENGINE:-docker}
OPTS="--rm -it"
usage() { echo "docker run nope:1"; }
docker run $OPTS "$IMAGE" python -V
"$ENGINE" run --rm alpine:3.20 true
sudo -E docker pull ubuntu:24.04
docker run "${ARGS[@]}" mysql:8 mysqld
docker build -t local/thing . && docker run local/thing
for tag in 3.19 3.18; do docker pull "alpine:$tag"; done
skopeo copy docker://busybox:1.36 "docker://$REGISTRY/busybox:1.36"
crane digest node:20
kubectl run tmp --rm -i --image=curlimages/curl:8.10.1 -- curl x
ctr -n k8s.io images pull docker.io/library/redis:7
kind create cluster --image kindest/node:v1.31.0
ssh host "docker pull haproxy:3.0"
docker run --rm "$1" sh
docker run -v "$PWD":/w -w /w "$REGISTRY/app:1" make
cat <<YAML | kubectl apply -f -
apiVersion: v1
kind: Pod
metadata: {name: x}
spec: {containers: [{name: x, image: "memcached:1.6"}]}
YAML
cat <<USAGE
docker run nope:2
image: nope:3
USAGE
docker build -t fromstdin - <<DF
FROM debian:12-slim
DF
