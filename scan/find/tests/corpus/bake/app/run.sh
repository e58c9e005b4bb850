#!/bin/sh
docker run --rm acme/app:dev
