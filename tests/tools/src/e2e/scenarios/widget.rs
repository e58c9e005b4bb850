//! The dashboard's widget, invoked as the dashboard does, while the incidents of the cases are open.

use serde_json::json;

use super::{invoke, says};
use crate::e2e::report::StepReport;
use crate::e2e::stack::EmulatedStack;
use crate::e2e::{Result, WhatWasTried as _, ensure};

/// Looks at the widget, once the incidents of case A are in the table.
///
/// # Errors
/// The first step that failed.
pub async fn play(stack: &EmulatedStack, report: &mut StepReport) -> Result<()> {
    report.heading("The dashboard's widget");
    report.step("it describes itself", describes(stack).await)?;
    let html = report.step("it shows what is open", look(stack, "dark").await)?;
    report.step(
        "the service that was moved is there, with its quota",
        says(
            &html,
            &[
                "court-case/court-case-backend: open",
                "registry-rate-limited",
                "<svg",
                "an estimate",
                "docker-hub/iseepatterns",
            ],
        ),
    )?;
    report.step(
        "the service that is only observed is there",
        says(&html, &["court-case/observed: open", "observed only"]),
    )?;
    report.step("it has nothing that runs or leads away", harmless(&html))?;
    let light = look(stack, "light").await;
    report.step(
        "it takes the dashboard's theme",
        light.and_then(|light| ensure(light != html, "both themes look alike")),
    )?;
    Ok(())
}

async fn describes(stack: &EmulatedStack) -> Result<()> {
    let answer = invoke(stack, "widget", &json!({ "describe": true })).await?;
    ensure(answer["markdown"].as_str().is_some_and(|text| text.contains("open incidents")), &answer)
}

async fn look(stack: &EmulatedStack, theme: &str) -> Result<String> {
    let context =
        json!({ "dashboardName": "pullsafe", "widgetId": "widget-1", "theme": theme, "width": 1200, "height": 400 });
    let answer = invoke(stack, "widget", &json!({ "widgetContext": context })).await?;
    answer.as_str().map(str::to_owned).context(format!("no HTML: {answer}"))
}

fn harmless(html: &str) -> Result<()> {
    let found = ["<script", "<iframe", "<use", "href=", "src=", "url(", " on"]
        .into_iter()
        .find(|never| match *never {
            // An attribute such as `onclick`, not a word such as `once`.
            " on" => html
                .split('<')
                .any(|tag| tag.split('>').next().is_some_and(|tag| tag.contains(" on") && tag.contains('='))),
            never => html.contains(never),
        });
    ensure(found.is_none(), format!("{found:?} is in it"))
}
