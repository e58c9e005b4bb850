//! Whom Docker Hub counts a pull for.

use std::fmt;
use std::net::{IpAddr, Ipv6Addr};

use serde::{Deserialize, Serialize};

/// Whom a pull counts for, as `docker-ratelimit-source` says it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub enum Source {
    /// An IPv4 address, mostly that of a NAT gateway; everything behind the gateway shares it.
    Address(IpAddr),
    /// An IPv6 network of 64 bits, which is a whole subnet.
    Network(Ipv6Addr),
    /// An account, wherever it pulls from.
    Account(String),
}

impl Source {
    /// Reads the value of the header; `None` if it cannot be a source.
    pub fn parse(text: &str) -> Option<Self> {
        let text = text.trim();
        let address = text.split_once('/').map_or(text, |(address, _)| address);
        match address.parse::<IpAddr>() {
            Ok(IpAddr::V6(address)) => Some(match address.to_ipv4_mapped() {
                Some(address) => Self::Address(address.into()),
                None => {
                    let [a, b, c, d, ..] = address.segments();
                    Self::Network(Ipv6Addr::new(a, b, c, d, 0, 0, 0, 0))
                }
            }),
            Ok(address) => Some(Self::Address(address)),
            Err(_) => {
                let named = |byte: u8| byte.is_ascii_alphanumeric() || b"-_".contains(&byte);
                ((1..=64).contains(&text.len()) && text.bytes().all(named)).then(|| Self::Account(text.to_owned()))
            }
        }
    }

    /// Whether pulls without credentials from the same subnets count for it.
    pub const fn is_shared(&self) -> bool {
        match self {
            Self::Address(_) | Self::Network(_) => true,
            Self::Account(_) => false,
        }
    }
}

impl From<Source> for String {
    fn from(source: Source) -> Self {
        match source {
            Source::Account(account) => account,
            Source::Address(_) | Source::Network(_) => source.to_string(),
        }
    }
}

impl TryFrom<String> for Source {
    type Error = String;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        Self::parse(&text).ok_or_else(|| "it is no address, no network and no account".to_owned())
    }
}

impl fmt::Display for Source {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Address(address) => address.fmt(formatter),
            Self::Network(network) => write!(formatter, "{network}/64"),
            Self::Account(account) => write!(formatter, "account {account}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_source_is_an_address_a_network_or_an_account() {
        for (text, shown, shared) in [
            ("203.0.113.7", "203.0.113.7", true),
            (" 203.0.113.7 ", "203.0.113.7", true),
            ("2001:db8:1:2:aaaa::1", "2001:db8:1:2::/64", true),
            ("2001:db8:1:2::/64", "2001:db8:1:2::/64", true),
            ("::ffff:203.0.113.7", "203.0.113.7", true),
            ("1f0a2f9e-5b1c-4d7e-9a55-3c8a5f0f2a11", "account 1f0a2f9e-5b1c-4d7e-9a55-3c8a5f0f2a11", false),
        ] {
            let source = Source::parse(text).unwrap();
            assert_eq!((source.to_string().as_str(), source.is_shared()), (shown, shared), "{text}");
            assert_eq!(Source::parse(shown.trim_start_matches("account ")), Some(source.clone()), "{text}");
            assert_eq!(Source::try_from(String::from(source.clone())), Ok(source), "{text}");
        }
        assert_eq!((Source::parse(""), Source::parse("a b"), Source::parse("x\ny")), (None, None, None));
        assert_eq!(Source::parse("2001:db8:1:2::1"), Source::parse("2001:db8:1:2:ffff:ffff:ffff:ffff"), "one network");
        assert_ne!(Source::parse("2001:db8:1:2::1"), Source::parse("2001:db8:1:3::1"));
    }
}
