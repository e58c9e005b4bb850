//! The smallest possible function in Rust: the yardstick for the start of our own, and the subject of the tests of the
//! local Runtime API. It returns its event, fails for `{"fail": "..."}`, and exits for `{"exit": n}`.

use lambda_runtime::{Error, LambdaEvent, service_fn};
use serde_json::Value;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    lambda_runtime::run(service_fn(answer)).await
}

async fn answer(event: LambdaEvent<Value>) -> Result<Value, Error> {
    if let Some(message) = event.payload["fail"].as_str() {
        return Err(message.into());
    }
    if let Some(status) = event.payload["exit"].as_i64() {
        std::process::exit(i32::try_from(status)?);
    }
    Ok(event.payload)
}
