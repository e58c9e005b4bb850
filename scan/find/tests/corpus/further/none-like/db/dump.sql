SELECT image FROM alpine;
FROM scratch;
