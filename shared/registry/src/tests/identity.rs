//! Signing in with an identity token.

use super::*;

const REGISTRY: &str = "a.azurecr.example";

/// Provides an identity token for every registry.
struct Identities(&'static str);

impl CredentialsProvider for Identities {
    fn credentials<'a>(&'a self, _registry: &'a str) -> BoxFuture<'a, Result<Option<Credentials>, CredentialsError>> {
        let identity = IdentityToken {
            username: self.0.to_owned(),
            token: Secret::new("hunter2&x=y+z"),
        };
        Box::pin(async move { Ok(Some(Credentials::Identity(identity))) })
    }
}

/// Returns what a client that never retries is told about an image of this registry, and the requests for a token.
async fn look(
    username: &'static str,
    token: impl Fn(&Request) -> Reply + Send + Sync + 'static,
) -> (Result<manifests::ResolvedTag, String>, Vec<Request>) {
    let server = Server::start(move |request, _| {
        if request.path == "/token" {
            return Some(token(request));
        }
        if request.header("authorization") == "Bearer access" {
            return None;
        }
        let challenge =
            format!(r#"Bearer realm="http://{}/token?tenant=1",service="{REGISTRY}""#, request.header("host"));
        Some(Reply::new(401, "").with("www-authenticate", challenge))
    })
    .await;
    publish(&server, REPOSITORY, "7");
    let client = Client::new(Config {
        endpoints: format!("{REGISTRY}=http://{}", server.address).parse().unwrap(),
        credentials: Arc::new(Identities(username)),
        attempts: 1,
        ..Config::new(Arc::new(|| Timestamp::from_millis(1_768_506_420_000)))
    });
    let reference: Reference = format!("{REGISTRY}/{REPOSITORY}:7").parse().unwrap();
    let found = client.resolve(&reference).await;
    let asked = server.requests().into_iter().filter(|request| request.path == "/token").collect();
    (found.map_err(|error| format!("{error} {error:?}")), asked)
}

fn access(_request: &Request) -> Reply {
    // Without `token`: OAuth2 calls it `access_token` only.
    Reply::new(
        200,
        json!({"access_token": "access", "refresh_token": "hunter3", "expires_in": 300, "scope": "x"}).to_string(),
    )
}

#[tokio::test]
async fn an_identity_token_is_posted_to_the_token_service_and_nowhere_else() {
    let (found, asked) = look("", access).await;
    assert!(found.is_ok(), "{found:?}");
    assert_eq!((asked.len(), asked[0].method.as_str(), asked[0].query.as_str()), (1, "POST", "tenant=1"));
    assert_eq!(asked[0].header("content-type"), "application/x-www-form-urlencoded");
    assert_eq!(asked[0].header("authorization"), "");
    assert_eq!(
        String::from_utf8(asked[0].body.clone()).unwrap(),
        format!(
            "grant_type=refresh_token&service={REGISTRY}&client_id=pullsafe&scope=repository:{REPOSITORY}:pull&refresh_token=hunter2%26x%3Dy%2Bz"
        )
    );
}

#[tokio::test]
async fn a_service_without_oauth_is_asked_by_get_with_the_token_as_the_password() {
    for (status, username, header) in
        [(404, "", "Basic PHRva2VuPjpodW50ZXIyJng9eSt6"), (405, "0000", "Basic MDAwMDpodW50ZXIyJng9eSt6")]
    {
        let (found, asked) = look(username, move |request| {
            if request.method == "POST" {
                Reply::new(status, "hunter2")
            } else {
                access(request)
            }
        })
        .await;
        assert!(found.is_ok(), "{found:?}");
        assert_eq!(asked.iter().map(|request| request.method.as_str()).collect::<Vec<_>>(), ["POST", "GET"]);
        assert_eq!(asked[1].query, format!("tenant=1&service={REGISTRY}&scope=repository:{REPOSITORY}:pull"));
        assert_eq!(asked[1].header("authorization"), header);
    }
}

#[tokio::test]
async fn a_refused_identity_token_is_asked_for_once_and_not_shown() {
    for status in [400, 401, 403] {
        let (found, asked) =
            look("", move |_| Reply::new(status, r#"{"error": "invalid_grant", "was": "hunter2&x=y+z"}"#)).await;
        let error = found.unwrap_err();
        assert!(error.contains("identity token is not accepted") && !error.contains("hunter"), "{error}");
        assert_eq!(asked.len(), 1, "asking again can lock the account");
    }
    let (found, _) = look("", |_| Reply::new(200, r#"{"refresh_token": "hunter3"}"#)).await;
    assert!(!found.unwrap_err().contains("hunter"));
}

#[tokio::test]
async fn a_registry_that_wants_a_password_is_not_sent_the_token() {
    let server = Server::start(|_, _| Some(Reply::new(401, "").with("www-authenticate", r#"Basic realm="x""#))).await;
    let client = Client::new(Config {
        endpoints: format!("{REGISTRY}=http://{}", server.address).parse().unwrap(),
        credentials: Arc::new(Identities("")),
        ..Config::new(Arc::new(|| Timestamp::from_millis(1_768_506_420_000)))
    });
    let error = client.resolve(&format!("{REGISTRY}/a:1").parse().unwrap()).await.unwrap_err().to_string();
    assert!(error.contains("takes a user name and a password") && !error.contains("hunter"), "{error}");
    assert!(server.requests().iter().all(|request| request.header("authorization").is_empty()));
}
