//! Which hosts are on the internet, and which are this machine, its network or nowhere.
//!
//! Image names, task definitions, headers and redirects name hosts, and their authors are not ours. A function that
//! followed each of them would send requests to its own machine, its neighbours and the metadata service on behalf of
//! whoever wrote the name.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// Where a host is, as far as its name tells.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum HostKind {
    /// This machine.
    Loopback,
    /// This machine's network (private and link-local addresses, names without a dot or of no public zone), or nowhere.
    Private,
    /// A name, or an address, of the internet.
    Public,
}

/// Zones that no public name is in (RFC 6761, 6762, 8375, 9476, and what networks use inside).
const PRIVATE_ZONES: [&str; 15] = [
    "local",
    "localdomain",
    "internal",
    "intranet",
    "private",
    "corp",
    "home",
    "lan",
    "arpa",
    "test",
    "invalid",
    "onion",
    "alt",
    "cluster",
    "svc",
];

/// Where a host is; a port, a dot at the end and the case of letters do not matter.
///
/// A name is judged by its letters alone. The address that it resolves to is judged too, by [`is_public`].
pub fn kind_of_host(authority: &str) -> HostKind {
    let host = authority.rsplit('@').next().unwrap_or_default();
    if let Some(rest) = host.strip_prefix('[') {
        let address = rest.split(']').next().unwrap_or_default().split('%').next().unwrap_or_default();
        return address.parse::<Ipv6Addr>().map_or(HostKind::Private, |address| kind_of_address(address.into()));
    }
    if host.bytes().filter(|byte| *byte == b':').count() > 1 {
        return host.parse::<Ipv6Addr>().map_or(HostKind::Private, |address| kind_of_address(address.into()));
    }
    let name = host.split(':').next().unwrap_or_default().trim_end_matches('.').to_ascii_lowercase();
    if name == "localhost" || name.ends_with(".localhost") || name == "localhost.localdomain" {
        return HostKind::Loopback;
    }
    if let Ok(address) = name.parse::<Ipv4Addr>() {
        return kind_of_address(address.into());
    }
    let last = name.rsplit('.').next().unwrap_or_default();
    // Many resolvers read `0x7f.1`, `2130706433` and `127.1` as addresses, not as names.
    let is_number = last.bytes().all(|byte| byte.is_ascii_digit()) || last.starts_with("0x");
    if !name.contains('.') || is_number || PRIVATE_ZONES.contains(&last) || !name.is_ascii() {
        return HostKind::Private;
    }
    HostKind::Public
}

/// Whether a host, with or without a port, is this machine.
pub fn is_loopback(authority: &str) -> bool {
    kind_of_host(authority) == HostKind::Loopback
}

/// Whether an address is one of the internet.
pub fn is_public(address: IpAddr) -> bool {
    kind_of_address(address) == HostKind::Public
}

/// Where an address is.
pub fn kind_of_address(address: IpAddr) -> HostKind {
    match address {
        IpAddr::V4(address) => kind_of_v4(address),
        IpAddr::V6(address) => match embedded_ipv4(address) {
            Some(address) => kind_of_v4(address),
            None if address.is_loopback() => HostKind::Loopback,
            None if is_global_v6(address) => HostKind::Public,
            None => HostKind::Private,
        },
    }
}

/// The IPv4 address that an IPv6 address stands for: mapped, compatible, translated (64:ff9b::/96), or 6to4.
fn embedded_ipv4(address: Ipv6Addr) -> Option<Ipv4Addr> {
    let [a, b, c, d, e, f, g, h] = address.segments();
    let v4 = |high: u16, low: u16| Ipv4Addr::from((u32::from(high) << 16) | u32::from(low));
    match [a, b, c, d, e, f] {
        [0, 0, 0, 0, 0, 0xffff] | [0x64, 0xff9b, 0, 0, 0, 0] | [0, 0, 0, 0, 0xffff, 0] => Some(v4(g, h)),
        [0, 0, 0, 0, 0, 0] if (g, h) != (0, 0) && (g, h) != (0, 1) => Some(v4(g, h)),
        [0x2002, high, low, ..] => Some(v4(high, low)),
        _ => None,
    }
}

/// Whether an address is in 2000::/3, but not for documentation, benchmarks, ORCHID or Teredo.
fn is_global_v6(address: Ipv6Addr) -> bool {
    let [a, b, ..] = address.segments();
    let special = matches!((a, b), (0x2001, 0..=0x01ff | 0x0db8)) || a == 0x3fff;
    a & 0xe000 == 0x2000 && !special
}

fn kind_of_v4(address: Ipv4Addr) -> HostKind {
    let [a, b, c, _] = address.octets();
    let private = match (a, b, c) {
        (127, ..) => return HostKind::Loopback,
        // "This network", private, link-local, shared by carriers, benchmarks, multicast and reserved.
        (0 | 10 | 224..=255, ..)
        | (172, 16..=31, _)
        | (192, 168, _)
        | (169, 254, _)
        | (100, 64..=127, _)
        | (198, 18 | 19, _) => true,
        // Protocol assignments, documentation, and 6to4's relays.
        (192, 0, 0 | 2) | (192, 88, 99) | (198, 51, 100) | (203, 0, 113) => true,
        _ => false,
    };
    if private { HostKind::Private } else { HostKind::Public }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_machine_its_network_and_the_internet_are_told_apart() {
        for (kind, hosts) in [
            (
                HostKind::Loopback,
                vec![
                    "localhost",
                    "LocalHost:5000",
                    "localhost.",
                    "a.localhost",
                    "127.0.0.1",
                    "127.8.9.1:80",
                    "[::1]:5000",
                    "[::ffff:127.0.0.1]",
                    "user@127.0.0.1",
                    "::1",
                    "[2002:7f00:1::]",
                ],
            ),
            (
                HostKind::Private,
                vec![
                    "169.254.169.254",
                    "169.254.170.2:80",
                    "10.0.0.1",
                    "172.31.0.1",
                    "192.168.1.1:5000",
                    "100.64.0.1",
                    "0.0.0.0",
                    "[fd00::1]",
                    "[fe80::1%25eth0]",
                    "[::]",
                    "[64:ff9b::a9fe:a9fe]",
                    "[::ffff:169.254.169.254]",
                    "[fec0::1]",
                    "registry",
                    "registry:5000",
                    "metadata.google.internal",
                    "router.local",
                    "2130706433",
                    "0x7f.1",
                    "127.1",
                    "0x7f000001",
                    "017700000001",
                    "255.255.255.255",
                    "224.0.0.1",
                    "",
                    "[nonsense]",
                    "a:b:c",
                    "reg\u{131}stry.example",
                    "x.cluster",
                ],
            ),
            (
                HostKind::Public,
                vec![
                    "docker.io",
                    "public.ecr.aws",
                    "ghcr.io:443",
                    "8.8.8.8",
                    "[2606:4700::1111]",
                    "localhost.example",
                    "127.0.0.1.example.com",
                    "172.32.0.1",
                    "registry.example.",
                ],
            ),
        ] {
            for host in hosts {
                assert_eq!(kind_of_host(host), kind, "{host}");
            }
        }
    }
}
