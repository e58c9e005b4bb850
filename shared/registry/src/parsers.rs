//! The parsers of what registries send, one function each, for the fuzz targets (fuzz/).

use http::{HeaderMap, HeaderValue};

use super::address::resolve_location;
use super::limits::StatedQuota;
use super::reach::not_followed;
use super::sign_in::challenge::Challenge;
use super::tags;

/// Returns the token service that a `WWW-Authenticate` names.
pub fn realm(header: &str) -> Option<String> {
    match Challenge::parse([header])? {
        Challenge::Bearer { realm, .. } => Some(realm),
        Challenge::Basic => None,
    }
}

/// Returns the address that a `Location` leads to.
pub fn location(from: &str, location: &str) -> Option<String> {
    resolve_location(&from.parse().ok()?, location).map(|uri| uri.to_string())
}

/// Whether an address that a registry named is followed; `None` if one of the three is not an address.
pub fn is_followed(registry: &str, from: &str, next: &str) -> Option<bool> {
    Some(not_followed(&registry.parse().ok()?, &from.parse().ok()?, &next.parse().ok()?).is_none())
}

/// Returns the quota that this header states, read both as the limit and as what is left.
pub fn quota(header: &str) -> Option<StatedQuota> {
    let value = HeaderValue::from_str(header).ok()?;
    let mut headers = HeaderMap::new();
    headers.insert("ratelimit-limit", value.clone());
    headers.insert("ratelimit-remaining", value);
    StatedQuota::from_headers(&headers)
}

/// Returns the path of the next page, by the `Link` of a page with this path.
pub fn next_page(link: &str, own: &str) -> Option<String> {
    tags::next_path(link, own)
}

/// Returns how many tags a page of a list holds.
pub fn tags(page: &[u8]) -> Option<usize> {
    tags::count(page)
}
