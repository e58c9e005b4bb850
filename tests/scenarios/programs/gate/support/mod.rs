//! The program itself under Lambda's Runtime API, with an account around it.

use std::time::Duration;

use scenarios::gate::GateStage;
use scenarios::gate::answers::SIGNATURE;
use scenarios::gate::stage::{GATE_QUEUE, MIRROR_QUEUE, TABLE};
use serde_json::Value;
use testkit::runtime_api::{FunctionConfig, FunctionOutcome, Runtime};

/// The program, with the account of a [`GateStage`] around it.
pub(crate) struct Program {
    pub(crate) stage: GateStage,
    pub(crate) runtime: Runtime,
    _served: testkit::aws::server::Served,
}

impl Program {
    pub(crate) async fn start(more: &[(&str, &str)]) -> Self {
        let stage = GateStage::new().await;
        let served = stage.aws.serve().await.expect("a port");
        let mut config = FunctionConfig {
            timeout: Duration::from_secs(20),
            ..FunctionConfig::new(env!("CARGO_BIN_EXE_gate-program"))
        };
        let (mirror, own) = (testkit::aws::sqs::Sqs::url(MIRROR_QUEUE), testkit::aws::sqs::Sqs::url(GATE_QUEUE));
        let registry = stage.ecr.host();
        let usual = [
            ("AWS_ENDPOINT_URL", served.url()),
            ("AWS_REGION", testkit::aws::REGION),
            ("AWS_LAMBDA_LOG_LEVEL", "TRACE"),
            ("RUST_LOG", "trace"),
            ("RUST_BACKTRACE", "full"),
            ("PULLSAFE_TABLE", TABLE),
            ("PULLSAFE_MIRROR_QUEUE_URL", &mirror),
            ("PULLSAFE_GATE_QUEUE_URL", &own),
            ("PULLSAFE_MIRROR_REGISTRY", &registry),
            ("PULLSAFE_ALLOW_LOCAL_RESPONSE_URL", "true"),
        ];
        for (name, value) in usual.iter().chain(more) {
            config = config.with(name, *value);
        }
        let runtime = Runtime::start(&config).await.expect("it starts");
        Self { stage, runtime, _served: served }
    }

    pub(crate) async fn invoke(&mut self, event: &Value) -> FunctionOutcome {
        self.runtime.invoke(event).await.expect("it answers the runtime")
    }

    pub(crate) async fn handled(&mut self, event: &Value) -> Value {
        match self.invoke(event).await {
            FunctionOutcome::Response(value) => value,
            FunctionOutcome::Error(error) => panic!("{error}"),
        }
    }

    /// Ends the program and checks everything that it has written.
    pub(crate) async fn end(self) {
        let lines = self.runtime.lines();
        assert!(
            lines.iter().any(|line| line.contains("TRACE") || line.contains("DEBUG") || line.contains("INFO")),
            "it has logged"
        );
        for secret in [SIGNATURE, "X-Amz-Signature", "X-Amz-Algorithm"] {
            let leak = lines.iter().find(|line| line.contains(secret));
            assert!(leak.is_none(), "{leak:?}");
        }
        self.runtime.stop().await.expect("it ends");
    }
}
