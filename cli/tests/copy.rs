//! Tests the contract of `pullsafe copy` with the built program and registries on this machine.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use pullsafe::timestamp::Timestamp;
use serde_json::Value;
use testkit::clock::VirtualClock;
use testkit::registry::{
    FaultRule, HubAccount, HubOptions, ImageStore, OpenOptions, RegistryFault, RegistryServer, Sample,
};

/// A folder for one test, with Docker's configuration in it.
struct Home(PathBuf);

impl Home {
    fn new(name: &str, config: &str) -> Self {
        let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
        let _ = std::fs::remove_dir_all(&folder);
        std::fs::create_dir_all(&folder).expect("a folder for the test");
        std::fs::write(folder.join("config.json"), config).expect("Docker's configuration");
        Self(folder)
    }

    fn run(&self, endpoints: &str, arguments: &[&str]) -> Output {
        Command::new(env!("CARGO_BIN_EXE_pullsafe"))
            .arg("copy")
            .args(arguments)
            .env("DOCKER_CONFIG", &self.0)
            .env("HOME", &self.0)
            .env("XDG_CACHE_HOME", &self.0)
            .env("PULLSAFE_REGISTRY_ENDPOINTS", endpoints)
            .output()
            .expect("the program runs")
    }
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).expect("output is UTF-8")
}

fn store() -> ImageStore {
    ImageStore::new(VirtualClock::at(Timestamp::from_millis(1_768_506_420_000)))
}

#[test]
fn json_has_the_keys_of_the_contract_in_order_and_nothing_is_sent_twice() {
    let (source, target) = (store(), store());
    let image = Sample::new(1).platforms(&["linux/amd64", "linux/arm64"]).attestations().build();
    image.push(&source, "acme/api", "1");
    let from = RegistryServer::open(&source, OpenOptions { anonymous_token: true, redirect_blobs: true });
    let to = RegistryServer::open(&target, OpenOptions::default());
    let home = Home::new("contract", "{}");
    let (source_name, target_name) = (format!("{}/acme/api:1", from.host()), format!("{}/mirror/api:1", to.host()));
    let output = home.run("", &[&source_name, &target_name, "--output", "json"]);
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
    let line = text(&output.stdout);
    let report: Value = serde_json::from_str(&line).expect("one JSON object");
    let keys: Vec<&str> = report.as_object().expect("an object").keys().map(String::as_str).collect();
    let contract = [
        "digest",
        "bytes_copied",
        "blobs_copied",
        "blobs_skipped",
        "blobs_mounted",
        "source_manifest_gets",
        "up_to_date",
    ];
    assert_eq!(keys, contract);
    assert_eq!(report["digest"], image.digest().as_str());
    assert_eq!((report["bytes_copied"].as_u64(), report["up_to_date"].as_bool()), (Some(image.size()), Some(false)));
    assert_eq!(target.image("mirror/api", "1").map(|image| image.manifest), Some(image.top.bytes.clone()));
    // The second copy sends nothing. To another repository, blobs are mounted, thanks to what the first run kept.
    let again = text(&home.run("", &[&source_name, &target_name]).stdout);
    assert!(again.contains("is up to date"), "{again}");
    let second = home.run("", &[&source_name, &format!("{}/second/api:1", to.host()), "--output", "json"]);
    let report: Value = serde_json::from_str(&text(&second.stdout)).expect("one JSON object");
    assert_eq!(
        (report["bytes_copied"].as_u64(), report["blobs_mounted"].as_u64()),
        (Some(0), Some(image.blobs.len() as u64))
    );
}

#[test]
fn docker_hub_is_signed_in_to_with_dockers_credentials() {
    let (source, target) = (store(), store());
    Sample::new(2).build().push(&source, "library/redis", "7");
    let account = HubAccount {
        name: "ada".to_owned(),
        password: "hunter2".to_owned(),
        pulls: Some(200),
    };
    let hub = RegistryServer::hub(&source, HubOptions { accounts: vec![account], ..HubOptions::default() });
    let to = RegistryServer::open(&target, OpenOptions::default());
    let endpoints = format!("docker.io={}", hub.url());
    // ada:hunter2
    let home = Home::new("signed-in", r#"{"auths": {"https://index.docker.io/v1/": {"auth": "YWRhOmh1bnRlcjI="}}}"#);
    let output = home.run(&endpoints, &["redis:7", &format!("{}/redis:7", to.host())]);
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
    assert!(hub.log().iter().any(|access| access.path == "/token" && access.had_authorization));
    // ada:wrong
    let home = Home::new("wrong", r#"{"auths": {"https://index.docker.io/v1/": {"auth": "YWRhOndyb25n"}}}"#);
    let output = home.run(&endpoints, &["redis:7", &format!("{}/redis:8", to.host())]);
    assert_eq!(output.status.code(), Some(1));
    let error = text(&output.stderr);
    assert!(
        error.contains("user name or the password is wrong")
            && !error.contains("d3Jvbmc")
            && !error.contains("wrong\""),
        "{error}"
    );
}

#[test]
fn an_identity_token_is_exchanged_for_a_token_of_the_registry() {
    let (source, target) = (store(), store());
    Sample::new(2).build().push(&source, "library/redis", "7");
    let account = HubAccount {
        name: "ada".to_owned(),
        password: "hunter2".to_owned(),
        pulls: Some(200),
    };
    let identity = account.identity_token();
    let hub = RegistryServer::hub(&source, HubOptions { accounts: vec![account], ..HubOptions::default() });
    let to = RegistryServer::open(&target, OpenOptions::default());
    let endpoints = format!("docker.io={}", hub.url());
    let config = |token: &str| {
        format!(r#"{{"auths": {{"https://index.docker.io/v1/": {{"auth": "YWRhOg==", "identitytoken": "{token}"}}}}}}"#)
    };
    let home = Home::new("identity", &config(&identity));
    let output = home.run(&endpoints, &["redis:7", &format!("{}/redis:7", to.host())]);
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
    let asked =
        |method: &str| hub.log().iter().filter(|access| access.path == "/token" && access.method == *method).count();
    assert_eq!((asked("POST"), asked("GET")), (1, 0));
    // A token service without OAuth2.
    hub.clear_log();
    hub.plant(FaultRule::post("/token", RegistryFault::Status(405)));
    let output = home.run(&endpoints, &["redis:7", &format!("{}/redis:8", to.host())]);
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
    assert_eq!((asked("POST"), asked("GET")), (1, 1));
    // A token that has been revoked.
    hub.clear_faults();
    let output =
        Home::new("identity-refused", &config("gone")).run(&endpoints, &["redis:7", &format!("{}/redis:9", to.host())]);
    assert_eq!(output.status.code(), Some(1));
    let error = text(&output.stderr);
    assert!(error.contains("identity token is not accepted") && !error.contains("gone"), "{error}");
}

#[test]
fn what_cannot_be_done_and_what_cannot_be_read_have_their_own_status() {
    let to = RegistryServer::open(&store(), OpenOptions::default());
    let (home, target) = (Home::new("status", "{}"), format!("{}/a:1", to.host()));
    let missing = home.run("", &[&format!("{}/none:1", to.host()), &target]);
    assert_eq!(missing.status.code(), Some(1));
    assert!(text(&missing.stderr).contains("does not have the manifest none:1"), "{}", text(&missing.stderr));
    for (arguments, why) in [
        (vec!["Not A Reference", target.as_str()], "is not an image reference"),
        (vec!["redis", target.as_str(), "--platform", "linux"], "is not a platform"),
        (vec!["redis"], "DST"),
    ] {
        let output = home.run("", &arguments);
        assert_eq!(output.status.code(), Some(2), "{arguments:?}");
        assert!(text(&output.stderr).contains(why), "{}", text(&output.stderr));
    }
    let home = Home::new("broken", "{\n\"auths\": 3}");
    let output = home.run("", &["redis", &target]);
    assert_eq!(output.status.code(), Some(2));
    assert!(text(&output.stderr).contains("config.json: line 2"), "{}", text(&output.stderr));
}
