//! The built function behind Lambda's Runtime API, with a fake AWS on a real socket.

use pullsafe::settings::WidgetSettings;
use pullsafe_incident::outlook::{NextLaunch, Outlook, OutlookCause, OutlookFinding};
use scenarios::reported;
use scenarios::world::{Setup, TABLE, World};
use serde_json::{Value, json};
use testkit::aws::server::Served;
use testkit::runtime_api::{FunctionConfig, FunctionOutcome, Runtime, RuntimeError};

async fn start(served: &Served, table: &str) -> Runtime {
    let config = FunctionConfig::new(env!("CARGO_BIN_EXE_widget-program"))
        .with("AWS_ENDPOINT_URL", served.url())
        .with("PULLSAFE_TABLE", table);
    Runtime::start(&config).await.expect("it starts")
}

async fn html(runtime: &mut Runtime, event: &Value) -> String {
    match runtime.invoke(event).await.expect("it answers") {
        FunctionOutcome::Response(Value::String(html)) => html,
        other @ (FunctionOutcome::Response(_) | FunctionOutcome::Error(_)) => panic!("{other:?}"),
    }
}

/// The event that a dashboard sends.
fn look(theme: &str, width: u32) -> Value {
    json!({ "widgetContext": {
        "dashboardName": "pullsafe-eu-west-1", "widgetId": "widget-1", "accountId": "123456789012", "locale": "en",
        "timezone": { "label": "UTC", "offsetISO": "+00:00", "offsetInMinutes": 0 }, "period": 300, "isAutoPeriod": true,
        "timeRange": { "mode": "relative", "start": 1, "end": 2 }, "theme": theme, "linkCharts": true, "title": "Open incidents",
        "forms": { "all": {} }, "params": {}, "width": width, "height": 400 } })
}

async fn failing() -> World {
    let mut world = reported::limited(Setup::new().with("PULLSAFE_MODE", "observe"));
    world.run_for(600).await;
    world
}

#[tokio::test]
async fn the_open_incident_is_shown_with_its_quota() {
    let world = failing().await;
    let served = world.aws.serve().await.expect("it listens");
    let mut runtime = start(&served, TABLE).await;
    world.aws.clear_log();
    let wide = html(&mut runtime, &look("dark", 1200)).await;
    for part in [
        "1 open incident, ",
        "prod/web: open, current blocker registry-rate-limited",
        "<svg",
        "an estimate",
        "the latest at 19:2",
        "observed only",
    ] {
        assert!(wide.contains(part), "{part} is not in {wide}");
    }
    for never in ["<script", "<iframe", "<use", "href=", "src=", "url(", "@import", "<html", "<body"] {
        assert!(!wide.contains(never), "{never}");
    }
    let narrow = html(&mut runtime, &look("light", 400)).await;
    assert!(!narrow.contains("<svg") && narrow.len() < wide.len());
    let ground = |html: &str| html.split("--ground:").nth(1).and_then(|rest| rest.split(';').next()).map(str::to_owned);
    assert!(ground(&wide).is_some() && ground(&wide) != ground(&narrow), "another ground, other colours");
    let calls: Vec<_> = world.aws.calls().into_iter().map(|call| call.operation).collect();
    let count = |operation: &str| calls.iter().filter(|call| *call == operation).count();
    // Each look reads the four parts of the index, the outlooks, and the open incidents.
    assert_eq!((count("Query"), count("BatchGetItem"), calls.len()), (10, 2, 12), "and nothing else: {calls:?}");
}

#[tokio::test]
async fn what_will_fail_is_shown_before_it_does() {
    let world = Setup::new().build();
    let trouble = OutlookCause::MayNotPull { role: "arn:aws:iam::123456789012:role/pull".to_owned() };
    let finding = OutlookFinding {
        container: "app".to_owned(),
        image: "<b>app:1".to_owned(),
        trouble,
    };
    // The program reads the real clock.
    let at = pullsafe::clock::system()();
    for (subject, at) in [("prod/web", at), ("prod/forgotten", at.plus_seconds(-3 * 86_400))] {
        let outlook = Outlook {
            subject: subject.to_owned(),
            next: NextLaunch::OfService,
            at,
            findings: vec![finding.clone()],
            unknown: Vec::new(),
        };
        let doc = json!({ "outlook": outlook, "told": [] }).to_string();
        world
            .tables
            .put(TABLE, json!({ "pk": { "S": "outlook" }, "sk": { "S": subject }, "doc": { "S": doc } }));
    }
    let served = world.aws.serve().await.expect("it listens");
    let shown = html(&mut start(&served, TABLE).await, &look("light", 1200)).await;
    assert!(shown.contains("Tomorrow&#39;s outage"), "{shown}");
    assert!(
        shown.contains("the next scale-out or Fargate retirement of prod/web fails")
            && shown.contains("No incident is open"),
        "{shown}"
    );
    assert!(shown.contains("&lt;b&gt;app:1") && !shown.contains("prod/forgotten"), "{shown}");
}

#[tokio::test]
async fn nothing_open_is_said_and_the_widget_describes_itself() {
    let world = Setup::new().build();
    let served = world.aws.serve().await.expect("it listens");
    let mut runtime = start(&served, TABLE).await;
    assert!(html(&mut runtime, &look("light", 1200)).await.contains("No incident is open"));
    let FunctionOutcome::Response(described) = runtime.invoke(&json!({ "describe": true })).await.expect("it answers")
    else {
        panic!("no answer")
    };
    assert!(described["markdown"].as_str().is_some_and(|text| text.contains("pullsafe")), "{described}");
    // The program answers whatever it is sent.
    for odd in [
        json!(null),
        json!([]),
        json!({ "widgetContext": { "theme": 7, "width": "wide" } }),
        json!({ "widgetContext": { "width": -1e300 } }),
    ] {
        assert!(html(&mut runtime, &odd).await.contains("No incident is open"), "{odd}");
    }
}

#[tokio::test]
async fn what_is_wrong_is_shown_and_is_no_failure_of_the_function() {
    let world = failing().await;
    let row = json!({ "pk": { "S": "odd" }, "sk": { "S": "state" }, "shard": { "S": "incident#0" }, "due_at": { "N": "0" }, "subject": { "S": "{" }, "doc": { "S": "{" } });
    world.tables.put(TABLE, row);
    let served = world.aws.serve().await.expect("it listens");
    let shown = html(&mut start(&served, TABLE).await, &look("light", 1200)).await;
    assert!(shown.contains("1 row of the table cannot be read") && shown.contains("prod/web"), "{shown}");
    let missing = html(&mut start(&served, "another").await, &look("light", 1200)).await;
    assert!(missing.contains("role=\"alert\"") && missing.contains("The table does not exist."), "{missing}");
}

#[tokio::test]
async fn without_its_table_it_does_not_start_and_says_why() {
    let started = Runtime::start(&FunctionConfig::new(env!("CARGO_BIN_EXE_widget-program"))).await;
    assert!(matches!(started, Err(RuntimeError::Ended { status, .. }) if !status.success()));
    let faults = WidgetSettings::read(|_| None).unwrap_err();
    assert!(faults[0].to_string().starts_with("PULLSAFE_TABLE: must be set"), "{faults:?}");
}
