//! Secrets are planted in every input and searched for in every output, with everything logged at TRACE.

use std::future::Future;
use std::io::Write;
use std::sync::{Arc, Mutex};

use base64::Engine as _;
use pullsafe::settings::WidgetSettings;
use pullsafe_aws::telemetry;
use pullsafe_incident::store::Table;
use pullsafe_report::{Report, html, markdown};
use scenarios::gate::{GateStage, Manner};
use scenarios::world::{MIRROR_QUEUE, NAT, Setup, TABLE, WORK_QUEUE, World};
use serde_json::json;
use testkit::aws::{AwsFault, FaultKind};
use testkit::ecs::Behaviour;
use testkit::registry::Sample;
use testkit::registry::server::options::HubAccount;

const PASSWORD: &str = "dckr_pat_PLANTED0secret1of2the3hub4";
/// What signed requests of the fake account contain: its secret key, and the name of the signature scheme.
const SIGNS: [&str; 2] = ["example-secret", "AWS4-HMAC-SHA256"];

/// Runs a future with everything logged at TRACE. Returns its result, the log, and how many lines are of that level.
pub(crate) async fn traced<T>(run: impl Future<Output = T>) -> (T, String, usize) {
    let kept = Kept::default();
    let writer = kept.clone();
    let guard = tracing::subscriber::set_default(telemetry::subscriber("trace", move || writer.clone()));
    let outcome = run.await;
    drop(guard);
    let log = String::from_utf8(kept.0.lock().expect("no panic here").clone()).expect("JSON");
    let finest = log.lines().filter(|line| line.contains(r#""level":"TRACE""#)).count();
    (outcome, log, finest)
}

/// Searches every output for every secret, and panics if it finds one. Returns the number of searches.
pub(crate) fn search(outputs: &[(&str, String)], secrets: &[&str]) -> usize {
    for (name, text) in outputs {
        for secret in secrets.iter().chain(&SIGNS) {
            assert!(!text.contains(secret), "{name} shows {secret}: {}", around(text, secret));
        }
    }
    outputs.len() * (secrets.len() + SIGNS.len())
}

fn around<'a>(text: &'a str, part: &str) -> &'a str {
    let at = text.find(part).unwrap_or_default();
    let from = (at.saturating_sub(200)..=at).find(|index| text.is_char_boundary(*index)).unwrap_or_default();
    text.get(from..).map_or("", |rest| rest.get(..rest.len().min(300)).unwrap_or(rest))
}

/// Everything that leaves a world: the log, the topic, the bus, the table, the answers of the functions.
pub(crate) fn outputs(world: &World, log: String) -> Vec<(&'static str, String)> {
    vec![
        ("log", log),
        ("topic", format!("{:?}", world.told())),
        ("bus", json!(world.bus.events()).to_string()),
        ("table", json!(world.tables.items(TABLE)).to_string()),
        ("queue", json!(world.queues.bodies(WORK_QUEUE)).to_string()),
        ("answers", json!(world.answers).to_string()),
    ]
}

/// Secrets in the forms that occur in logs and messages. Each has a mark of its own, which is searched for.
const SPOKEN: [(&str, &str); 12] = [
    ("hunter2planted01", "connecting with postgres://app:hunter2planted01@db/x"),
    ("hunter2planted02", "password=hunter2planted02 is wrong"),
    ("hunter2planted03", "Authorization: Bearer hunter2planted03abcdef"),
    ("hunter2planted04", r#"{"password": "hunter2planted04", "user": "app"}"#),
    (
        "hunter2planted05",
        "GET https://b.s3.eu-west-1.amazonaws.com/x?X-Amz-Credential=A&X-Amz-Signature=hunter2planted05",
    ),
    (
        "hunter2planted06",
        "https://b.s3.amazonaws.com/x?AWSAccessKeyId=A&Signature=hunter2planted06&Expires=1",
    ),
    ("hunter2planted07", "X-Amz-Security-Token=hunter2planted07/abc"),
    ("AKIAPLANTED012345678", "AWS_ACCESS_KEY_ID=AKIAPLANTED012345678"),
    ("hunter2planted09", "AWS_SECRET_ACCESS_KEY=hunter2planted09"),
    ("ghp_planted0123456789abcdefghijklmnopqrst", "token ghp_planted0123456789abcdefghijklmnopqrst"),
    ("hunter2planted11", "api_key: hunter2planted11"),
    ("hunter2planted12", "Cookie: session=hunter2planted12"),
];

pub(crate) async fn remediator() -> String {
    let play = async {
        let world = Setup::new().with("PULLSAFE_EVIDENCE_ON_BUS", "true").build();
        Sample::new(1).build().push(world.images.store(), "app", "1");
        let mut log: Vec<String> = SPOKEN.iter().map(|(_, line)| format!("ERROR {line}: connection failed")).collect();
        log.push(
            "psycopg2.OperationalError: connection to postgres://app:hunter2planted01@db/x failed: FATAL: \
            password authentication failed for user \"app\""
                .to_owned(),
        );
        world
            .scheduler
            .set_behaviour("app", "app", Behaviour::Exits { after_seconds: 20, exit_code: 1, log });
        let mut world = world;
        let (name, value) = SPOKEN[1];
        let definition = world.define_containers(
            "app",
            json!([{
                "name": "app", "image": "123456789012.dkr.ecr.eu-west-1.amazonaws.com/app:1", "essential": true,
                "environment": [{ "name": "DB_PASSWORD", "value": name }, { "name": "X", "value": value }],
                "secrets": [{ "name": "S", "valueFrom": "arn:aws:secretsmanager:eu-west-1:123456789012:secret:db" }],
                "logConfiguration": { "logDriver": "awslogs", "options": { "awslogs-group": "/ecs/web", "awslogs-region": "eu-west-1", "awslogs-stream-prefix": "ecs" } },
            }]),
        );
        world.create_service("web", &definition, 1, json!({}));
        world.run_for(900).await;
        // Moving a service involves requests to registries, and the texts of its stops carry signed URLs.
        Sample::new(2).build().push(world.hub.store(), "acme/app", "1");
        Sample::new(2).build().push(world.images.store(), "docker-hub/acme/app", "1");
        world.hub.quota().spend(NAT, 100, world.clock.now());
        let moved = world.define("moved", &["acme/app:1"]);
        world.create_service("moved", &moved, 1, json!({}));
        world.run_for(900).await;
        for (number, (_, text)) in SPOKEN.iter().enumerate() {
            let details = json!({
                "group": format!("family:spoken-{number}"), "taskDefinitionArn": definition, "stoppedReason": format!("CannotPullContainerError: failed to copy: {text}"),
                "containers": [{ "name": "app", "reason": format!("CannotStartContainerError: {text}"), "exitCode": 1 }],
            });
            let event = super::services::stop(&world, number, details);
            world.deliver(&event).await;
        }
        // Errors of failed calls describe the call.
        world.aws.inject(AwsFault::on("ecs", "DescribeServices", FaultKind::AccessDenied).times(50));
        world.aws.inject(AwsFault::on("dynamodb", "UpdateItem", FaultKind::Throttle).times(5));
        world.run_for(1800).await;
        world
    };
    let (world, log, finest) = traced(play).await;
    assert!(finest > 20, "{finest} lines at TRACE");
    let found = outputs(&world, log);
    assert!(
        found[1].1.contains("password authentication failed") && found[2].1.contains("password authentication failed"),
        "evidence is told"
    );
    let mut secrets: Vec<&str> = SPOKEN.iter().map(|(secret, _)| *secret).collect();
    secrets.extend(["Bearer ey", "_state="]);
    let (searched, reports) = (search(&found, &secrets), reports(&world, &secrets).await);
    format!("{finest} lines at TRACE, {} searches, 0 hits", searched + reports)
}

/// Searches the reports and the widget that are made from the table.
async fn reports(world: &World, secrets: &[&str]) -> usize {
    let table = Table::new(world.config(), TABLE);
    let history = table.open_incidents().await.expect("it reads");
    let reports: Vec<Report> = history
        .incidents
        .iter()
        .map(|(subject, incident)| Report::of(subject, incident, world.clock.now()))
        .collect();
    assert!(reports.len() > 2, "{} reports", reports.len());
    let found = [
        ("markdown", markdown::page(&reports)),
        ("html", html::page("all", &reports)),
        ("json", format!("{reports:?}")),
    ];
    search(&found, secrets)
}

pub(crate) async fn widget() -> String {
    let play = async {
        let mut world = Setup::new().with("PULLSAFE_MODE", "observe").build();
        for (number, (_, text)) in SPOKEN.iter().enumerate() {
            let details = json!({
                "group": format!("family:spoken-{number}"), "taskDefinitionArn": "arn:aws:ecs:eu-west-1:123456789012:task-definition/app:1",
                "stoppedReason": format!("CannotPullContainerError: {text}"), "containers": [{ "name": "app", "reason": *text }],
            });
            let event = super::services::stop(&world, number, details);
            world.deliver(&event).await;
        }
        let clock = world.clock.clone();
        let settings = WidgetSettings::read(|name| (name == "PULLSAFE_TABLE").then(|| TABLE.to_owned()));
        let settings = settings.expect("the settings are sound");
        let widget = widget::Widget::new(world.config(), settings, Arc::new(move || clock.now()));
        let mut pages = Vec::new();
        for event in [
            json!({ "widgetContext": { "theme": "dark", "width": 1200 } }),
            json!({ "describe": true }),
            json!("hunter2planted02"),
        ] {
            pages.push(json!(widget.handle(&event).await).to_string());
        }
        world.aws.inject(AwsFault::on("dynamodb", "Query", FaultKind::AccessDenied).times(10));
        pages.push(json!(widget.handle(&json!({})).await).to_string());
        pages
    };
    let (pages, log, finest) = traced(play).await;
    assert!(finest > 3 && pages[0].contains("open incident"), "{finest} lines at TRACE");
    let secrets: Vec<&str> = SPOKEN.iter().map(|(secret, _)| *secret).collect();
    let found = [("log", log), ("widget", pages.concat())];
    format!("{finest} lines at TRACE, {} searches, 0 hits", search(&found, &secrets))
}

/// The gate and its waker. Their secrets are the address for the answer, and any property of a stack that pullsafe does
/// not define.
pub(crate) async fn gate() -> String {
    let panics = Kept::default();
    let play = async {
        let stage = GateStage::new().await;
        let no_echo = json!({ "RepositoryName": "web", "ImageTag": "1", "Password": "hunter2planted02", "ServiceTimeout": "200" });
        // One request is answered with a reason, one is parked, one is given up, one is woken by a push, one is a
        // failed invocation.
        stage.handle(&stage.request_with("Create", "refused", no_echo)).await;
        let mut waiting = stage.request("Create", "waits", "7");
        waiting["ResourceProperties"]["ServiceTimeout"] = json!(200);
        stage.handle(&waiting).await;
        let failed = stage.request("Create", "failed", "2");
        stage
            .handle(&json!({ "requestContext": { "condition": "RetriesExhausted" }, "requestPayload": failed }))
            .await;
        stage.answers.next(&[Manner::Refuse(500), Manner::Reset, Manner::Refuse(403)]);
        let pushed = stage.push("web", "2", 1);
        stage.handle(&pushed).await;
        // The function panics while it holds a request.
        let before = std::panic::take_hook();
        let keeps = panics.clone();
        std::panic::set_hook(Box::new(move |panic| {
            let _ = writeln!(keeps.clone(), "{panic}");
        }));
        stage.aws.before("ecr", "BatchGetImage", || panic!("a fault of its own"));
        stage.handle(&stage.request("Create", "panics", "9")).await;
        std::panic::set_hook(before);
        for _ in 0..5 {
            stage.pass(60).await;
            stage.sweep().await;
        }
        stage.handle(&stage.request("Delete", "waits", "7")).await;
        for _ in 0..70 {
            stage.pass(60).await;
            stage.sweep().await;
        }
        stage
    };
    let (stage, log, finest) = traced(play).await;
    assert!(finest > 20, "{finest} lines at TRACE");
    assert!(stage.answers.received().len() > 5, "{}", stage.answers.received().len());
    let bodies: Vec<String> = stage.answers.received().into_iter().map(|answer| answer.body).collect();
    let table = json!(stage.tables.items(scenarios::gate::stage::TABLE)).to_string();
    let panics = String::from_utf8(panics.0.lock().expect("no panic here").clone()).expect("text");
    assert!(panics.contains("a fault of its own"), "{panics}");
    let found = [("log", log), ("answers", bodies.concat()), ("table", table), ("panic", panics)];
    let searched = search(&found, &[scenarios::gate::answers::SIGNATURE, "X-Amz-Signature", "hunter2planted02"]);
    format!("{finest} lines at TRACE, {searched} searches, 0 hits")
}

/// A writer that keeps what is logged.
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

pub(crate) async fn mirror() -> String {
    let kept = Kept::default();
    let writer = kept.clone();
    let guard = tracing::subscriber::set_default(telemetry::subscriber("trace", move || writer.clone()));
    let account = HubAccount {
        name: "acme".to_owned(),
        password: PASSWORD.to_owned(),
        pulls: Some(200),
    };
    let mut setup = Setup::new().mirroring("registry: {registry}\nimages:\n- acme/app: ['1', 'gone']\n");
    setup.hub_account = Some(account);
    let mut world = setup.build();
    Sample::multi_arch(3).build().push(world.hub.store(), "acme/app", "1");
    world.plan_mirror().await;
    let target = format!("{}/docker-hub/acme/other:1", world.images.host());
    world.queues.send(
        MIRROR_QUEUE,
        &json!({"source": "acme/other:1", "target": target, "requested_by": format!("x {PASSWORD}")}),
    );
    world.queues.send(MIRROR_QUEUE, &json!({"source": PASSWORD, "target": PASSWORD}));
    world.settle().await;
    // From here on the password is wrong: refusals are where secrets slip out.
    world.secrets.set(
        scenarios::world::HUB_SECRET,
        &json!({"username": "acme", "accessToken": format!("{PASSWORD}wrong")}).to_string(),
    );
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
    // The image of the job that was planted shows that the search can find something.
    assert!(outputs.iter().any(|(_, text)| text.contains("acme/other")), "nothing of the planted job is found");
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
