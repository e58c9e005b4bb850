//! Parses what a registry's 401 asks for (RFC 9110 section 11.6.1, and the token authentication of the registry
//! specification).

/// How a registry wants its callers to sign in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Challenge {
    /// User name and password with every request.
    Basic,
    /// A token of this service.
    Bearer {
        /// The address of the token service.
        realm: String,
        /// The registry's name at that service.
        service: Option<String>,
        /// The scope that this request needs, in the registry's own words.
        scope: Option<String>,
    },
}

/// The longest value that is taken: longer than any address, name or scope that a registry names.
const LONGEST_VALUE: usize = 2048;

impl Challenge {
    /// Reads the values of all `WWW-Authenticate` headers; a bearer challenge is preferred.
    pub(crate) fn parse<'a>(headers: impl IntoIterator<Item = &'a str>) -> Option<Self> {
        let mut basic = None;
        for header in headers {
            let (scheme, parameters) = header.trim().split_once(' ').unwrap_or((header.trim(), ""));
            if scheme.eq_ignore_ascii_case("bearer") {
                let parameters = parse_parameters(parameters);
                let get = |name: &str| {
                    parameters
                        .iter()
                        .find(|(key, _)| key.eq_ignore_ascii_case(name))
                        .map(|(_, value)| value.clone())
                        .filter(|value| !value.is_empty() && value.len() <= LONGEST_VALUE)
                };
                if let Some(realm) = get("realm") {
                    return Some(Self::Bearer { realm, service: get("service"), scope: get("scope") });
                }
            } else if scheme.eq_ignore_ascii_case("basic") {
                basic = Some(Self::Basic);
            }
        }
        basic
    }
}

/// Splits `key="value, with commas",key=token`; a backslash in a quoted value quotes the next character.
fn parse_parameters(text: &str) -> Vec<(String, String)> {
    let mut parameters = Vec::new();
    let mut rest = text.trim_start_matches([' ', ',', '\t']);
    while let Some((key, after)) = rest.split_once('=') {
        let mut value = String::new();
        let mut characters = after.trim_start().char_indices().peekable();
        let body = after.trim_start();
        let mut end = body.len();
        if body.starts_with('"') {
            characters.next();
            while let Some((index, character)) = characters.next() {
                match character {
                    '\\' => value.extend(characters.next().map(|(_, quoted)| quoted)),
                    '"' => {
                        end = index + 1;
                        break;
                    }
                    character => value.push(character),
                }
            }
        } else {
            end = body.find(',').unwrap_or(body.len());
            value.push_str(body[..end].trim_end());
        }
        parameters.push((key.trim().to_owned(), value));
        rest = body[end..].trim_start_matches([' ', ',', '\t']);
    }
    parameters
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bearer(realm: &str, service: Option<&str>, scope: Option<&str>) -> Challenge {
        Challenge::Bearer {
            realm: realm.to_owned(),
            service: service.map(str::to_owned),
            scope: scope.map(str::to_owned),
        }
    }

    #[test]
    fn reads_the_challenges_that_registries_send() {
        for (headers, expected) in [
            (
                vec![
                    r#"Bearer realm="https://auth.docker.io/token",service="registry.docker.io",scope="repository:library/redis:pull,push""#,
                ],
                Some(bearer(
                    "https://auth.docker.io/token",
                    Some("registry.docker.io"),
                    Some("repository:library/redis:pull,push"),
                )),
            ),
            (
                vec![r#"Bearer realm="https://public.ecr.aws/token/",service="public.ecr.aws",scope="aws""#],
                Some(bearer("https://public.ecr.aws/token/", Some("public.ecr.aws"), Some("aws"))),
            ),
            (
                vec![r#"bearer service=a, realm="b\"c" , error="insufficient_scope""#],
                Some(bearer("b\"c", Some("a"), None)),
            ),
            (
                vec![
                    r#"Basic realm="https://123456789012.dkr.ecr.eu-west-1.amazonaws.com/",service="ecr.amazonaws.com""#,
                ],
                Some(Challenge::Basic),
            ),
            (vec!["Basic realm=x", r#"Bearer realm="y""#], Some(bearer("y", None, None))),
            (vec!["Negotiate", "Bearer nonsense"], None),
            (vec!["Bearer realm=\"never closed"], Some(bearer("never closed", None, None))),
            (vec![], None),
        ] {
            assert_eq!(Challenge::parse(headers.iter().copied()), expected, "{headers:?}");
        }
    }
}
