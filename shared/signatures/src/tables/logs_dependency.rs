//! What an application depends on is unreachable, has no name in DNS, or refuses its credentials.

use super::logs_common::{WORD, crash};
use super::prelude::*;

const DATABASE: &str = "The application cannot reach {subject|something that it depends on}. Look whether that runs, \
    whether its address in the configuration is right, and whether its security group lets the {task} in on that port.";
const LOCALHOST: &str = "The application looks for a dependency on its own address (localhost) at the client's \
    default port: its address was never configured. Set the variable that names it in the {definition}; if the \
    dependency is a container of the same task, look whether it runs.";

/// The ports at which clients look by default: PostgreSQL, Redis, MySQL, MongoDB, Kafka, RabbitMQ, Elasticsearch,
/// memcached, SQL Server, Oracle, ZooKeeper, NATS, Consul, Vault, Cassandra, CouchDB, InfluxDB, Neo4j, etcd,
/// ClickHouse, OpenTelemetry.
const DEFAULT_PORTS: &[&str] = &[
    "5432", "6379", "3306", "27017", "9092", "5672", "5671", "9200", "11211", "1433", "1521", "2181", "4222", "8500",
    "8200", "9042", "5984", "8086", "7687", "2379", "8123", "4317", "4318",
];

/// Words by which a client says that it looked for a socket file on its own host.
const SOCKET_FILES: &[&str] = &[
    "through socket",
    "local mysql server",
    "[2002] no such file",
    "unix domain socket",
    "server running locally",
    "on socket \"",
    ".s.pgsql.",
];

/// Whether a text names its own host and, right after it, a client's default port; or a socket file of its own host.
fn asks_itself_at_a_default_port(text: &str) -> bool {
    let lower = text.to_ascii_lowercase();
    if SOCKET_FILES.iter().chain(&["mysql server on 'localhost'"]).any(|words| lower.contains(words)) {
        return true;
    }
    ["localhost", "127.0.0.1", "::1"].iter().any(|host| {
        lower.match_indices(host).any(|(at, _)| {
            // Little may come between them: `:`, `', `, `"), port `, `/127.0.0.1:`, `/<unresolved>:`, `]:`.
            let behind = lower.get(at + host.len()..).unwrap_or_default();
            let near = behind.char_indices().nth(36).map_or(behind, |(end, _)| &behind[..end]);
            near.split(|next: char| !next.is_ascii_digit())
                .find(|digits| digits.len() >= 4)
                .is_some_and(|port| DEFAULT_PORTS.contains(&port))
        })
    })
}

/// Rows for logs about dependencies.
pub static ROWS: &[SignatureRow] = &[
    SignatureRow {
        advice: LOCALHOST,
        settled_by: Some("the variable of the task definition that names the dependency"),
        also: Some(asks_itself_at_a_default_port),
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
                    "can't reach database server",
                    "address not available",
                    "failed to connect to",
                    "unable to connect to",
                    "could not connect to",
                    "can't connect to mysql server on 'localhost'",
                    "actively refused",
                    "no such file or directory",
                    "server running locally",
                    "refused. check that the hostname and port",
                    "can't connect to local",
                ],
                &[
                    "localhost",
                    "127.0.0.1",
                    "::1",
                    "through socket",
                    "local mysql server",
                    "[2002] no such file",
                    "unix domain socket",
                    "server running locally",
                    "on socket \"",
                    ".s.pgsql.",
                ],
            ],
        )
    },
    SignatureRow {
        subject: named(
            NameShape::Host,
            &[
                "econnrefused ",
                "connection to server at \"",
                "connecting to ",
                "could not connect to ",
                "mysql server on '",
            ],
            WORD,
        ),
        advice: DATABASE,
        example: seen(
            "redis.exceptions.ConnectionError: Error 111 connecting to cache.internal:6999. Connection refused.",
            "redis-py",
        ),
        ..crash(
            "dependency-unreachable",
            Signature::DependencyUnreachable,
            2,
            &[&[
                "connection refused",
                "server closed the connection unexpectedly",
                "econnrefused",
                "connectionrefused",
                "connect call failed",
                "database system is starting up",
                "is loading the dataset in memory",
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
                "timeout connecting to",
                "timed out waiting for a node assignment",
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
                "refused. check that the hostname and port",
                "p1001:",
                "can't reach database server",
                "mongonetworkerror",
                "max retries exceeded with url",
                "sqlstate[hy000] [2002]",
                "connectexception",
                "dial tcp",
                "nobrokersavailable",
                "server not running",
                "server is not running",
                "no alive nodes",
                "pool timed out",
                "pooltimedout",
                "no connection could be made",
                "connection is not available, request timed out",
                "operation timed out",
                "connectionerror",
                "failed to establish a new connection",
                "broker transport failure",
                "connection to kafka failed",
                "unable to reach",
                "could not reach",
                "host is unreachable",
            ]],
        )
    },
    SignatureRow {
        subject: named(
            NameShape::Host,
            &[
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
            WORD,
        ),
        advice: "The name of a dependency{subject?, `$`,} does not resolve. Look at its spelling in the \
            configuration, at the service discovery namespace or Service Connect alias, and at DNS support of the VPC.",
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
                "server misbehaving",
                "nxdomain",
                "name resolution failure",
                "getaddrinfo: ",
            ]],
        )
    },
    SignatureRow {
        subject: named(NameShape::Name, &["for user \"", "for user '", "user '", "role \""], WORD),
        advice: "A dependency does not accept the application's credentials{subject? (user `$`)}. Look at the secret \
            that carries them: its value, its version, and whether the {task} was started after the last rotation.",
        none: &["java.nio.file"],
        example: seen("FATAL:  password authentication failed for user \"app\"", "PostgreSQL"),
        ..crash(
            "dependency-auth",
            Signature::DependencyAuth,
            3,
            &[&[
                "access denied for user",
                "authentication failed",
                "noauth authentication required",
                "wrongpass",
                "invalid username-password pair",
                "login failed for user",
                "sasl authentication",
                "no pg_hba.conf entry",
                "auth failed",
                "exception authenticating",
                "invalid client secret",
                "invalid_client",
                "er_access_denied_error",
                "is not allowed to connect to this",
                "er_host_not_privileged",
                "bad auth",
                "invalid credentials",
                "accessdeniedexception",
                "(accessdenied) when calling",
                "accessdenied: access denied",
                "operation: access denied",
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
    SignatureRow {
        advice: "No AWS or other credentials were found. Give the task definition a task role (taskRoleArn) with the \
            permissions that the program needs; do not put keys into the image.",
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
                "find aws credentials",
                "no aws credentials",
                "failed to resolve aws credentials",
                "unable to get iam security credentials",
                "unable to retrieve credentials",
                "failed to retrieve credentials",
                "could not find default credentials",
            ]],
        )
    },
    SignatureRow {
        subject: named(NameShape::Name, &["role \""], WORD),
        advice: "The database has no such user{subject? (`$`)}. Create it there, or correct the user in the \
            application's configuration.",
        example: seen("Caused by: role \"kemal\" does not exist (PQ::PQError)", "PostgreSQL"),
        ..crash("role-missing", Signature::DependencyAuth, 2, &[&["role \""], &["\" does not exist"]])
    },
    SignatureRow {
        advice: "The program looks for credentials of AWS in a file that the container does not have. Give the {task} \
            a task role (`taskRoleArn`) with what the program needs: the SDK finds it by itself.",
        example: seen("executable: MissingFileError \"/root/.aws/credentials\"", "amazonka"),
        ..crash(
            "credentials-file",
            Signature::CredentialsMissing,
            3,
            &[&[".aws/credentials"], &["missing", "no such file", "not found", "does not exist", "enoent"]],
        )
    },
];
