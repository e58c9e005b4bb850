//! The keys of the gate's rows.
//!
//! A waiter lies with the others of its repository, so that one query finds whom a push concerns. Within it the
//! resource comes first, so that a Delete finds what waits for its resource. The request is known by a hash that takes
//! in the address for the answer: CloudFormation has been seen to use a RequestId again.

use serde::{Deserialize, Serialize};

use super::place::RepositoryPlace;
use super::request::Requester;
use super::url::StoredResponseUrl;
use pullsafe::reference::Digest;

/// The key of one row: `pk` and `sk`.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct RowKey {
    /// Where it lies.
    pub partition: String,
    /// Which one it is there.
    pub sort: String,
}

impl RowKey {
    /// The row of a request that waits for an image at this place.
    pub fn of_wait(place: &RepositoryPlace, requester: &Requester, url: &StoredResponseUrl) -> Self {
        let request = hash(&[&requester.stack_id, &requester.logical_resource_id, &requester.request_id, url.expose()]);
        Self {
            partition: waiters(place.account.as_deref().unwrap_or_default(), &place.region, &place.repository),
            sort: format!("{}{request}", of_resource(requester)),
        }
    }

    /// The row that remembers what these properties once meant to this resource.
    pub fn of_memory(requester: &Requester, properties: &str) -> Self {
        Self {
            partition: format!("gate-memory#{}", of_resource(requester)),
            sort: hash(&[properties]),
        }
    }
}

/// What the partitions of waiters begin with.
pub const WAITERS: &str = "gate#";

/// The partition of everybody who waits for an image of one repository.
pub fn waiters(account: &str, region: &str, repository: &str) -> String {
    format!("{WAITERS}{account}/{region}/{repository}")
}

/// What the sort keys of a resource's waiters begin with.
pub fn of_resource(requester: &Requester) -> String {
    format!("{}#", hash(&[&requester.stack_id, &requester.logical_resource_id]))
}

/// Thirty-two hexadecimal digits of a hash in which no two lists of parts look alike.
fn hash(parts: &[&str]) -> String {
    let text: String = parts.iter().map(|part| format!("{}:{part}", part.len())).collect();
    let digest = Digest::of(text.as_bytes());
    digest.as_str().trim_start_matches("sha256:").chars().take(32).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_id_that_is_used_again_is_another_request() {
        let place = RepositoryPlace {
            account: Some("111122223333".to_owned()),
            region: "eu-west-1".to_owned(),
            repository: "web".to_owned(),
            registry: None,
        };
        let requester = Requester {
            stack_id: "s".to_owned(),
            request_id: "r".to_owned(),
            logical_resource_id: "Image".to_owned(),
            physical_resource_id: None,
        };
        let key = |url: &str| RowKey::of_wait(&place, &requester, &StoredResponseUrl::new(url));
        assert_eq!(key("https://a"), key("https://a"));
        assert_ne!(key("https://a").sort, key("https://b").sort);
        assert_eq!(key("https://a").partition, "gate#111122223333/eu-west-1/web");
        assert!(key("https://b").sort.starts_with(&of_resource(&requester)));
        assert!(!key("https://a").sort.contains("https"));
        assert_ne!(hash(&["ab", "c"]), hash(&["a", "bc"]));
        assert_ne!(RowKey::of_memory(&requester, "1"), RowKey::of_memory(&requester, "2"));
    }
}
