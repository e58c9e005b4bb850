//! Addresses of pages in the AWS console, for every region of the partitions whose console's host is known.
//!
//! Names of clusters, services, log groups and streams have authors who are not ours: whatever is not a letter, a digit
//! or one of `-._~` is escaped, so that a name stays within its part of the address.

use super::arn::{Arn, ServiceId};
use super::region::Region;
use super::timestamp::Timestamp;

/// How many seconds of a log are shown before a moment, and after it.
const AROUND_SECONDS: i64 = 600;

/// A region's console.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Console {
    region: Region,
    host: &'static str,
}

impl Console {
    /// The console of an ARN's region; `None` where the partition's console is not known.
    pub fn of_arn(arn: &str) -> Option<Self> {
        let arn = Arn::parse(arn)?;
        // The isolated partitions have consoles of their own, whose addresses are not published.
        let host = match arn.partition {
            "aws" => "console.aws.amazon.com",
            "aws-cn" => "console.amazonaws.cn",
            "aws-us-gov" => "console.amazonaws-us-gov.com",
            "aws-eusc" => "console.amazonaws-eusc.eu",
            _ => return None,
        };
        Some(Self { region: arn.region.parse().ok()?, host })
    }

    /// The console of another region in the same partition; this console where no region is named.
    #[must_use]
    pub fn in_region(self, region: Option<&str>) -> Option<Self> {
        match region {
            Some(region) => {
                let region: Region = region.parse().ok()?;
                (region.partition() == self.region.partition()).then_some(Self { region, ..self })
            }
            None => Some(self),
        }
    }

    /// The page of an ECS service.
    pub fn service(&self, id: &ServiceId) -> String {
        self.ecs(&format!("clusters/{}/services/{}/health", escaped(id.cluster()), escaped(&id.name)))
    }

    /// The page of an ECS task. ECS shows a stopped one for an hour.
    pub fn task(&self, cluster: &str, id: &str) -> String {
        self.ecs(&format!("clusters/{}/tasks/{}/configuration", escaped(cluster), escaped(id)))
    }

    /// The page of a stream of CloudWatch Logs, around a moment.
    pub fn log(&self, group: &str, stream: &str, at: Timestamp) -> String {
        let Self { region, host } = self;
        let (from, to) = (at.plus_seconds(-AROUND_SECONDS).millis(), at.plus_seconds(AROUND_SECONDS).millis());
        let (group, stream) = (twice(group), twice(stream));
        format!(
            "https://{region}.{host}/cloudwatch/home?region={region}#logsV2:log-groups/log-group/{group}/log-events/{stream}$3Fstart$3D{from}$26end$3D{to}"
        )
    }

    fn ecs(&self, path: &str) -> String {
        let Self { region, host } = self;
        format!("https://{region}.{host}/ecs/v2/{path}?region={region}")
    }
}

/// A name as a part of a path.
fn escaped(name: &str) -> String {
    let mut out = String::with_capacity(name.len());
    for byte in name.bytes() {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => out.push(char::from(byte)),
            _ => out.push_str(&format!("%{byte:02X}")),
        }
    }
    out
}

/// A name as CloudWatch's console has it behind its `#`: escaped twice, with `$` for `%`.
fn twice(name: &str) -> String {
    escaped(&escaped(name)).replace('%', "$")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn arn(partition: &str, region: &str) -> String {
        format!("arn:{partition}:ecs:{region}:123456789012:cluster/prod")
    }

    #[test]
    fn every_partition_has_its_own_console_or_none() {
        for (partition, region, host) in [
            ("aws", "eu-west-1", Some("eu-west-1.console.aws.amazon.com")),
            ("aws-cn", "cn-north-1", Some("cn-north-1.console.amazonaws.cn")),
            ("aws-us-gov", "us-gov-east-1", Some("us-gov-east-1.console.amazonaws-us-gov.com")),
            ("aws-eusc", "eusc-de-east-1", Some("eusc-de-east-1.console.amazonaws-eusc.eu")),
            ("aws-iso", "us-iso-east-1", None),
            ("aws-next", "xx-north-1", None),
            ("aws", "attacker.example/", None),
            ("aws", "", None),
        ] {
            let id = ServiceId { cluster_arn: arn(partition, region), name: "web".to_owned() };
            let found = Console::of_arn(&id.cluster_arn).map(|console| console.service(&id));
            let expected =
                host.map(|host| format!("https://{host}/ecs/v2/clusters/prod/services/web/health?region={region}"));
            assert_eq!(found, expected, "{partition} {region}");
        }
        assert_eq!(Console::of_arn("prod"), None);
    }

    #[test]
    fn a_log_is_shown_around_its_moment() {
        let console = Console::of_arn(&arn("aws", "eu-west-1")).unwrap();
        let at = Timestamp::from_millis(1_768_504_620_000);
        assert_eq!(
            console.clone().in_region(Some("us-east-1")).unwrap().log("/ecs/web", "ecs/app/0f1e", at),
            "https://us-east-1.console.aws.amazon.com/cloudwatch/home?region=us-east-1#logsV2:log-groups/log-group/$252Fecs$252Fweb/log-events/ecs$252Fapp$252F0f1e$3Fstart$3D1768504020000$26end$3D1768505220000"
        );
        assert_eq!(console.clone().in_region(Some("cn-north-1")), None, "another partition's region is not this one's");
        assert_eq!(console.clone().in_region(Some("x@attacker.example/")), None);
    }

    #[test]
    fn a_name_stays_in_its_part() {
        let console = Console::of_arn(&arn("aws", "eu-west-1")).unwrap();
        let evil = "a/../b?x=1#y&z $%\n\u{202e}é";
        let task = console.task(evil, evil);
        let path = task
            .split_once("/clusters/")
            .and_then(|(_, rest)| rest.strip_suffix("/configuration?region=eu-west-1"))
            .unwrap();
        assert_eq!(path.split('/').collect::<Vec<_>>().len(), 3, "{path}");
        assert!(path.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"%/-._~".contains(&byte)), "{path}");
        let log = console.log(evil, evil, Timestamp::from_millis(0));
        let hash = log.split_once('#').map(|(_, hash)| hash).unwrap();
        assert!(!hash.contains(['#', '?', '&', ' ', '%', '\n']) && hash.is_ascii(), "{hash}");
    }
}
