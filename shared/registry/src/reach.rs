//! Whom a client speaks to: which registries, and where their answers may send it.
//!
//! Registries name further hosts: token services, redirects, places for uploads. None of these may lead from the
//! internet into this machine's network, or from https to anything else, or send a credential to a host that it is not
//! for.

use std::future::Future;
use std::io;
use std::net::{IpAddr, Ipv6Addr, SocketAddr};
use std::pin::Pin;
use std::task::{Context, Poll};

use http::Uri;
use hyper_util::client::legacy::connect::dns::{GaiResolver, Name};
use tower_service::Service;

use pullsafe::reference::{HostKind, Region, ecr_host, is_public, kind_of_address, kind_of_host};

/// Which hosts a client asks, besides those that its own settings map to an address.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AllowedHosts {
    /// Only hosts on the internet, judged by their name and by the address that it resolves to. For functions, which
    /// meet names that strangers wrote.
    Internet,
    /// Any host that the caller names; this machine by plain http. For a person at a terminal.
    Anywhere,
}

/// Returns why an address that a registry named is not followed; `None` if it may be.
///
/// `registry` is the registry's own address, by its settings or its name; `from` is the address that named `next`.
pub(crate) fn not_followed(registry: &Uri, from: &Uri, next: &Uri) -> Option<&'static str> {
    match (from.scheme_str(), next.scheme_str()) {
        (_, Some("https")) | (Some("http"), Some("http")) => {}
        _ => return Some("leads away from https"),
    }
    if next.authority().is_none_or(|authority| authority.as_str().contains('@')) {
        return Some("holds a user name");
    }
    if next.host() == registry.host() {
        return None;
    }
    let (own, other) = (kind_of_host(&host_of(registry)), kind_of_host(&host_of(next)));
    match (own, other) {
        (_, HostKind::Public) => None,
        // A registry in a private network may keep its blobs beside itself. The metadata service is never allowed.
        (HostKind::Private, HostKind::Private) if !is_link_local(next) => None,
        (HostKind::Loopback, HostKind::Loopback) => None,
        (HostKind::Loopback | HostKind::Private | HostKind::Public, HostKind::Loopback | HostKind::Private) => {
            Some("leads to a host that is not on the internet")
        }
    }
}

fn is_link_local(uri: &Uri) -> bool {
    let host = uri.host().unwrap_or_default();
    host.starts_with("169.254.")
        || host.to_ascii_lowercase().contains("fe80:")
        || host.to_ascii_lowercase().contains("a9fe")
}

/// Resolves names. A name of the internet that resolves to an address of this machine or its network is refused, except
/// AWS's own: VPC endpoints of ECR, and of the storage behind it, have private addresses.
#[derive(Debug, Clone)]
pub(crate) struct Resolver {
    system: GaiResolver,
    reach: AllowedHosts,
}

impl Resolver {
    pub(crate) fn new(reach: AllowedHosts) -> Self {
        Self { system: GaiResolver::new(), reach }
    }
}

impl Service<Name> for Resolver {
    type Response = std::vec::IntoIter<SocketAddr>;
    type Error = io::Error;
    type Future = Pin<Box<dyn Future<Output = io::Result<Self::Response>> + Send>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.system.poll_ready(context)
    }

    fn call(&mut self, name: Name) -> Self::Future {
        let (host, reach) = (name.as_str().to_owned(), self.reach);
        let found = self.system.call(name);
        Box::pin(async move {
            let found: Vec<SocketAddr> = found.await?.collect();
            let followed: Vec<SocketAddr> =
                found.iter().copied().filter(|address| follows(reach, &host, *address)).collect();
            if followed.is_empty() && !found.is_empty() {
                return Err(io::Error::other(
                    "its name leads to an address that is not on the internet, which is not asked",
                ));
            }
            Ok(followed.into_iter())
        })
    }
}

fn follows(reach: AllowedHosts, host: &str, address: SocketAddr) -> bool {
    if reach == AllowedHosts::Anywhere {
        return true;
    }
    // Refused under any name and any setting: a function's own credentials are there.
    if is_of_metadata(address.ip()) {
        return false;
    }
    // A host whose name is not of the internet has been allowed by the settings.
    kind_of_host(host) != HostKind::Public
        || is_public(address.ip())
        || kind_of_address(address.ip()) == HostKind::Private && is_of_ecr(host)
}

/// Whether the address is an instance's metadata service, or another that answers on the link only.
fn is_of_metadata(address: IpAddr) -> bool {
    match address.to_canonical() {
        IpAddr::V4(address) => address.is_link_local(),
        IpAddr::V6(address) => {
            address.is_unicast_link_local() || address == Ipv6Addr::new(0xfd00, 0xec2, 0, 0, 0, 0, 0, 0x254)
        }
    }
}

/// Whether the host is a registry of ECR, or a bucket in which ECR keeps layers.
fn is_of_ecr(host: &str) -> bool {
    let bucket = |rest: &str| {
        rest.strip_suffix(".amazonaws.com")
            .or_else(|| rest.strip_suffix(".amazonaws.com.cn"))
            .is_some_and(Region::is_valid)
    };
    ecr_host(host).is_some()
        || host
            .split_once(".s3.")
            .is_some_and(|(name, rest)| name.contains("-starport-layer-bucket") && bucket(rest))
}

/// Returns host and port of an address; nothing else of it may be shown.
pub fn host_of(uri: &Uri) -> String {
    uri.host().map_or_else(
        || "an address without a host".to_owned(),
        |host| match uri.port_u16() {
            Some(port) => format!("{host}:{port}"),
            None => host.to_owned(),
        },
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn uri(text: &str) -> Uri {
        text.parse().unwrap()
    }

    #[test]
    fn nothing_leads_from_the_internet_into_the_network_or_away_from_https() {
        let hub = "https://registry-1.docker.io/v2/";
        for (registry, from, next, followed) in [
            (hub, hub, "https://production.cloudflare.docker.com/x", true),
            (hub, hub, "http://production.cloudflare.docker.com/x", false),
            (hub, hub, "http://127.0.0.1:9000/x", false),
            (hub, hub, "https://127.0.0.1/x", false),
            (hub, hub, "https://169.254.169.254/latest/meta-data", false),
            (hub, hub, "https://[::ffff:10.0.0.1]/x", false),
            (hub, hub, "https://metadata.google.internal/x", false),
            (hub, hub, "https://u:p@cdn.example/x", false),
            (hub, hub, "ftp://cdn.example/x", false),
            ("http://127.0.0.1:5000", "http://127.0.0.1:5000", "http://127.0.0.1:9000/x", true),
            ("http://127.0.0.1:5000", "https://cdn.example/x", "http://127.0.0.1:9000/x", false),
            ("http://127.0.0.1:5000", "http://127.0.0.1:5000", "http://169.254.169.254/x", false),
            ("http://127.0.0.1:5000", "http://127.0.0.1:5000", "http://10.0.0.1/x", false),
            ("https://10.0.0.1", "https://10.0.0.1", "https://10.0.0.2:9000/x", true),
            ("https://10.0.0.1", "https://10.0.0.1", "https://169.254.169.254/x", false),
            ("https://10.0.0.1", "https://10.0.0.1", "https://localhost/x", false),
        ] {
            assert_eq!(
                not_followed(&uri(registry), &uri(from), &uri(next)).is_none(),
                followed,
                "{registry}: {from} -> {next}"
            );
        }
    }

    #[test]
    fn a_name_of_the_internet_leads_to_the_internet() {
        let ecr = "123456789012.dkr.ecr.eu-west-1.amazonaws.com";
        let bucket = "prod-eu-west-1-starport-layer-bucket.s3.eu-west-1.amazonaws.com";
        for (host, address, followed) in [
            ("ghcr.io", "140.82.121.33:443", true),
            ("ghcr.io", "127.0.0.1:443", false),
            ("ghcr.io", "10.0.0.1:443", false),
            ("ghcr.io", "169.254.169.254:443", false),
            ("ghcr.io", "[fd00:ec2::254]:443", false),
            (ecr, "10.0.0.1:443", true),
            (bucket, "10.0.0.1:443", true),
            (ecr, "169.254.169.254:443", false),
            (ecr, "127.0.0.1:443", false),
            ("ec2-1-2-3-4.eu-west-1.compute.amazonaws.com", "10.0.0.1:443", false),
            ("localhost", "127.0.0.1:5000", true),
        ] {
            assert_eq!(follows(AllowedHosts::Internet, host, address.parse().unwrap()), followed, "{host}: {address}");
            assert!(follows(AllowedHosts::Anywhere, host, address.parse().unwrap()));
        }
    }
}
