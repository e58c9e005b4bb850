//! What must hold of a page, as the browser has it.

use std::path::Path;

use base64::Engine as _;
use serde_json::{Value, json};

use super::session::BrowserSession;
use crate::e2e::{Result, WhatWasTried as _, ensure};

/// How a page is looked at.
#[derive(Debug, Clone, Copy)]
pub struct View {
    /// The window's width, in pixels of CSS.
    pub width: u32,
    /// Whether the reader prefers a dark ground.
    pub dark: bool,
    /// Whether it is a phone.
    pub phone: bool,
}

/// Every view in which a page must do.
pub const VIEWS: &[View] = &[
    View { width: 400, dark: false, phone: true },
    View { width: 400, dark: true, phone: true },
    View { width: 1280, dark: false, phone: false },
    View { width: 1280, dark: true, phone: false },
];

impl View {
    /// A name for a file.
    pub fn name(self) -> String {
        format!("{}-{}", self.width, if self.dark { "dark" } else { "light" })
    }
}

/// What a page must have.
#[derive(Debug, Clone)]
pub struct ExpectedPage {
    /// Elements, as selectors of CSS.
    pub elements: Vec<&'static str>,
    /// Texts that a reader sees.
    pub texts: Vec<String>,
    /// Whether it follows the reader's wish for a dark ground.
    pub follows_theme: bool,
}

/// Opens a page in a view and looks at it; the picture goes to a file.
///
/// # Errors
/// If anything does not hold.
pub async fn look(
    session: &mut BrowserSession,
    page: &Path,
    view: View,
    expected: &ExpectedPage,
    picture: &Path,
) -> Result<()> {
    open(session, page, view).await?;
    nothing_went_wrong(&session.take_events(), page)?;
    has(session, expected).await?;
    fits(session, view).await?;
    if expected.follows_theme {
        let ground = session.evaluate("getComputedStyle(document.querySelector('.pullsafe')).backgroundColor").await?;
        ensure(is_dark(ground.as_str().unwrap_or_default()) == Some(view.dark), format!("the ground is {ground}"))?;
    }
    legible(session).await?;
    std::fs::write(picture, screenshot(session, None).await?).context(format!("write {}", picture.display()))
}

/// Opens a page and waits until it is loaded.
///
/// # Errors
/// If the browser does not.
pub async fn open(session: &mut BrowserSession, page: &Path, view: View) -> Result<()> {
    session.take_events();
    let metrics = json!({ "width": view.width, "height": 900, "deviceScaleFactor": 1, "mobile": view.phone });
    session.call("Emulation.setDeviceMetricsOverride", metrics).await?;
    let theme = json!([{ "name": "prefers-color-scheme", "value": if view.dark { "dark" } else { "light" } }]);
    session.call("Emulation.setEmulatedMedia", json!({ "features": theme })).await?;
    session.call("Page.navigate", json!({ "url": format!("file://{}", page.display()) })).await?;
    session.until("Page.loadEventFired").await
}

/// A picture of the whole page, or of its first so many pixels, at three quarters of their size.
///
/// # Errors
/// If the browser makes none.
pub async fn screenshot(session: &mut BrowserSession, part: Option<(u32, u32)>) -> Result<Vec<u8>> {
    let mut parameters = json!({ "format": "png", "captureBeyondViewport": true });
    if let Some((width, height)) = part {
        parameters["clip"] = json!({ "x": 0, "y": 0, "width": width, "height": height, "scale": 0.75 });
    }
    let answer = session.call("Page.captureScreenshot", parameters).await?;
    let picture = answer["data"].as_str().context("no picture")?;
    base64::engine::general_purpose::STANDARD.decode(picture).context("the picture")
}

/// No error in the console, and no request but the one for the page itself.
fn nothing_went_wrong(events: &[Value], page: &Path) -> Result<()> {
    let url = format!("file://{}", page.display());
    for event in events {
        let parameters = &event["params"];
        match event["method"].as_str().unwrap_or_default() {
            "Runtime.exceptionThrown" | "Runtime.consoleAPICalled" | "Log.entryAdded" => {
                ensure(false, format!("the console has: {parameters}"))?;
            }
            "Network.requestWillBeSent" => {
                ensure(
                    parameters["request"]["url"] == url,
                    format!("a request went out: {}", parameters["request"]["url"]),
                )?;
            }
            _ => {}
        }
    }
    Ok(())
}

async fn has(session: &mut BrowserSession, expected: &ExpectedPage) -> Result<()> {
    for selector in &expected.elements {
        let found = session.evaluate(&format!("document.querySelectorAll({}).length", json!(selector))).await?;
        ensure(found.as_u64().is_some_and(|count| count > 0), format!("there is no {selector}"))?;
    }
    let text = session.evaluate("document.body.innerText").await?;
    for part in &expected.texts {
        ensure(
            text.as_str().is_some_and(|text| text.contains(part.as_str())),
            format!("`{part}` cannot be read in: {text}"),
        )?;
    }
    let scripts = session
        .evaluate("document.scripts.length + document.querySelectorAll('img,iframe,link,object,embed,a[href]').length")
        .await?;
    ensure(scripts == 0, "there is something that runs or leads away")?;
    // Headings go down one level at a time, and a picture has a name for those who do not see it.
    let levels = session
        .evaluate("[...document.querySelectorAll('h1,h2,h3,h4')].map(heading => +heading.tagName[1])")
        .await?;
    let levels: Vec<u64> = levels.as_array().into_iter().flatten().filter_map(Value::as_u64).collect();
    ensure(levels.windows(2).all(|pair| pair[1] <= pair[0] + 1), format!("headings {levels:?}"))?;
    let nameless = "[...document.querySelectorAll('svg')].filter(svg => !svg.getAttribute('aria-labelledby').split(' \
        ').every(id => document.getElementById(id)?.textContent)).length";
    ensure(session.evaluate(nameless).await? == 0, "a picture has no title or description")?;
    ensure(
        session
            .evaluate("[...document.querySelectorAll('table')].every(table => table.caption && table.tHead)")
            .await?
            == true,
        "a table lacks its caption or heads",
    )
}

/// Nothing sticks out of the window or has to be scrolled sideways but what was unfolded, and nothing of the drawing
/// out of the drawing.
async fn fits(session: &mut BrowserSession, view: View) -> Result<()> {
    let width = session
        .evaluate("Math.max(document.documentElement.scrollWidth, document.body.scrollWidth)")
        .await?;
    ensure(
        width.as_u64() == Some(u64::from(view.width)),
        format!("the page is {width} pixels wide in a window of {}", view.width),
    )?;
    let scrolled = session
        .evaluate(
            "[...document.querySelectorAll('.pullsafe, .scroll, .pullsafe pre')].filter(part => \
             !part.closest('details') && part.scrollWidth > part.clientWidth + 1).map(part => \
             part.textContent.slice(0, 60))",
        )
        .await?;
    ensure(scrolled.as_array().is_some_and(Vec::is_empty), format!("to be scrolled sideways: {scrolled}"))?;
    let crossed = "[...document.querySelectorAll('svg')].flatMap(svg => \
        { const boxes = parts => [...svg.querySelectorAll(parts)].map(part => part.getBoundingClientRect()); \
                   return boxes('text').filter(text => boxes('.now, .refused, .limit').some(line => line.left < text.right - 1 && line.right > text.left + 1 && line.top < text.bottom - 1 && line.bottom > text.top + 1)); }).length";
    ensure(session.evaluate(crossed).await? == 0, "a label of a drawing stands on a line")?;
    let outside = "[...document.querySelectorAll('svg')].flatMap(svg => { const box = svg.getBoundingClientRect(); \
                   return [...svg.querySelectorAll('path,text')].map(part => part.getBoundingClientRect()) \
                   .filter(part => part.left < box.left - 1 || part.right > box.right + 1 || part.top < box.top - 1 || part.bottom > box.bottom + 1); }).length";
    ensure(session.evaluate(outside).await? == 0, "a part of a drawing lies outside of it")
}

/// Texts stand out from their ground as WCAG asks for (4.5 to 1).
async fn legible(session: &mut BrowserSession) -> Result<()> {
    let pale = r"(() => {
        const channels = text => { const found = text.match(/[\d.]+/g).map(Number); return found.length > 3 && found[3] === 0 ? null : found; };
        const luminance = ([r, g, b]) => { const f = v => (v /= 255) <= 0.03928 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4; return 0.2126 * f(r) + 0.7152 * f(g) + 0.0722 * f(b); };
        const ground = element => { for (let at = element; at; at = at.parentElement) { const found = channels(getComputedStyle(at).backgroundColor); if (found) return found; } return [255, 255, 255]; };
        const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
        const bad = [];
        while (walker.nextNode()) {
            const element = walker.currentNode.parentElement;
            if (!walker.currentNode.textContent.trim() || ['STYLE', 'TITLE', 'DESC', 'title', 'desc'].includes(element.tagName)) continue;
            const style = getComputedStyle(element);
            const text = channels(element.namespaceURI.endsWith('svg') ? style.fill : style.color);
            const pair = [luminance(text), luminance(ground(element))].sort((one, other) => other - one);
            const ratio = (pair[0] + 0.05) / (pair[1] + 0.05);
            if (ratio < 4.5) bad.push(`${ratio.toFixed(2)}: ${walker.currentNode.textContent.trim().slice(0, 40)}`);
        }
        return bad;
    })()";
    let pale = session.evaluate(pale).await?;
    ensure(pale.as_array().is_some_and(Vec::is_empty), format!("hard to read: {pale}"))
}

/// Whether `rgb(r, g, b)` is a dark colour.
fn is_dark(colour: &str) -> Option<bool> {
    let numbers: Vec<u32> = colour
        .split(|character: char| !character.is_ascii_digit())
        .filter_map(|number| number.parse().ok())
        .collect();
    let [red, green, blue, ..] = numbers.as_slice() else {
        return None;
    };
    Some(red + green + blue < 3 * 128)
}
