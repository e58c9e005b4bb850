//! The addresses of AWS services that are called without an SDK crate of their own.
//!
//! The SDK's resolver gives the address of ECS, whose rules are those that AWS writes for a service without
//! peculiarities. It knows the partitions and their suffixes, FIPS and dual stack, and it refuses what is no region. In
//! that host, the service's own name replaces `ecs`; nothing else of the host is made here. The peculiarities of the
//! services that are called this way are in one table (docs/adr/0011).

use std::future::Future as _;
use std::pin::pin;
use std::task::{Context, Poll, Waker};

use aws_config::SdkConfig;
use aws_sdk_ecs::config::endpoint::{DefaultResolver, Params, ResolveEndpoint as _};

use pullsafe::reference::{InvalidRegion, Partition, Region};

/// Services whose plain endpoints in AWS GovCloud (US) are the FIPS ones, under the plain name.
const PLAIN_FIPS_IN_GOVCLOUD: [&str; 3] = ["elasticloadbalancing", "logs", "ssm"];

/// The address of a service in the region of a configuration.
pub(super) fn of(service: &str, config: &SdkConfig) -> Result<String, String> {
    let region: Region = config
        .region()
        .map(ToString::to_string)
        .unwrap_or_default()
        .parse()
        .map_err(|error: InvalidRegion| error.to_string())?;
    let params = Params::builder()
        .region(region.as_str())
        .set_use_fips(config.use_fips())
        .set_use_dual_stack(config.use_dual_stack())
        .build()
        .map_err(|error| error.to_string())?;
    let resolver = DefaultResolver::new();
    // The resolver only computes and never waits.
    let endpoint = match pin!(resolver.resolve_endpoint(&params)).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(endpoint) => endpoint.map_err(|error| error.to_string())?,
        Poll::Pending => return Err("the SDK's resolver of endpoints waits for something".to_owned()),
    };
    let rest = endpoint
        .url()
        .strip_prefix("https://ecs")
        .ok_or_else(|| format!("the SDK gives {} for ECS", endpoint.url()))?;
    let gov = region.partition() == Partition::UsGov;
    let rest = match rest.strip_prefix("-fips") {
        Some(plain) if gov && PLAIN_FIPS_IN_GOVCLOUD.contains(&service) && config.use_dual_stack() != Some(true) => {
            plain
        }
        Some(_) | None => rest,
    };
    Ok(format!("https://{service}{rest}"))
}

#[cfg(test)]
mod tests {
    use aws_config::BehaviorVersion;

    use super::*;

    fn address(service: &str, region: &'static str, fips: bool, dual: bool) -> Result<String, String> {
        let config = SdkConfig::builder()
            .behavior_version(BehaviorVersion::latest())
            .region(aws_config::Region::new(region));
        of(service, &config.use_fips(fips).use_dual_stack(dual).build())
    }

    #[test]
    fn every_partition_has_its_own_hosts() {
        for (service, region, fips, dual, expected) in [
            ("logs", "eu-west-1", false, false, "https://logs.eu-west-1.amazonaws.com"),
            ("ssm", "cn-north-1", false, false, "https://ssm.cn-north-1.amazonaws.com.cn"),
            ("secretsmanager", "us-east-1", true, false, "https://secretsmanager-fips.us-east-1.amazonaws.com"),
            ("secretsmanager", "eu-west-1", false, true, "https://secretsmanager.eu-west-1.api.aws"),
            ("logs", "us-gov-west-1", true, false, "https://logs.us-gov-west-1.amazonaws.com"),
            (
                "secretsmanager",
                "us-gov-west-1",
                true,
                false,
                "https://secretsmanager-fips.us-gov-west-1.amazonaws.com",
            ),
            ("scheduler", "eu-west-1", false, true, "https://scheduler.eu-west-1.api.aws"),
            ("scheduler", "us-gov-west-1", true, false, "https://scheduler-fips.us-gov-west-1.amazonaws.com"),
            (
                "elasticloadbalancing",
                "us-iso-east-1",
                false,
                false,
                "https://elasticloadbalancing.us-iso-east-1.c2s.ic.gov",
            ),
        ] {
            assert_eq!(address(service, region, fips, dual).as_deref(), Ok(expected), "{service} in {region}");
        }
    }

    #[test]
    fn what_is_no_region_has_no_address() {
        for region in [
            "x@attacker.example/",
            "attacker.example#",
            "",
            "a b",
            "eu-west-1.attacker.example/",
            "eu-west-1/../x",
        ] {
            assert!(address("logs", region, false, false).is_err(), "{region}");
        }
    }
}
