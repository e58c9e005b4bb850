"""The own certificate authority, and the certificate of the servers: made anew each time, for they are good for a day."""

from place import AUTHORITY, CERTIFICATE, KEY, run

CURVE = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "1"]


def make():
    folder = AUTHORITY.parent
    folder.mkdir(parents=True, exist_ok=True)
    signing, request = folder / "authority.key", folder / "server.csr"
    constraints = ["-addext", "basicConstraints=critical,CA:TRUE", "-addext", "keyUsage=critical,keyCertSign"]
    quietly("req", "-x509", *CURVE, "-subj", "/CN=peers", *constraints, "-keyout", signing, "-out", AUTHORITY)
    quietly("req", *CURVE[:-2], "-subj", "/CN=127.0.0.1", "-addext", "subjectAltName=IP:127.0.0.1", "-keyout", KEY, "-out", request)
    signed = ["-CA", AUTHORITY, "-CAkey", signing, "-CAcreateserial", "-days", "1", "-copy_extensions", "copy"]
    quietly("x509", "-req", "-in", request, *signed, "-out", CERTIFICATE)


def quietly(*words):
    run("openssl", *words, capture_output=True)
