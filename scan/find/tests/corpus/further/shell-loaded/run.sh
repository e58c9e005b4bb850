#!/bin/sh
docker load -i app.tar
docker run --rm acme/app:ci
docker run --rm alpine:3.22 true
trivy image acme/tool:1
docker push acme/made:1
docker run --rm acme/made:1
