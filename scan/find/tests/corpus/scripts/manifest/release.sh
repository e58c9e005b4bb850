#!/bin/sh
refs="example/app:1-amd64 example/app:1-arm64"
docker manifest create --amend example/app:1 $refs
docker manifest push example/app:1
docker run --rm -v "$PWD:/data" koalaman/shellcheck:v0.10.0 /data/release.sh
