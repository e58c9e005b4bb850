//! The local Runtime API, with a real process on the other side.

use std::time::Duration;

use serde_json::json;
use testkit::runtime_api::{FunctionConfig, FunctionOutcome, Runtime, RuntimeError};

fn bare() -> FunctionConfig {
    FunctionConfig::new(env!("CARGO_BIN_EXE_bare"))
}

#[tokio::test]
async fn events_are_answered_one_after_the_other() {
    let mut runtime = Runtime::start(&bare()).await.expect("starts");
    assert!(runtime.time_to_first_next() > Duration::ZERO);
    for number in 0..20 {
        let event = json!({ "number": number });
        assert_eq!(runtime.invoke(&event).await.expect("answers"), FunctionOutcome::Response(event));
    }
    let peak = runtime.peak_resident_bytes().expect("the process runs");
    assert!((100_000..1_000_000_000).contains(&peak), "{peak}");
    runtime.stop().await.expect("stops");
}

#[tokio::test]
async fn an_error_is_an_outcome_and_the_next_event_is_served() {
    let mut runtime = Runtime::start(&bare()).await.expect("starts");
    let FunctionOutcome::Error(error) = runtime.invoke(&json!({"fail": "no table"})).await.expect("answers") else {
        panic!("not an error")
    };
    assert_eq!(error["errorMessage"], "no table");
    assert_eq!(runtime.invoke(&json!(1)).await.expect("answers"), FunctionOutcome::Response(json!(1)));
}

#[tokio::test]
async fn a_process_that_ends_is_an_error_and_not_a_wait() {
    let mut runtime = Runtime::start(&bare()).await.expect("starts");
    match runtime.invoke(&json!({"exit": 3})).await {
        Err(RuntimeError::Ended { status, .. }) => assert_eq!(status.code(), Some(3)),
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn a_binary_that_is_no_function_is_an_error() {
    let never_asks = FunctionConfig::new("/bin/true");
    assert!(matches!(Runtime::start(&never_asks).await, Err(RuntimeError::Ended { .. })));
    let missing = FunctionConfig::new("/no/such/bootstrap");
    assert!(matches!(Runtime::start(&missing).await, Err(RuntimeError::Start { .. })));
    let too_slow = FunctionConfig {
        timeout: Duration::from_millis(50),
        ..FunctionConfig::new("/bin/cat")
    };
    assert!(matches!(
        Runtime::start(&too_slow).await,
        Err(RuntimeError::Ended { .. } | RuntimeError::TimedOut(_))
    ));
}
