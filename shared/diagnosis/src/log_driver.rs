//! The log drivers: which words identify each one, and what to do about each way in which it fails.
//!
//! There is one row for each driver. A driver that no text names is not guessed: the advice then says what holds for
//! all of them.

use crate::cause::Why;

/// A log driver of ECS.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Driver {
    /// CloudWatch Logs.
    Awslogs,
    /// FireLens: a log router in the task.
    Firelens,
    /// A syslog server.
    Syslog,
    /// A server that speaks GELF, such as Graylog.
    Gelf,
    /// A Fluentd or Fluent Bit forwarder.
    Fluentd,
    /// Splunk's HTTP event collector.
    Splunk,
    /// Files of the host.
    JsonFile,
}

/// What is known of one driver.
struct DriverRow {
    driver: Driver,
    /// Its names in `logDriver`.
    names: &'static [&'static str],
    /// Words that only this driver's texts have.
    words: &'static [&'static str],
    /// What to do if the driver does not reach its destination.
    network: &'static str,
    /// What to do if the destination refuses the driver.
    permission: &'static str,
    /// What to do if the destination does not exist.
    missing: &'static str,
    /// What to do about the driver's options, and what to do if the text gives no reason.
    options: &'static str,
}

/// Shared by Docker's drivers that send to a server.
const NOT_OF_AWS: &str = "This driver needs no permission of AWS: what it sends to refuses it.";

static ROWS: &[DriverRow] = &[
    // First, because `unknown log opt 'splunk-token' for json-file log driver` is about json-file and not Splunk.
    DriverRow {
        driver: Driver::JsonFile,
        names: &["json-file", "local", "journald"],
        words: &["json-file", "journald"],
        network: "It writes to files of the host and needs no network: look at the host.",
        permission: "It writes to files of the host: look at the free space and the rights of Docker's directory \
            there.",
        missing: "It writes to files of the host: look at the free space and the rights of Docker's directory there.",
        options: "It knows `max-size`, `max-file`, `labels` and `env`, and no option of another driver: set \
            `logDriver` to the driver whose options these are, or take the options out.",
    },
    DriverRow {
        driver: Driver::Firelens,
        names: &["awsfirelens"],
        words: &["firelens", "log router", "s3 config file"],
        network: "The router reads its configuration from S3 and sends by the task's network: the route to S3, and to \
            what its output names, must be open.",
        permission: "The execution role reads the router's configuration (`s3:GetObject`, `s3:GetBucketLocation`); \
            what the router sends to is a permission of the task role.",
        missing: "Look at the bucket and key of `config-file-value`, and whether the task has exactly one container \
            with `firelensConfiguration`.",
        options: "The task needs one container with `firelensConfiguration` (the router), whose output the options of \
            `awsfirelens` name; read the router's own log.",
    },
    DriverRow {
        driver: Driver::Splunk,
        names: &["splunk"],
        words: &["splunk", "services/collector"],
        network: "Look at `splunk-url` (scheme, host, port 8088), whether the collector is up and its load balancer \
            lets the host in; `splunk-verify-connection` false lets the container start without it.",
        permission: "Splunk refuses the token: renew `splunk-token` (a secret in `secretOptions`), and look whether \
            the collector accepts its index.",
        missing: "Look at `splunk-url` and `splunk-index`.",
        options: "`splunk-url` and `splunk-token` are required (the token as `secretOptions`).",
    },
    DriverRow {
        driver: Driver::Gelf,
        names: &["gelf"],
        words: &["gelf"],
        network: "Look at `gelf-address` (`udp://` or `tcp://` host:port) from the host: its name must resolve there. \
            By tcp the container waits for the server, by udp it starts without it.",
        permission: NOT_OF_AWS,
        missing: "Look at `gelf-address`.",
        options: "`gelf-address` is required, as `udp://` or `tcp://` host:port.",
    },
    DriverRow {
        driver: Driver::Fluentd,
        names: &["fluentd"],
        words: &["fluentd", "fluent.sock"],
        network: "Look whether the forwarder of `fluentd-address` runs on this host before the task does (a daemon \
            service, `dependsOn`), or set `fluentd-async` to true: the container then starts without it.",
        permission: "The host's user may not open the socket of `fluentd-address`: look at its mode.",
        missing: "Look at the host and port, or the socket's path, in `fluentd-address`.",
        options: "`fluentd-address` (host:port, or `unix://` and a path) names the forwarder.",
    },
    DriverRow {
        driver: Driver::Syslog,
        names: &["syslog"],
        words: &["syslog"],
        network: "Look at `syslog-address` from the host: is the server up, does its firewall let the host in? By \
            `tcp://` the container does not start without it, by `udp://` it does.",
        permission: NOT_OF_AWS,
        missing: "Look at `syslog-address`.",
        options: "Look at `syslog-address` (`tcp://`, `udp://`, `tcp+tls://` or `unix://`), `syslog-facility` and the \
            paths of its certificates.",
    },
    DriverRow {
        driver: Driver::Awslogs,
        names: &["awslogs"],
        words: &[
            "awslogs",
            "cloudwatch",
            "log group",
            "log-group",
            "log stream",
            "log-stream",
            "logs:create",
            "logs:put",
            "https://logs.",
        ],
        network: "CloudWatch Logs must be reached: a NAT gateway, or the interface endpoint `logs`, whose security \
            group lets 443 in.",
        permission: "CloudWatch Logs wants `logs:CreateLogStream` and `logs:PutLogEvents` on the group (and \
            `logs:CreateLogGroup` with `awslogs-create-group`).",
        missing: "Create the group that `awslogs-group` names, in the region of `awslogs-region`; or set \
            `awslogs-create-group` to true and allow `logs:CreateLogGroup`.",
        options: "`awslogs-group` and `awslogs-region` are required, on Fargate `awslogs-stream-prefix` too; the \
            group must exist.",
    },
];

impl Driver {
    /// Returns the driver of this name in `logDriver`.
    pub fn of_name(name: &str) -> Option<Self> {
        ROWS.iter()
            .find(|row| row.names.iter().any(|own| own.eq_ignore_ascii_case(name)))
            .map(|row| row.driver)
    }

    /// Returns the driver that a text identifies by its own words.
    pub fn in_text(text: &str) -> Option<Self> {
        let lower = text.to_ascii_lowercase();
        let named = |row: &&DriverRow| row.names.iter().any(|name| lower.contains(&format!("for {name} log driver")));
        let has = |row: &&DriverRow| row.words.iter().any(|word| lower.contains(word));
        ROWS.iter().find(named).or_else(|| ROWS.iter().find(has)).map(|row| row.driver)
    }
}

/// Returns what to do if a driver fails for this reason.
pub(super) fn advice(driver: Option<Driver>, why: Option<Why>) -> &'static str {
    let row = driver.and_then(|driver| ROWS.iter().find(|row| row.driver == driver));
    match (row, why) {
        (Some(row), Some(Why::Network)) => row.network,
        (Some(row), Some(Why::Permission)) => row.permission,
        (Some(row), Some(Why::Missing)) => row.missing,
        (Some(row), _) => row.options,
        (None, Some(Why::Network)) => {
            "Look in `logConfiguration` which driver it is and which address its options name: that address must be \
             reached from where the container runs."
        }
        (None, Some(Why::Permission)) => {
            "Look in `logConfiguration` which driver it is and what it writes to: that refuses it."
        }
        (None, _) => {
            "Look in `logConfiguration` which driver it is, whether its required options are set, and whether what \
             they name exists."
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_driver_is_read_from_its_own_words_and_never_guessed() {
        for (text, driver) in [
            (
                "failed to initialize logging driver: failed to create Cloudwatch log stream: AccessDenied",
                Some(Driver::Awslogs),
            ),
            ("unknown log opt 'splunk-token' for json-file log driver", Some(Driver::JsonFile)),
            ("unknown log opt 'awslogs-group' for syslog log driver", Some(Driver::Syslog)),
            (
                "failed to initialize logging driver: splunk: failed to verify connection - 504",
                Some(Driver::Splunk),
            ),
            (
                "failed to initialize logging driver: dial unix /var/run/fluent.sock: connect: no such file",
                Some(Driver::Fluentd),
            ),
            ("gelf: cannot connect to GELF endpoint: graylog:12201", Some(Driver::Gelf)),
            ("unable to generate firelens config file", Some(Driver::Firelens)),
            ("failed to initialize logging driver: dial tcp 127.0.0.1:514: connect: connection refused", None),
        ] {
            assert_eq!(Driver::in_text(text), driver, "{text}");
        }
        assert_eq!((Driver::of_name("awsfirelens"), Driver::of_name("logentries")), (Some(Driver::Firelens), None));
    }
}
