//! Random histories, played with the real functions.

use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};
use scenarios::gate::GateStage;
use serde_json::json;

/// The next event in a history.
#[derive(Debug, Clone)]
enum Happening {
    Request,
    Push {
        heard: bool,
    },
    /// The push comes just before the gate's next write, and its event is lost.
    PushMeanwhile,
    Sweep,
    Later(i64),
    Delete,
    /// The process of the next event dies at its n-th call to AWS.
    Death(u64),
}

fn happening() -> impl Strategy<Value = Happening> {
    prop_oneof![
        3 => Just(Happening::Request),
        2 => any::<bool>().prop_map(|heard| Happening::Push { heard }),
        1 => Just(Happening::PushMeanwhile),
        3 => Just(Happening::Sweep),
        3 => (1..400_i64).prop_map(Happening::Later),
        1 => Just(Happening::Delete),
        3 => (1..8_u64).prop_map(Happening::Death),
    ]
}

/// Plays a history and then what always follows: Lambda's retry, and the sweeps until CloudFormation would give up.
async fn play(happenings: &[Happening]) {
    let stage = GateStage::new().await;
    let request = stage.request("Create", "app", "1");
    let (mut asked, mut seed, mut deleted) = (false, 0, false);
    let begin = stage.clock.now();
    for happening in happenings {
        match happening {
            Happening::Request => {
                asked = true;
                // A failed attempt is repeated under the same name.
                if !matches!(stage.invoke_as("request", &request).await, Some(Ok(_))) {
                    stage.aws.clear_faults();
                    stage.invoke_as("request", &request).await;
                }
            }
            Happening::Push { heard } => {
                seed += 1;
                let pushed = stage.push("web", "1", seed);
                if *heard {
                    stage.invoke(&pushed).await;
                }
            }
            Happening::PushMeanwhile => {
                seed += 1;
                let (store, seed) = (stage.ecr.store().clone(), seed);
                stage.aws.before("dynamodb", "PutItem", move || {
                    testkit::registry::sample::Sample::multi_arch(seed).build().push(&store, "web", "1")
                });
            }
            Happening::Sweep => drop(stage.invoke(&json!({"pullsafe": "sweep"})).await),
            Happening::Later(seconds) => stage.pass(*seconds).await,
            Happening::Delete => {
                deleted = true;
                stage.invoke(&stage.request("Delete", "app", "1")).await;
            }
            Happening::Death(call) => {
                stage.aws.clear_log();
                stage.aws.die_after(*call);
            }
        }
    }
    stage.aws.clear_faults();
    if !asked {
        stage.invoke_as("request", &request).await;
    }
    let answered_by = |stage: &GateStage| stage.is_answered("Create", "app");
    while stage.clock.now().seconds_since(begin) < 3600 + 400 * 20 && !answered_by(&stage) {
        stage.pass(60).await;
        stage.invoke(&json!({"pullsafe": "sweep"})).await;
    }
    let taken = stage.answers.taken("Create-app");
    assert!(taken.iter().all(|answer| answer.body == taken[0].body), "different answers: {taken:?}");
    assert!(deleted || !taken.is_empty(), "no answer: {happenings:?}");
}

#[test]
fn histories_of_the_real_functions_give_one_answer() {
    const HISTORIES: u32 = 48;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    let mut runner = TestRunner::new(Config {
        cases: HISTORIES,
        failure_persistence: None,
        ..Config::default()
    });
    let outcome = runner.run(&proptest::collection::vec(happening(), 1..14), |happenings| {
        runtime.block_on(play(&happenings));
        Ok(())
    });
    outcome.unwrap_or_else(|failure| panic!("{failure}"));
    println!("{HISTORIES} histories of the real functions: one answer each");
}
