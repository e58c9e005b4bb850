//! `cargo browser`: looks at the HTML of the reports and of the dashboard's widget in a real, headless Chromium, at the
//! width of a phone and of a desk, light and dark. The pages and their pictures are left in `.e2e/browser/`.
//!
//! `--pictures` makes those of the documents as well. Without a browser and a way to fetch one, it says so and ends
//! well: nothing was looked at.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use tools::browser::install::{Found, chromium};
use tools::browser::look::{VIEWS, View, look, open, screenshot};
use tools::browser::pages::{BrowserPage, all, wrong};
use tools::browser::session::BrowserSession;
use tools::e2e::report::StepReport;
use tools::e2e::tools::{folder, project};
use tools::e2e::{Result, WhatWasTried as _, ensure};

/// The pictures in the documents: of which page, and how much of it, which is what a person sees first.
const PICTURES: &[(&str, &str, (u32, u32))] = &[
    ("docs/report.png", "case-a", (980, 1_180)),
    ("docs/outbreak.png", "outbreak", (980, 1_180)),
    ("docs/widget.png", "widget", (1_280, 1_120)),
];

fn main() -> ExitCode {
    // Unoptimised, the SDK's futures need more than the main thread's stack; other threads have what .cargo/config.toml
    // says.
    std::thread::spawn(looked).join().unwrap_or(ExitCode::FAILURE)
}

#[tokio::main(flavor = "current_thread")]
async fn looked() -> ExitCode {
    let pictures = match std::env::args().skip(1).collect::<Vec<_>>().as_slice() {
        [] => false,
        [flag] if flag == "--pictures" => true,
        _ => {
            eprintln!("usage: cargo browser [--pictures]");
            return ExitCode::from(2);
        }
    };
    // Standard output is the report's.
    pullsafe_aws::telemetry::send_metrics_to(|_| {});
    let mut report = StepReport::default();
    match chromium() {
        Ok(Found::Nowhere(why)) => {
            println!("SKIPPED, nothing was looked at: {why}");
            return ExitCode::SUCCESS;
        }
        found => {
            run(found, pictures, &mut report).await.ok();
        }
    }
    if report.finish() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

async fn run(found: Result<Found>, pictures: bool, report: &mut StepReport) -> Result<()> {
    report.heading("A browser, in .e2e/ where the system has none");
    let found = report.step("there is one", found)?;
    let Found::Browser(chromium) = found else { return Ok(()) };
    let output = folder().join("browser");
    let started = BrowserSession::start(&chromium, &output.join("profile")).await;
    let mut session = report.step("it starts", started)?;
    let version = report.step("it answers", session.version().await)?;
    report.note(&version);
    let pages = Box::pin(all()).await;
    for page in &pages {
        report.heading(page.name);
        let Ok(file) = report.step("the page is written", write(&output, page)) else {
            continue;
        };
        for view in VIEWS {
            let shot = output.join(format!("{}-{}.png", page.name, view.name()));
            let seen = look(&mut session, &file, *view, &page.expected, &shot).await;
            report
                .step(
                    &format!("it is right at {} pixels, {}", view.width, if view.dark { "dark" } else { "light" }),
                    seen,
                )
                .ok();
        }
    }
    report.heading("The look itself: what is wrong is found");
    for (index, (what, page)) in wrong().into_iter().enumerate() {
        let Ok(file) = write(&output, &page) else { continue };
        let seen = look(&mut session, &file, VIEWS[0], &page.expected, &output.join("wrong.png")).await;
        match seen {
            Err(found) if index > 0 => {
                report.step(what, Ok(())).ok();
                report.note(found.0.get(..90).unwrap_or(&found.0));
            }
            other => {
                report.step(what, other.and_then(|()| ensure(index == 0, "the look has not found it"))).ok();
            }
        }
    }
    if pictures {
        report.heading("The pictures in the documents");
        for (file, page, part) in PICTURES {
            let made = make_picture(&mut session, &output.join(format!("{page}.html")), file, *part).await;
            report.step(&format!("{file} is made"), made)?;
        }
    }
    Ok(())
}

fn write(output: &Path, page: &BrowserPage) -> Result<PathBuf> {
    let file = output.join(format!("{}.html", page.name));
    std::fs::write(&file, &page.html).context(format!("write {}", file.display()))?;
    Ok(file)
}

async fn make_picture(session: &mut BrowserSession, page: &Path, file: &str, part: (u32, u32)) -> Result<()> {
    open(session, page, View { width: part.0, dark: false, phone: false }).await?;
    let picture = screenshot(session, Some(part)).await?;
    std::fs::write(project().join(file), picture).context(format!("write {file}"))
}
