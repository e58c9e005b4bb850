//! What a registry tries: to get credentials that are not meant for it, or to have them sent elsewhere.

use std::sync::Arc;

use futures_util::future::BoxFuture;
use pullsafe::reference::Reference;
use pullsafe::timestamp::Timestamp;
use pullsafe_registry::sign_in::credentials::CredentialsError;
use pullsafe_registry::{Basic, Client, Config, Credentials, CredentialsProvider, Secret};

use super::evil::{Evil, EvilReply};

/// A provider that gives every registry the same credentials.
struct Everywhere;

impl CredentialsProvider for Everywhere {
    fn credentials<'a>(&'a self, _registry: &'a str) -> BoxFuture<'a, Result<Option<Credentials>, CredentialsError>> {
        Box::pin(async {
            Ok(Some(
                Basic {
                    username: "user".to_owned(),
                    password: Secret::new("hunter2"),
                }
                .into(),
            ))
        })
    }
}

pub(super) fn client(endpoints: &str) -> Client {
    let config = Config::new(Arc::new(|| Timestamp::from_millis(1_768_506_420_000)));
    Client::new(Config {
        endpoints: endpoints.parse().unwrap(),
        credentials: Arc::new(Everywhere),
        attempts: 1,
        ..config
    })
}

fn image() -> Reference {
    "registry.example/team/app:1".parse().unwrap()
}

/// A registry that asks for a password and then redirects the caller to `then`.
fn registry(then: String) -> Evil {
    Evil::start(move |asked, _| {
        if asked.headers.contains_key("authorization") {
            EvilReply::new(307, "").with("location", then.clone())
        } else {
            EvilReply::new(401, "").with("www-authenticate", "Basic realm=\"x\"")
        }
    })
}

pub(crate) async fn credentials_stay() -> String {
    let last = Evil::start(|_, _| EvilReply::new(200, "{}"));
    let to = format!("{}/two", last.url());
    // The second redirect stays at the middle server's own origin. The third leads back to the registry.
    let middle = Evil::start(move |asked, own| match asked.line.as_str() {
        "GET /one" | "HEAD /one" => EvilReply::new(307, "").with("location", format!("http://{own}/again")),
        _ => EvilReply::new(302, "").with("location", to.clone()),
    });
    let first = registry(format!("{}/one", middle.url()));
    let client = client(&format!("registry.example={}", first.url()));
    drop(client.resolve(&image()).await);
    assert!(!first.credentials().is_empty(), "the registry itself gets them");
    assert!(middle.asked().len() >= 2 && !last.asked().is_empty(), "every hop was made");
    assert!(middle.credentials().is_empty(), "{:?}", middle.credentials());
    assert!(last.credentials().is_empty(), "{:?}", last.credentials());
    // Away and back: when another host redirects back to the registry, that request carries no credentials.
    let hops = Arc::new(std::sync::Mutex::new(String::new()));
    let back = Arc::clone(&hops);
    let away = Evil::start(move |_, _| EvilReply::new(307, "").with("location", back.lock().unwrap().clone()));
    let home = registry(format!("{}/x", away.url()));
    *hops.lock().unwrap() = format!("{}/v2/other/secret/manifests/1", home.url());
    let client = self::client(&format!("registry.example={}", home.url()));
    drop(client.resolve(&image()).await);
    let asked = home.asked();
    let returned: Vec<_> = asked.iter().filter(|asked| asked.line.contains("other/secret")).collect();
    assert!(
        !returned.is_empty() && returned.iter().all(|asked| !asked.headers.contains_key("authorization")),
        "{returned:?}"
    );
    "credentials at the registry's own origin only, over five hops".to_owned()
}

pub(crate) async fn token_service() -> String {
    let thief = Evil::start(|_, _| EvilReply::new(200, r#"{"token":"x"}"#));
    let mut refused = 0;
    // Only `.example` is mapped to this machine. The realms are not, so the client treats them as hosts of the
    // internet.
    for realm in [
        "http://169.254.169.254/latest/api/token".to_owned(),
        "http://10.0.0.1/token".to_owned(),
        format!("http://user:pass@{}/token", thief.host),
        "ftp://attacker.example/token".to_owned(),
        "//attacker.example/token".to_owned(),
        "x".repeat(5000),
    ] {
        let named = realm.clone();
        let registry = Evil::start(move |_, _| {
            EvilReply::new(401, "").with("www-authenticate", format!("Bearer realm=\"{named}\",service=\"s\""))
        });
        let client = client(&format!("registry.example={}", registry.url()));
        let error = client.resolve(&image()).await.unwrap_err().to_string();
        assert!(!error.contains("hunter2"), "{error}");
        assert!(registry.credentials().is_empty());
        refused += 1;
    }
    assert!(thief.asked().is_empty(), "{:?}", thief.asked());
    format!("{refused} realms refused before anything is sent")
}

pub(crate) async fn upload_elsewhere() -> String {
    let thief = Evil::start(|_, _| EvilReply::new(201, ""));
    let place = format!("{}/upload?_state=1", thief.url());
    let registry = Evil::start(move |asked, _| match asked.headers.contains_key("authorization") {
        false => EvilReply::new(401, "").with("www-authenticate", "Basic realm=\"x\""),
        true if asked.line.starts_with("POST") => EvilReply::new(202, "").with("location", place.clone()),
        true => EvilReply::new(200, "blob").with("docker-content-digest", "x"),
    });
    let client = client(&format!("registry.example={}", registry.url()));
    let blob = pullsafe::manifest::Descriptor {
        media_type: String::new(),
        digest: pullsafe::reference::Digest::of(b"blob"),
        size: 4,
        urls: Vec::new(),
        platform: None,
    };
    let pullsafe_registry::Upload::Open(upload) = client.begin_upload(&image(), None).await.unwrap() else {
        panic!("mounted")
    };
    let mut reader = client.blob(&image(), &blob).await.unwrap();
    drop(client.upload(&image(), upload, &blob, &mut reader, &|_| {}).await);
    assert!(thief.credentials().is_empty(), "{:?}", thief.credentials());
    for place in ["http://169.254.169.254/x", "http://10.1.2.3/x", "ftp://127.0.0.1/x"] {
        let registry = Evil::start(move |_, _| EvilReply::new(202, "").with("location", place));
        let client = self::client(&format!("registry.example={}", registry.url()));
        let error = client.begin_upload(&image(), None).await.unwrap_err().to_string();
        assert!(error.contains("the address for the content leads"), "{error}");
    }
    "the content goes there without credentials, or the address is refused".to_owned()
}

pub(crate) async fn downgrade() -> String {
    let (registry, from) = ("https://registry.example/v2/", "https://registry.example/v2/app/manifests/1");
    let mut tried = 0;
    for next in [
        "http://registry.example/v2/app/manifests/1",
        "HTTP://registry.example/x",
        "ftp://registry.example/x",
        "/x",
        "//registry.example/x",
        "https://user@registry.example/x",
        "https://127.0.0.1/x",
        "https://[::ffff:169.254.169.254]/latest",
        "https://2852039166/latest",
        "https://localhost/x",
        "https://intranet/x",
        "https://registry.internal/x",
    ] {
        assert_ne!(pullsafe_registry::parsers::is_followed(registry, from, next), Some(true), "{next}");
        tried += 1;
    }
    assert_eq!(pullsafe_registry::parsers::is_followed(registry, from, "https://cdn.example/x"), Some(true));
    format!("{tried} addresses: none is followed")
}
