//! The property `Platforms`: what the image has to be for, in OCI's names or in those that Docker and AWS know them by.

use std::str::FromStr as _;

use serde_json::Value;

use super::foreign::shown;
use super::refusal::PropertyRefusal;
use pullsafe::manifest::Platform;
use pullsafe::similar::similar;

const PROPERTY: &str = "Platforms";
/// Systems of container images, and the processors that each of them runs on.
const KNOWN: [(&str, &[&str]); 3] = [
    (
        "linux",
        &["amd64", "arm64", "arm", "386", "ppc64le", "s390x", "riscv64", "loong64", "mips64", "mips64le"],
    ),
    ("windows", &["amd64", "arm64", "386", "arm"]),
    ("freebsd", &["amd64", "arm64", "riscv64"]),
];
/// Variants by processor.
const VARIANTS: [(&str, &[&str]); 3] =
    [("amd64", &["v1", "v2", "v3", "v4"]), ("arm64", &["v8", "v9"]), ("arm", &["v5", "v6", "v7", "v8"])];
/// Other names of processors, as containerd, `uname` and CloudFormation write them: the processor, and its variant.
const ALIASES: [(&str, &str, Option<&str>); 12] = [
    ("x86_64", "amd64", None),
    ("x86-64", "amd64", None),
    ("x64", "amd64", None),
    ("aarch64", "arm64", None),
    ("armhf", "arm", Some("v7")),
    ("armel", "arm", Some("v6")),
    ("armv7l", "arm", Some("v7")),
    ("armv6l", "arm", Some("v6")),
    ("i386", "386", None),
    ("i686", "386", None),
    ("x86", "386", None),
    ("ppc64el", "ppc64le", None),
];

/// Reads it: a list, or a text with commas. Each platform once.
///
/// # Errors
/// The first that no image can be for.
pub(super) fn parse(value: &Value) -> Result<Vec<Platform>, PropertyRefusal> {
    let mut platforms = Vec::new();
    for text in texts(value)? {
        let platform = one(&text)?;
        if !platforms.contains(&platform) {
            platforms.push(platform);
        }
    }
    Ok(platforms)
}

fn texts(value: &Value) -> Result<Vec<String>, PropertyRefusal> {
    let split = |text: &str| {
        text.split(',')
            .map(str::trim)
            .filter(|part| !part.is_empty())
            .map(str::to_owned)
            .collect::<Vec<_>>()
    };
    let example = "a list, or a text with commas, such as linux/amd64,linux/arm64";
    match value {
        Value::Null => Ok(Vec::new()),
        Value::String(text) => Ok(split(text)),
        Value::Number(number) => Ok(vec![number.to_string()]),
        Value::Array(items) => {
            let text = |item: &Value| match item {
                Value::String(text) => Ok(split(text)),
                Value::Number(number) => Ok(vec![number.to_string()]),
                Value::Null | Value::Bool(_) | Value::Array(_) | Value::Object(_) => {
                    Err(PropertyRefusal::without_value(PROPERTY, "holds something that is not a text", example))
                }
            };
            Ok(items.iter().map(text).collect::<Result<Vec<_>, _>>()?.concat())
        }
        Value::Bool(_) | Value::Object(_) => {
            Err(PropertyRefusal::without_value(PROPERTY, "is neither a text nor a list", example))
        }
    }
}

fn one(text: &str) -> Result<Platform, PropertyRefusal> {
    let refuse = |why: String, write: String| Err(PropertyRefusal::new(PROPERTY, text, why, write));
    if text.contains([' ', ';', '|', '\t']) {
        let parts: Vec<&str> = text.split([' ', ';', '|', '\t']).filter(|part| !part.is_empty()).collect();
        return refuse(
            "holds more than one platform, or something else".to_owned(),
            format!("commas between them: {}", shown(&parts.join(","))),
        );
    }
    let lower = text.to_ascii_lowercase();
    // Docker takes a processor alone for one of Linux.
    let with_system = if lower.contains('/') || KNOWN.iter().any(|(system, _)| *system == lower) {
        lower
    } else {
        format!("linux/{lower}")
    };
    let Ok(mut platform) = Platform::from_str(&with_system) else {
        return refuse(
            "is not os/architecture or os/architecture/variant".to_owned(),
            "one of the form linux/arm64".to_owned(),
        );
    };
    if let Some((_, architecture, variant)) = ALIASES.iter().find(|(alias, ..)| *alias == platform.architecture) {
        platform.architecture = (*architecture).to_owned();
        platform.variant = platform.variant.or_else(|| variant.map(str::to_owned));
    }
    let Some((_, architectures)) = KNOWN.iter().find(|(system, _)| *system == platform.os) else {
        let systems: Vec<&str> = KNOWN.iter().map(|(system, _)| *system).collect();
        return refuse(
            format!("names a system that no image is for; known are {}", systems.join(", ")),
            format!("linux/{}", shown(&platform.architecture)),
        );
    };
    if !architectures.contains(&platform.architecture.as_str()) {
        let nearest =
            similar(&platform.architecture, architectures.iter().copied()).into_iter().next().unwrap_or("arm64");
        let why =
            format!("names a processor that is not known for {}; known are {}", platform.os, architectures.join(", "));
        return refuse(why, format!("{}/{nearest}, if that is meant", platform.os));
    }
    if let Some(variant) = &platform.variant {
        let variants = VARIANTS
            .iter()
            .find(|(architecture, _)| *architecture == platform.architecture)
            .map_or(&[][..], |(_, variants)| *variants);
        if !variants.contains(&variant.as_str()) {
            return refuse(
                "names a variant that is not known".to_owned(),
                format!("{}/{}", platform.os, platform.architecture),
            );
        }
    }
    Ok(platform)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn every_name_of_a_platform_is_understood_and_no_other() {
        for (value, expected) in [
            (json!("linux/x86_64"), "linux/amd64"),
            (json!(["X86_64", "ARM64"]), "linux/amd64,linux/arm64"),
            (json!("arm64, linux/arm64"), "linux/arm64"),
            (json!("linux/aarch64"), "linux/arm64"),
            (json!("armhf"), "linux/arm/v7"),
            (json!(386), "linux/386"),
            (json!("windows/amd64"), "windows/amd64"),
            (json!("Linux/ARM64/V8"), "linux/arm64/v8"),
            (json!(null), ""),
        ] {
            let platforms: Vec<String> = parse(&value).unwrap().iter().map(ToString::to_string).collect();
            assert_eq!(platforms.join(","), expected, "{value}");
        }
        for value in [
            "linux/amd65",
            "linux",
            "linx/amd64",
            "linux/arm64/v1",
            "linux/s390x/v8",
            "linux//amd64",
            "a/b/c/d",
            "any",
        ] {
            assert!(parse(&json!(value)).is_err(), "{value}");
        }
        assert!(parse(&json!("linux/amd65")).unwrap_err().to_string().contains("linux/amd64, if that is meant"));
    }
}
