//! Tests `pullsafe wait` as a program, against a registry on this machine.

use std::process::{Output, Stdio};
use std::time::{Duration, Instant};

use testkit::clock::VirtualClock;
use testkit::registry::sample::Sample;
use testkit::registry::{ImageStore, OpenOptions, RegistryServer};

struct Machine {
    store: ImageStore,
    server: RegistryServer,
}

impl Machine {
    fn new() -> Self {
        let start = pullsafe::timestamp::Timestamp::from_millis(1_768_504_620_000);
        let store = ImageStore::new(VirtualClock::at(start));
        let server = RegistryServer::open(&store, OpenOptions::default());
        Self { store, server }
    }

    fn reference(&self, tag: &str) -> String {
        format!("{}/team/web:{tag}", self.server.url().trim_start_matches("http://"))
    }

    fn command(&self, arguments: &[&str]) -> tokio::process::Command {
        let mut command = tokio::process::Command::new(env!("CARGO_BIN_EXE_pullsafe"));
        command
            .arg("wait")
            .args(arguments)
            .env_clear()
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .kill_on_drop(true);
        command
    }

    async fn run(&self, arguments: &[&str]) -> Output {
        self.command(arguments).output().await.expect("it runs")
    }
}

fn text(bytes: &[u8]) -> &str {
    std::str::from_utf8(bytes).expect("text")
}

#[tokio::test(flavor = "multi_thread")]
async fn the_digest_of_an_image_that_is_there_is_printed() {
    let machine = Machine::new();
    let image = Sample::multi_arch(1).build();
    image.push(&machine.store, "team/web", "1");
    let output = machine.run(&[&machine.reference("1"), "--timeout", "10s", "--platform", "linux/arm64"]).await;
    assert_eq!(
        (output.status.code(), text(&output.stdout)),
        (Some(0), format!("{}\n", image.digest()).as_str()),
        "{}",
        text(&output.stderr)
    );
    let pinned = format!("{}@{}", machine.reference("1").trim_end_matches(":1"), image.digest());
    assert_eq!(machine.run(&[&pinned]).await.status.code(), Some(0));
}

#[tokio::test(flavor = "multi_thread")]
async fn it_waits_for_the_push() {
    let machine = Machine::new();
    let begin = Instant::now();
    let mut child = machine.command(&[&machine.reference("1"), "--timeout", "30s"]).spawn().expect("it starts");
    // Once it says that it waits, it has looked.
    let mut lines = tokio::io::AsyncBufReadExt::lines(tokio::io::BufReader::new(child.stderr.take().expect("piped")));
    let line = lines.next_line().await.expect("readable").expect("a line");
    assert!(line.starts_with("waiting for ") && line.contains("does not have"), "{line}");
    let image = Sample::new(2).build();
    image.push(&machine.store, "team/web", "1");
    let output = child.wait_with_output().await.expect("it ends");
    assert_eq!((output.status.code(), text(&output.stdout).trim()), (Some(0), image.digest().as_str()));
    assert!(begin.elapsed() < Duration::from_secs(20));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_image_that_does_not_come_is_a_no_with_its_reason() {
    let machine = Machine::new();
    Sample::new(1).build().push(&machine.store, "team/web", "1");
    for (arguments, why) in
        [(vec!["2"], "does not have"), (vec!["1", "--platform", "linux/s390x"], "and not for linux/s390x")]
    {
        let reference = machine.reference(arguments[0]);
        let mut all = vec![reference.as_str(), "--timeout", "1s"];
        all.extend(&arguments[1..]);
        let output = machine.run(&all).await;
        let error = text(&output.stderr);
        assert_eq!((output.status.code(), text(&output.stdout)), (Some(1), ""), "{error}");
        assert!(error.contains("did not appear in 1 s") && error.contains(why), "{error}");
    }
    let closed = machine.run(&["127.0.0.1:1/web:1", "--timeout", "1s"]).await;
    assert_eq!(closed.status.code(), Some(1));
}

#[tokio::test(flavor = "multi_thread")]
async fn wrong_usage_is_told_apart() {
    let machine = Machine::new();
    for arguments in [
        vec![],
        vec!["Web:1"],
        vec!["web:1", "--timeout", "soon"],
        vec!["web:1", "--platform", "arm64"],
        vec!["web:1", "--nonsense"],
    ] {
        let output = machine.run(&arguments).await;
        assert_eq!(output.status.code(), Some(2), "{arguments:?}");
        assert!(!output.stderr.is_empty());
    }
    let bad = machine
        .command(&["web:1"])
        .env("PULLSAFE_REGISTRY_ENDPOINTS", "nonsense")
        .output()
        .await
        .expect("it runs");
    assert_eq!(bad.status.code(), Some(2));
}

/// The last look comes right before the end, and the end comes when it was asked for.
#[tokio::test(flavor = "multi_thread")]
async fn it_waits_for_as_long_as_it_was_told_to() {
    let machine = Machine::new();
    let begin = Instant::now();
    let output = machine.run(&[&machine.reference("1"), "--timeout", "4s"]).await;
    assert_eq!(output.status.code(), Some(1));
    assert!(text(&output.stderr).contains("did not appear in 4 s"), "{}", text(&output.stderr));
    assert!(begin.elapsed() >= Duration::from_secs(4), "{:?}", begin.elapsed());
}
