//! The image gate: the custom resource `Custom::PullsafeImage`, which lets a stack go on once an image exists.
//!
//! One request of CloudFormation gets one answer, whatever happens: a bad property, a panic and a timeout are answered FAILED
//! with a reason. A Delete is answered first of all and needs no permission. In this version the gate looks again and again
//! within its own invocation, so it waits as long as the function may run; `ServiceTimeout` ends it earlier.

mod answer;
mod look;
mod request;
mod response_url;

use std::sync::{Arc, OnceLock};
use std::time::Duration;

use aws_config::SdkConfig;
use pullsafe::aws::ecr::{EcrCredentials, EcrRegions};
use pullsafe::clock::Clock;
use pullsafe::registry::http::{Http, Timeouts};
use pullsafe::registry::{Client, Config, Endpoints};
use serde_json::{Value, json};
use tokio::time::{Instant, sleep, timeout, timeout_at};

use answer::Answer;
use look::Look;
use request::{Envelope, Properties, RequestType};
pub use response_url::Unanswered;

/// The environment variable that allows answers to local addresses.
pub const ALLOW_LOCAL_VARIABLE: &str = "PULLSAFE_ALLOW_LOCAL_RESPONSE_URL";

/// What the gate works with, read once at its start.
#[derive(Debug, Clone)]
pub struct Settings {
    /// Where registries answer.
    pub endpoints: Endpoints,
    /// Whether an answer may go to this machine over http, as in a local run.
    pub allow_local_response_url: bool,
    /// The pause between two looks.
    pub pause: Duration,
    /// Kept back of the function's time for the answer.
    pub time_to_answer: Duration,
    /// So long a refused permission may be one that is still on its way.
    pub permission_grace: Duration,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            endpoints: Endpoints::default(),
            allow_local_response_url: false,
            pause: Duration::from_secs(3),
            time_to_answer: Duration::from_secs(15),
            permission_grace: Duration::from_secs(30),
        }
    }
}

/// The function, for as long as its process lives.
pub struct Gate {
    own_region: Option<String>,
    ecr: EcrRegions,
    settings: Settings,
    clock: Clock,
    http: Http,
    registries: OnceLock<Client>,
}

impl Gate {
    /// Nothing is loaded or connected until a request needs it.
    pub fn new(config: SdkConfig, settings: Settings, clock: Clock) -> Self {
        let timeouts = Timeouts { connect: Duration::from_secs(2), first_byte: Duration::from_secs(5), ..Timeouts::default() };
        let own_region = config.region().map(ToString::to_string);
        Self { own_region, ecr: EcrRegions::new(config), settings, clock, http: Http::new(timeouts), registries: OnceLock::new() }
    }

    /// Handles one event. Only an answer that could not be delivered is an error: then a repetition may help.
    ///
    /// # Errors
    /// [`Unanswered`].
    pub async fn handle(self: Arc<Self>, event: Value, deadline: Instant) -> Result<Value, Unanswered> {
        let Some(envelope) = Envelope::find(&event) else {
            tracing::error!("an event that is no request of CloudFormation was ignored");
            return Ok(json!({"answered": false, "reason": "the event has no ResponseURL"}));
        };
        let url = match response_url::ResponseUrl::parse(&envelope.response_url, self.settings.allow_local_response_url) {
            Ok(url) => url,
            Err(error) => {
                tracing::error!(stack = envelope.stack_id, %error, "a request cannot be answered: {error}");
                return Ok(json!({"answered": false, "reason": error.to_string()}));
            }
        };
        let answer = match envelope.request_type {
            Some(RequestType::Delete) => Answer::deleted(),
            Some(RequestType::Create | RequestType::Update) => self.decided(&envelope, deadline).await,
            None => Answer::failed("RequestType is none of Create, Update and Delete"),
        };
        tracing::info!(
            stack = envelope.stack_id,
            logical_resource_id = envelope.logical_resource_id,
            request_id = envelope.request_id,
            success = answer.is_success(),
            reason = answer.reason(),
            "the request is decided"
        );
        url.put(&self.http, &answer.body(&envelope), deadline).await?;
        Ok(json!({"answered": true, "success": answer.is_success()}))
    }

    /// A panic while deciding is an answer too, at once, and not after CloudFormation's patience.
    async fn decided(self: &Arc<Self>, envelope: &Envelope, deadline: Instant) -> Answer {
        if let Some(condition) = &envelope.failed_before {
            return Answer::failed(&format!("the gate function could not handle this request ({condition}); its log says why"));
        }
        let properties = match Properties::parse(&envelope.properties) {
            Ok(properties) => properties,
            Err(error) => return Answer::failed(&error.to_string()),
        };
        let (gate, envelope) = (Arc::clone(self), envelope.clone());
        let decision = tokio::spawn(async move { gate.wait(&envelope, &properties, deadline).await });
        decision.await.unwrap_or_else(|_panic| Answer::failed("the gate met a fault of its own; its log says where"))
    }

    async fn wait(&self, envelope: &Envelope, properties: &Properties, deadline: Instant) -> Answer {
        let place = look::Place::of(properties, envelope, self.own_region.as_deref());
        let started = Instant::now();
        let queued = envelope.response_url_age((self.clock)());
        let waited = || queued + started.elapsed();
        let by_function = deadline.checked_sub(self.settings.time_to_answer).unwrap_or(deadline);
        let by_stack = started + properties.patience().saturating_sub(queued);
        let mut why_not = "ECR did not answer in time".to_owned();
        loop {
            let look = timeout_at(by_function, self.look(&place, properties)).await;
            why_not = match look.unwrap_or(Look::NotYet(why_not)) {
                Look::Present(attributes) => return Answer::present(*attributes, waited()),
                Look::Never(reason) => return Answer::failed(&reason),
                Look::Denied(reason) if started.elapsed() >= self.settings.permission_grace => return Answer::failed(&reason),
                Look::Denied(reason) | Look::NotYet(reason) => reason,
            };
            if Instant::now() + self.settings.pause >= by_function.min(by_stack) {
                let ended_by = if by_function < by_stack { "the time that the gate function may run" } else { "ServiceTimeout" };
                // A help for people, for which the answer does not wait.
                let newest = timeout(self.settings.time_to_answer / 5, self.newest_tags(&place)).await.unwrap_or_default();
                return Answer::failed(&place.reason(properties, &why_not, waited(), ended_by, &newest));
            }
            sleep(self.settings.pause).await;
        }
    }

    fn registries(&self) -> &Client {
        self.registries.get_or_init(|| {
            let credentials = EcrCredentials::new(self.ecr.clone(), Arc::clone(&self.clock));
            let config = Config::new(Arc::clone(&self.clock));
            Client::new(Config { endpoints: self.settings.endpoints.clone(), credentials: Arc::new(credentials), ..config })
        })
    }
}
