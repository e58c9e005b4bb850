//! Wiring: the table's name from the environment, the client, and the runtime loop.

use lambda_runtime::{Error, LambdaEvent, service_fn};
use pullsafe::clock;
use pullsafe::settings::WidgetSettings;
use pullsafe_aws::telemetry;
use serde_json::Value;
use tokio::sync::OnceCell;
use widget::Widget;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    telemetry::init_logging();
    let settings = WidgetSettings::read(|name| std::env::var(name).ok()).map_err(|faults| {
        let lines: Vec<String> = faults.iter().map(ToString::to_string).collect();
        format!("the configuration is wrong:\n{}", lines.join("\n"))
    })?;
    // The widget is made for the first event and not at the start, so that a cold start takes no longer than that of a
    // bare runtime.
    let widget = OnceCell::new();
    let (settings, widget) = (&settings, &widget);
    lambda_runtime::run(service_fn(|event: LambdaEvent<Value>| async move {
        let build = || async { Widget::new(&aws_config::load_from_env().await, settings.clone(), clock::system()) };
        let widget: &Widget = widget.get_or_init(build).await;
        Ok::<_, Error>(widget.handle(&event.payload).await)
    }))
    .await
}
