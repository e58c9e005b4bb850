FROM acme/app:dev
RUN true
