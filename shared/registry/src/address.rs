//! Checks addresses that a registry names: where a `Location` leads, and whether a credential may go there.

use http::header::LOCATION;
use http::{HeaderMap, Uri};

use super::error::RegistryError;
use super::reach::not_followed;
use super::request::RegistryRequest;

/// Resolves a `Location` against the address that gave it.
pub(crate) fn resolve_location(from: &Uri, location: &str) -> Option<Uri> {
    if location.contains("://") {
        return location.parse().ok();
    }
    let (scheme, authority) = (from.scheme_str()?, from.authority()?);
    if location.starts_with("//") {
        return format!("{scheme}:{location}").parse().ok();
    }
    let directory = if location.starts_with('/') {
        ""
    } else {
        &from.path()[..=from.path().rfind('/')?]
    };
    format!("{scheme}://{authority}{directory}{location}").parse().ok()
}

/// Whether a credential for one address may go to the other.
pub(crate) fn same_origin(one: &Uri, other: &Uri) -> bool {
    one.scheme() == other.scheme() && one.host() == other.host() && one.port_u16() == other.port_u16()
}

/// The address that a redirect leads to.
pub(crate) fn redirect_target(
    call: &RegistryRequest<'_>,
    registry: &Uri,
    from: &Uri,
    headers: &HeaderMap,
) -> Result<Uri, RegistryError> {
    let unusable = |why: &str| RegistryError::Answer {
        registry: call.registry.to_owned(),
        what: call.what.clone(),
        why: format!("a redirect {why}"),
    };
    let location = headers.get(LOCATION).and_then(|location| location.to_str().ok());
    let next = location
        .and_then(|location| resolve_location(from, location))
        .ok_or_else(|| unusable("leads nowhere"))?;
    not_followed(registry, from, &next).map_or(Ok(next), |why| Err(unusable(why)))
}

/// Parses the address of a call.
pub(crate) fn parse_address(call: &RegistryRequest<'_>, address: &str) -> Result<Uri, RegistryError> {
    address
        .parse()
        .map_err(|error| RegistryError::Invalid(format!("{} of {} has no address: {error}", call.what, call.registry)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_location_is_resolved_against_its_origin() {
        let from: Uri = "https://registry.example:8443/v2/a/blobs/uploads/".parse().unwrap();
        for (location, expected) in [
            (
                "/v2/a/blobs/uploads/1?_state=x%3D",
                "https://registry.example:8443/v2/a/blobs/uploads/1?_state=x%3D",
            ),
            ("https://cdn.example/x?sig=%2F", "https://cdn.example/x?sig=%2F"),
            ("//cdn.example/x", "https://cdn.example/x"),
            ("1?_state=y", "https://registry.example:8443/v2/a/blobs/uploads/1?_state=y"),
        ] {
            assert_eq!(resolve_location(&from, location).unwrap().to_string(), expected);
        }
    }

    #[test]
    fn a_credential_stays_with_its_origin() {
        let uri = |text: &str| text.parse::<Uri>().unwrap();
        assert!(same_origin(&uri("https://a.example/x"), &uri("https://a.example/y")));
        assert!(!same_origin(&uri("https://a.example/x"), &uri("http://a.example/x")));
        assert!(!same_origin(&uri("https://a.example/x"), &uri("https://a.example:8443/x")));
        assert!(!same_origin(&uri("https://a.example/x"), &uri("https://b.example/x")));
    }
}
