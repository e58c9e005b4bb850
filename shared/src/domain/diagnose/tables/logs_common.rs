//! What any language's log says: addresses, ports, disks, permissions, the shell.

use super::prelude::*;

/// A row for an application that crashed.
pub(super) const fn crash(id: &'static str, signature: Signature, weight: u8, all: &'static [&'static [&'static str]]) -> Row {
    Row { id, cause: Cause::AppCrashed, signature: Some(signature), weight, all, confidence: Confidence::Medium, ..Row::EMPTY }
}

/// Whether a text names something in capitals, as environment variables are named (`DATABASE_URL`, `PORT`).
pub(super) fn names_a_variable(text: &str) -> bool {
    text.split(|character: char| !character.is_ascii_alphanumeric() && character != '_').any(|word| {
        word.len() >= 3
            && word.starts_with(|first: char| first.is_ascii_uppercase())
            && word.bytes().all(|byte| byte.is_ascii_uppercase() || byte.is_ascii_digit() || byte == b'_')
            && !matches!(
                word,
                "ERROR"
                    | "FATAL"
                    | "WARN"
                    | "WARNING"
                    | "INFO"
                    | "DEBUG"
                    | "CRITICAL"
                    | "HTTP"
                    | "HTTPS"
                    | "JSON"
                    | "URL"
                    | "GET"
                    | "POST"
                    | "PUT"
                    | "DELETE"
                    | "API"
                    | "TCP"
                    | "DNS"
                    | "SQL"
                    | "AWS"
                    | "ECS"
                    | "UTC"
                    | "PID"
                    | "EOF"
                    | "NULL"
                    | "ENOENT"
            )
    })
}

/// The characters that end a name.
pub(super) const WORD: &[char] = &[' ', '\'', '"', ',', ')', ';', '`', '\\', '}', ']', '\n'];

pub(super) const DATABASE: &str = "The application cannot reach {subject|something that it depends on}. Check that it runs, that its address in the configuration is right, and that its security group lets the task in on that port.";
const LOCALHOST: &str = "The application looks for a dependency on its own address (localhost) at the client's default port: its address was never configured. Set the variable that names it in the task definition; in a task of several containers with awsvpc, check the sidecar.";
pub(super) const ENV: &str = "Variable `{subject|that the log names}` is not set. Add it to `environment` or `secrets` of the container.";

/// See the module.
pub static ROWS: &[Row] = &[
    Row {
        id: "log-disk-full",
        cause: Cause::DiskFull,
        weight: 3,
        all: &[&[
            "no space left on device",
            "enospc",
            "disk quota exceeded",
            "not enough space on the disk",
            "could not extend file",
            "database or disk is full",
        ]],
        none: &["file watchers", "inotify"],
        advice: "The disk is full. On Fargate raise `ephemeralStorage.sizeInGiB` (21 to 200); on EC2 free or enlarge the instance's disk; or write less to the container's layer.",
        example: seen("dd: error writing '/dev/full': No space left on device", "coreutils"),
        ..Row::EMPTY
    },
    Row {
        id: "log-exec-format",
        cause: Cause::ExecFormat,
        weight: 3,
        all: &[&[
            "exec format error",
            "cannot execute binary file",
            "qemu: could not open '/lib",
            "qemu-x86_64: could not open",
            "rosetta error",
        ]],
        settled_by: Some("the platform of the image against runtimePlatform"),
        advice: "The program in the image is for another processor. Build the image for the task's architecture (`docker buildx build --platform linux/amd64` or `linux/arm64`), or set `runtimePlatform.cpuArchitecture` to the image's.",
        example: seen("exec /usr/local/bin/node: exec format error", "runc"),
        ..Row::EMPTY
    },
    Row {
        subject: Some(Subject {
            after: &["address already in use ", "bind on address (", "failed to bind to address ", "port "],
            until: &[')', ' ', ':'],
        }),
        advice: "The port is taken inside the task: another container of the task listens on it too (awsvpc shares the ports of a task), or the program was started twice.",
        example: seen("Error: listen EADDRINUSE: address already in use :::8877", "Node.js"),
        ..crash(
            "port-in-use",
            Signature::PortInUse,
            3,
            &[&[
                "address already in use",
                "eaddrinuse",
                "address in use",
                "only one usage of each socket address",
                "port is already in use",
                "was already in use",
                "port is in use",
                "bind: address already",
            ]],
        )
    },
    Row {
        subject: Some(Subject { after: &["econnrefused ", "connection to server at \"", "connecting to ", "('"], until: WORD }),
        advice: LOCALHOST,
        settled_by: Some("the variable of the task definition that names the dependency"),
        example: seen("Error: connect ECONNREFUSED 127.0.0.1:6379", "Node.js"),
        ..crash(
            "refused-on-localhost",
            Signature::DependencyLocalhostDefault,
            3,
            &[
                &[
                    "connection refused",
                    "econnrefused",
                    "connect call failed",
                    "connectionrefused",
                    "can't connect to mysql server on 'localhost'",
                    "actively refused",
                    "can't connect to local",
                ],
                &[
                    "localhost:5432",
                    "127.0.0.1:5432",
                    "::1:5432",
                    "localhost:6379",
                    "127.0.0.1:6379",
                    "::1:6379",
                    "localhost:3306",
                    "127.0.0.1:3306",
                    "::1:3306",
                    "localhost:27017",
                    "127.0.0.1:27017",
                    "::1:27017",
                    "localhost:9092",
                    "127.0.0.1:9092",
                    "localhost:5672",
                    "127.0.0.1:5672",
                    "::1:5672",
                    "localhost:9200",
                    "127.0.0.1:9200",
                    "localhost:11211",
                    "127.0.0.1:11211",
                    "localhost:1433",
                    "127.0.0.1:1433",
                    "localhost:2181",
                    "127.0.0.1:2181",
                    "localhost:4222",
                    "127.0.0.1:4222",
                    "localhost:8500",
                    "127.0.0.1:8500",
                    "'127.0.0.1', 5432",
                    "'127.0.0.1', 6379",
                    "'127.0.0.1', 3306",
                    "'localhost', 5432",
                    "\"localhost\" (127.0.0.1), port 5432",
                    "\"127.0.0.1\", port 5432",
                    "\"localhost\" (::1), port 5432",
                    "\"localhost\", port 5432",
                    "mysql server on 'localhost'",
                    "through socket",
                    "localhost/127.0.0.1:5432",
                    "localhost/127.0.0.1:6379",
                    "localhost/127.0.0.1:3306",
                ],
            ],
        )
    },
    Row {
        subject: Some(Subject {
            after: &["econnrefused ", "connection to server at \"", "connecting to ", "could not connect to ", "mysql server on '"],
            until: WORD,
        }),
        advice: DATABASE,
        example: seen("redis.exceptions.ConnectionError: Error 111 connecting to cache.internal:6999. Connection refused.", "redis-py"),
        ..crash(
            "dependency-unreachable",
            Signature::DependencyUnreachable,
            2,
            &[&[
                "connection refused",
                "econnrefused",
                "connectionrefused",
                "connect call failed",
                "etimedout",
                "sockettimeoutexception",
                "connect timed out",
                "connection attempt failed",
                "connection timed out",
                "connect timeout",
                "connection timeout",
                "can't connect to mysql",
                "could not connect to",
                "couldn't connect to",
                "unable to connect to",
                "failed to connect to",
                "serverselectiontimeout",
                "server selection timed out",
                "no reachable servers",
                "econnreset",
                "connection reset by peer",
                "communications link failure",
                "no route to host",
                "ehostunreach",
                "network is unreachable",
                "network unreachable",
                "enetunreach",
                "connection to node -1",
                "bootstrap broker",
                "i/o timeout",
                "actively refused",
                "p1001:",
                "can't reach database server",
                "mongonetworkerror",
                "max retries exceeded with url",
                "sqlstate[hy000] [2002]",
                "connectexception",
                "dial tcp",
                "nobrokersavailable",
                "no alive nodes",
                "pool timed out",
                "no connection could be made",
                "connection is not available, request timed out",
                "operation timed out",
                "connectionerror",
                "failed to establish a new connection",
            ]],
        )
    },
    Row {
        subject: Some(Subject {
            after: &[
                "enotfound ",
                "eai_again ",
                "could not translate host name \"",
                "unknown host ",
                "unknownhostexception: ",
                "getaddrinfo for ",
                "lookup ",
                "resolve host '",
                "resolve host: ",
            ],
            until: WORD,
        }),
        advice: "The name `{subject|of a dependency}` does not resolve. Check its spelling in the configuration, the service discovery namespace or Service Connect alias, and DNS support of the VPC.",
        example: seen("Error: getaddrinfo ENOTFOUND db.internal", "Node.js"),
        ..crash(
            "dependency-dns",
            Signature::DependencyDns,
            3,
            &[&[
                "getaddrinfo enotfound",
                " enotfound ",
                "'enotfound'",
                "eai_again",
                "name or service not known",
                "could not translate host name",
                "unknownhostexception",
                "no such host",
                "temporary failure in name resolution",
                "nodename nor servname",
                "unknown mysql server host",
                "gaierror",
                "getaddrinfo failed",
                "name resolution failed",
                "failed to lookup address information",
                "could not resolve host",
                "name does not resolve",
                "no address associated with hostname",
                "php_network_getaddresses",
                "unknown host",
                "host not found in upstream",
                "nxdomain",
                "name resolution failure",
                "no such host is known",
                "getaddrinfo: ",
            ]],
        )
    },
    Row {
        subject: Some(Subject { after: &["for user \"", "for user '", "user '", "role \""], until: WORD }),
        advice: "A dependency does not accept the application's credentials (user {subject|in the log}). Check the secret that carries them: its value, its version, and that the task was started after the last rotation.",
        none: &["java.nio.file"],
        example: seen("FATAL:  password authentication failed for user \"app\"", "PostgreSQL"),
        ..crash(
            "dependency-auth",
            Signature::DependencyAuth,
            3,
            &[&[
                "password authentication failed",
                "access denied for user",
                "authentication failed",
                "noauth authentication required",
                "wrongpass",
                "invalid username-password pair",
                "scram authentication failed",
                "login failed for user",
                "sasl authentication",
                "no pg_hba.conf entry",
                "auth failed",
                "er_access_denied_error",
                "bad auth",
                "invalid credentials",
                "accessdeniedexception",
                "is not authorized to perform",
                "invalid password",
                "access_refused",
                "ora-01017",
                "p1000:",
                "unauthenticated",
                "authenticationfailed",
                "expiredtoken",
                "invalidclienttokenid",
                "signaturedoesnotmatch",
                "unrecognizedclientexception",
                "401 unauthorized",
                "invalid api key",
                "incorrect api key",
            ]],
        )
    },
    Row {
        advice: "No AWS or other credentials were found. Give the task definition a task role (taskRoleArn) with the permissions that the program needs; do not put keys into the image.",
        example: seen("botocore.exceptions.NoCredentialsError: Unable to locate credentials", "boto3"),
        ..crash(
            "credentials-missing",
            Signature::CredentialsMissing,
            3,
            &[&[
                "unable to locate credentials",
                "nocredentialserror",
                "could not load credentials from any providers",
                "unable to load credentials from any",
                "unable to load aws credentials",
                "no ec2 imds role found",
                "nocredentialproviders",
                "credentialsprovidererror",
                "missing credentials in config",
                "could not load the default credentials",
                "defaultcredentialserror",
                "error retrieving credentials from the instance profile",
                "failed to refresh cached credentials",
                "no valid credential sources",
                "the security token included in the request is invalid",
                "partialcredentialserror",
                "unable to find credentials",
                "no credentials found",
                "credentials were not found",
            ]],
        )
    },
    Row {
        subject: Some(Subject { after: &["read-only file system: '", "open '"], until: WORD }),
        advice: "The program writes to a read-only file system ({subject|see the log}). Mount a volume or tmpfs there, or turn readonlyRootFilesystem off.",
        example: seen("OSError: [Errno 30] Read-only file system: '/app/cache'", "Python"),
        ..crash(
            "read-only",
            Signature::ReadOnlyFs,
            3,
            &[&["read-only file system", "erofs:", "readonlyfilesystem", "attempt to write a readonly database"]],
        )
    },
    // The shell, whose exit codes 126 and 127 say the same.
    Row {
        subject: Some(Subject { after: &["line 1: ", "line 2: ", "line 3: ", "sh: 1: ", "sh: 2: ", "sh: 3: ", "sh: 0: "], until: &[':'] }),
        advice: ENV,
        example: seen("bash: line 1: DB_HOST: unbound variable", "bash"),
        ..crash("shell-unbound", Signature::EnvMissing, 3, &[&["unbound variable", "parameter not set", "parameter null or not set"]])
    },
    Row {
        id: "shell-not-found",
        cause: Cause::CommandNotFound,
        weight: 3,
        all: &[
            &[
                ": not found$",
                "exec user process caused",
                ": command not found",
                "executable file not found",
                "env: can't execute",
                "cannot open /",
                "exec failed: no such file",
                "^exec /",
                "/usr/bin/env: ",
                "bad interpreter",
                "^/bin/sh: can't open",
                "sh: 0: can't open",
                "sh: can't open",
                "[fatal tini",
                "no such file or directory: exec",
                "not found or not executable",
                "exec: fatal: unable to exec",
            ],
            &[
                "^sh:",
                "standard_init_linux",
                "process caused",
                "^bash:",
                "^/bin/sh",
                "^/bin/bash",
                "^env:",
                "^/usr/bin/env",
                "entrypoint",
                "line ",
                "^exec ",
                "^-bash",
                "^ash:",
                "^zsh:",
                "tini",
                ".sh:",
                "s6-",
                "^/",
            ],
        ],
        none: &[
            "exec format",
            "module",
            "manifest",
            "page not found",
            "http",
            "errorexception",
            "permission denied",
            "import",
            "line 1, in",
        ],
        subject: Some(Subject { after: &["sh: 1: ", "line 1: ", "exec: ", "exec ", "env: ", "sh: "], until: &[':'] }),
        advice: "The command `{subject|of the container}` is not in the image or not on PATH. Install it, or correct `command`, `entryPoint` or the script; a `#!` line with Windows line ends or a missing interpreter says the same. If the revision before ran, roll back to it.",
        example: seen("sh: 1: gunicorn2: not found", "dash"),
        ..Row::EMPTY
    },
    Row {
        id: "shell-not-executable",
        cause: Cause::CommandNotFound,
        weight: 3,
        all: &[
            &["^sh:", "^bash:", "^/bin/sh", "^/bin/bash", "^exec ", "tini", "^exec:", "^ash:", ".sh: line", "entrypoint.sh: "],
            &["permission denied$", "permission denied", "is a directory$"],
        ],
        none: &["cannot create", "can't create", "touch", "mkdir", "traceback", "error:", "cp:", "chown", "chmod"],
        subject: Some(Subject { after: &["sh: 1: ", "line 1: ", "exec ", "sh: "], until: &[':'] }),
        advice: "`{subject|The command}` is not executable. Add `chmod +x` (or `COPY --chmod=755`) to the Dockerfile; check the user of the container. If the revision before ran, roll back to it.",
        example: seen("sh: 1: ./x.sh: Permission denied", "dash"),
        ..Row::EMPTY
    },
    Row {
        subject: Some(Subject { after: &["permission denied: '", "open '", "open ", "permission denied: "], until: WORD }),
        advice: "The system refuses access to `{subject|what the log names}`. Check owner and mode of the file, the container's user, and for ports below 1024 and system calls the container's capabilities.",
        example: seen("PermissionError: [Errno 13] Permission denied: '/etc/shadow'", "Python"),
        ..crash(
            "permission-denied",
            Signature::PermissionDenied,
            2,
            &[&[
                "permission denied",
                "eacces:",
                "'eacces'",
                "eperm:",
                "'eperm'",
                "operation not permitted",
                "accessdeniedexception: /",
                "permissionerror",
                "unauthorizedaccessexception",
            ]],
        )
    },
    Row {
        subject: Some(Subject {
            after: &[
                "environment variable ",
                "environment variable: ",
                "env var ",
                "missing env: ",
                "environment variables: ",
                "missing required environment variable ",
            ],
            until: WORD,
        }),
        advice: ENV,
        example: seen("RuntimeError: SECRET_KEY is not set", "an application's own check"),
        also: Some(names_a_variable),
        ..crash(
            "env-missing-in-words",
            Signature::EnvMissing,
            3,
            &[
                &[
                    "environment variable",
                    "env variable",
                    "env var ",
                    "env vars",
                    "_key",
                    "_url",
                    "_token",
                    "_secret",
                    "_host",
                    "_password",
                    "_uri",
                    "_dsn",
                    "_id",
                    "_user",
                    "_name",
                    "_region",
                    "_bucket",
                    "_port",
                    "_env",
                    "required variable",
                    "envvar",
                ],
                &[
                    "is not set",
                    "not set",
                    "is required",
                    "must be set",
                    "is missing",
                    "missing required",
                    "not defined",
                    "is undefined",
                    "not found",
                    "required environment",
                    "must be defined",
                    "must not be empty",
                    "is empty",
                    "unset",
                    "missing environment",
                    "missing env",
                    "is not specified",
                    "is not configured",
                    "cannot be empty",
                    "not provided",
                    "must be provided",
                    "is not present",
                ],
            ],
        )
    },
    Row {
        subject: Some(Subject {
            after: &["open config file ", "config file ", "configuration file ", "open '", "open "],
            until: &[' ', ',', '"', '\'', '\n', ':'],
        }),
        advice: "The configuration is missing or wrong ({subject|see the log}). Check that the file is in the image or mounted, its path, and its content.",
        example: seen(
            "F0822 11:35:20.125789       1 main.go:52] Failed to open config file /etc/config/app.env: no such file or directory",
            "glog",
        ),
        ..crash(
            "config-missing",
            Signature::ConfigMissing,
            2,
            &[
                &[
                    "config",
                    "configuration",
                    ".yaml",
                    ".yml",
                    ".toml",
                    ".ini",
                    ".properties",
                    ".conf",
                    "settings",
                    ".env",
                    "appsettings",
                    ".pem",
                    ".crt",
                    "credentials file",
                    "certificate",
                ],
                &[
                    "no such file or directory",
                    "enoent",
                    "not found",
                    "does not exist",
                    "could not open",
                    "failed to open",
                    "unable to load",
                    "failed to load",
                    "error parsing",
                    "failed to parse",
                    "invalid config",
                    "improperlyconfigured",
                    "cannot load",
                    "failed to read",
                    "unable to read",
                    "filenotfound",
                    "could not be found",
                    "missing",
                    "could not read",
                    "invalid configuration",
                    "error loading",
                    "could not load",
                    "unable to open",
                    "can't find",
                    "unexpected end",
                ],
            ],
        )
    },
    Row {
        subject: Some(Subject {
            after: &["can't open file '", "could not open input file: ", "unable to access jarfile ", "module '", "open '"],
            until: WORD,
        }),
        advice: "The program of the entry point, `{subject|see the log}`, is not in the image. Correct `command` or `entryPoint`, WORKDIR, or the COPY of the Dockerfile (and .dockerignore).",
        example: seen("python: can't open file '/app/manage2.py': [Errno 2] No such file or directory", "Python"),
        ..crash(
            "entrypoint-missing",
            Signature::EntrypointMissing,
            3,
            &[&[
                "can't open file",
                "could not open input file",
                "unable to access jarfile",
                "no rakefile found",
                "no such file to load -- /",
                "the command could not be loaded",
                "does not exist. aborting",
                "could not find or load main class -",
                "cannot find module '/app",
                "cannot find module '/usr/src/app",
                "the application to execute does not exist",
                "couldn't find a project to run",
            ]],
        )
    },
    Row {
        advice: "The program does not accept its arguments. Correct `command` of the container: a list, one element for each argument.",
        example: seen("usage: app [-h] [--port PORT]: error: unrecognized arguments: --prot", "argparse"),
        ..crash(
            "bad-arguments",
            Signature::BadArguments,
            2,
            &[&[
                "unrecognized arguments",
                "unrecognized option",
                "unknown option",
                "invalid option",
                "no such option",
                "unknown flag",
                "flag provided but not defined",
                "unrecognized vm option",
                "the following arguments are required",
                "unexpected argument",
                "illegal option",
                "unknown command",
                "no such command",
                "bad option",
                "missing argument",
                "unknown argument",
                "got unexpected extra argument",
                "missing option",
                "invalid value for",
                "unknown shorthand flag",
                "could not create the java virtual machine",
                "invalid maximum heap size",
                "invalid choice:",
            ]],
        )
    },
    Row {
        advice: "The program ended with an error that no other signature explains. Read the lines before it.",
        example: seen("Fatal error: boom", "an application"),
        ..crash(
            "fatal-line",
            Signature::UncaughtException,
            1,
            &[&[
                "fatal error",
                "fatal:",
                "unhandled exception",
                "uncaught exception",
                "unhandled error",
                "uncaught error",
                "\"level\":\"fatal\"",
                "\"level\":\"panic\"",
                "level=fatal",
                "level=panic",
                "fatal exception",
                "unhandledpromiserejection",
                "[fatal]",
                "[emerg]",
                "unhandledrejection",
            ]],
        )
    },
];
