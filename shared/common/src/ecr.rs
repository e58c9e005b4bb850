//! Hosts of private ECR registries.

use crate::region::Region;

/// What ECR's hosts have between the account and the region, and after the region.
const SERVICES: [&str; 4] = ["dkr.ecr.", "dkr.ecr-fips.", "dkr-ecr.", "dkr-ecr-fips."];
const SUFFIXES: [&str; 5] =
    [".amazonaws.com", ".amazonaws.com.cn", ".on.aws", ".on.amazonwebservices.com.cn", ".amazonaws.eu"];

/// The account and the region of a private ECR registry, read from its host.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct EcrHost<'a> {
    /// The twelve digits of the account, which is also ECR's `registryId`.
    pub account: &'a str,
    /// The region, such as `eu-west-1`: never anything but a region's name.
    pub region: &'a str,
}

/// Account and region of a private ECR host, in any of its forms (plain, FIPS, dual-stack, China). `None` for every
/// other host, also for one with something else in the place of the region.
pub fn ecr_host(host: &str) -> Option<EcrHost<'_>> {
    let (account, rest) = host.split_once('.')?;
    if account.len() != 12 || !account.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let rest = SERVICES.iter().find_map(|service| rest.strip_prefix(service))?;
    let region = SUFFIXES.iter().find_map(|suffix| rest.strip_suffix(suffix))?;
    Region::is_valid(region).then_some(EcrHost { account, region })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_host_of_ecr_names_an_account_and_a_region() {
        for (host, region) in [
            ("123456789012.dkr.ecr.eu-west-1.amazonaws.com", "eu-west-1"),
            ("123456789012.dkr.ecr-fips.us-gov-east-1.amazonaws.com", "us-gov-east-1"),
            ("123456789012.dkr-ecr.us-east-1.on.aws", "us-east-1"),
            ("123456789012.dkr.ecr.cn-north-1.amazonaws.com.cn", "cn-north-1"),
            ("123456789012.dkr.ecr.eusc-de-east-1.amazonaws.eu", "eusc-de-east-1"),
        ] {
            assert_eq!(ecr_host(host).map(|host| host.region), Some(region), "{host}");
        }
        for host in [
            "123456789012.dkr.ecr.attacker.example.amazonaws.com",
            "123456789012.dkr.ecr.eu-west-1.attacker.example",
            "123456789012.dkr.ecr..amazonaws.com",
            "123456789012.dkr.ecr.eu-west-1.x.amazonaws.com",
            "123456789012.dkr.ecr.eu_west_1.amazonaws.com",
            "1234567890.dkr.ecr.eu-west-1.amazonaws.com",
        ] {
            assert_eq!(ecr_host(host), None, "{host}");
        }
    }
}
