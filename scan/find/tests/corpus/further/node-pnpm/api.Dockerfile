FROM node:20.11.1-alpine3.19@sha256:c0a3badbd8a0a760de903e00cedbca94588e609299820557e72cba2a53dbaa2c AS base
ENV PNPM_HOME="/pnpm"
from base as deps
workdir /app
copy pnpm-lock.yaml ./
run --mount=type=cache,id=pnpm,target=/pnpm/store pnpm fetch
FROM deps AS build
COPY --from=deps /app/node_modules ./node_modules
Copy --from=nginxinc/nginx-unprivileged:1.25 /etc/nginx /etc/nginx
FROM registry.internal.example.com:5000/platform/node-runtime:20 AS runner
COPY --from=build --chown=1000:1000 /app/dist ./dist
CMD ["node", "dist/main.js"]
