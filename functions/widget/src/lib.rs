//! The widget: shows what is open and what waits for a person, as a custom widget on a CloudWatch dashboard. It only
//! reads: a button, where there is one, makes the dashboard call another function for whoever looks.
//!
//! The dashboard invokes the function for whoever looks, and puts what it returns into the page. So the function always
//! returns something to look at: it shows a failure in the widget and logs it, but does not fail itself.

pub mod answer;

use pullsafe::clock::Clock;
use pullsafe::count::count;
use pullsafe::settings::WidgetSettings;
use pullsafe_aws::telemetry::trace_event;
use pullsafe_aws::{Failure, FailureKind, SdkConfig};
use pullsafe_incident::outbreak::OutbreakRules;
use pullsafe_incident::outlook::Outlook;
use pullsafe_incident::store::{IncidentHistory, Table};
use pullsafe_report::widget::{DESCRIPTION, Theme, WidgetContent, WidgetView, board, error};
use pullsafe_report::{Report, outbreak};
use serde_json::Value;

use crate::answer::{Described, WidgetAnswer};

/// How old an outlook may be. They are made once a day: what has had none for two days no longer runs, or is no longer
/// looked at.
const OUTLOOK_SECONDS: i64 = 2 * 86_400;

/// The widget with the table that it reads.
#[derive(Clone)]
pub struct Widget {
    table: Table,
    settings: WidgetSettings,
    clock: Clock,
}

impl Widget {
    /// Makes a widget over a table. It connects to nothing before somebody looks.
    pub fn new(config: &SdkConfig, settings: WidgetSettings, clock: Clock) -> Self {
        Self { table: Table::new(config, &settings.table), settings, clock }
    }

    /// Answers the dashboard: what the widget is for (`{"describe": true}`), or the open incidents as HTML.
    pub async fn handle(&self, event: &Value) -> WidgetAnswer {
        trace_event(event);
        if event["describe"] == true {
            return WidgetAnswer::Described(Described { markdown: DESCRIPTION.to_owned() });
        }
        let context = &event["widgetContext"];
        let theme = if context["theme"] == "dark" { Theme::Dark } else { Theme::Light };
        // The context may hold anything: a width that makes no sense counts as none.
        let width = context["width"].as_f64().filter(|width| *width >= 1.0).map(|width| width.min(100_000.0) as u32);
        let look = WidgetView { theme, width, now: (self.clock)() };
        let (open, outlooks) =
            tokio::join!(self.table.open_incidents(), self.table.outlooks(look.now.plus_seconds(-OUTLOOK_SECONDS)));
        WidgetAnswer::Html(match open {
            Ok(history) => self.shown(&history, outlooks, look),
            Err(failure) => {
                tracing::error!(%failure, "the open incidents cannot be read: {failure}");
                error(theme, &explained(&failure))
            }
        })
    }

    fn shown(&self, history: &IncidentHistory, outlooks: Result<Vec<Outlook>, Failure>, look: WidgetView) -> String {
        let reports: Vec<Report> = history
            .incidents
            .iter()
            .map(|(subject, incident)| Report::of(subject, incident, look.now))
            .collect();
        for missing in &history.missing {
            tracing::error!(missing, "an incident cannot be shown: {missing}");
        }
        tracing::info!(
            incidents = reports.len(),
            missing = history.missing.len(),
            "{} shown",
            count(reports.len(), "open incident")
        );
        let missing = history.missing.len();
        let mut warnings = Vec::new();
        if missing > 0 {
            warnings.push(format!("{} of the table cannot be read; the log says which.", count(missing, "row")));
        }
        let outlooks = outlooks.unwrap_or_else(|failure| {
            tracing::error!(%failure, "what will fail cannot be read: {failure}");
            warnings.push(format!("What will fail cannot be shown. {}", explained(&failure)));
            Vec::new()
        });
        let rules = OutbreakRules {
            after: self.settings.outbreak_after,
            window_seconds: self.settings.outbreak_minutes * 60,
        };
        let warning = Some(warnings.join(" ")).filter(|warning| !warning.is_empty());
        let shown = WidgetContent {
            reports: &reports,
            outbreaks: &outbreak::of(&history.incidents, rules, look.now),
            outlooks: &outlooks,
            warning: warning.as_deref(),
            answers: self.settings.answers.as_deref(),
        };
        board(&shown, look)
    }
}

/// Says what is wrong, and what a person at the dashboard can do about it.
fn explained(failure: &Failure) -> String {
    let what = match failure.kind {
        FailureKind::Denied => "The widget's role may not read the table.",
        FailureKind::NotFound => "The table does not exist.",
        FailureKind::Throttled | FailureKind::Unavailable => "DynamoDB did not answer; refresh the widget.",
        FailureKind::Refused | FailureKind::ConditionFailed => "DynamoDB refused the query.",
    };
    format!(
        "{what} The function's log has more. ({}: {})",
        failure.call,
        failure.code.as_deref().unwrap_or("no answer")
    )
}
