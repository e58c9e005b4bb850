use super::*;

fn read(pairs: &[(&str, &str)]) -> Result<Settings, Vec<SettingFault>> {
    Settings::read(|name| pairs.iter().find(|(key, _)| *key == name).map(|(_, value)| (*value).to_owned()))
}

const REQUIRED: [(&str, &str); 3] = [("PULLSAFE_TABLE", "t"), ("PULLSAFE_TOPIC_ARN", "a"), ("PULLSAFE_QUEUE_URL", "q")];

#[test]
fn observes_by_default_and_has_no_mirror_until_told() {
    let settings = read(&REQUIRED).unwrap();
    assert_eq!((settings.mode, settings.ahead, settings.pause_after), (Mode::Observe, Ahead::Warn, 2));
    assert_eq!((settings.mirror, settings.mirror_queue_url), (None, None));
    assert!(!settings.allow_tag_to_act && !settings.notify_all_builds);
    assert_eq!(settings.log_groups, ["/ecs/*", "/aws/ecs/*", "/copilot/*", "/aws/codebuild/*"]);
}

#[test]
fn the_mirror_runs_without_any_setting() {
    assert_eq!(MirrorSettings::read(|_| None).unwrap(), MirrorSettings::default());
    let value = |name: &str| if name == FORMAT.name { "chatbot".to_owned() } else { name.to_owned() };
    let set =
        MirrorSettings::read(|name| OF_MIRROR.iter().any(|setting| setting.name == name).then(|| value(name))).unwrap();
    assert_eq!(set.queue_url.as_deref(), Some("PULLSAFE_MIRROR_QUEUE_URL"));
    assert_eq!(set.plan_queue_url.as_deref(), Some("PULLSAFE_MIRROR_PLAN_QUEUE_URL"));
    assert_eq!(set.config_parameter.as_deref(), Some("PULLSAFE_MIRROR_CONFIG"));
    assert_eq!(set.hub_secret.as_deref(), Some("PULLSAFE_DOCKER_HUB_SECRET"));
    assert_eq!((set.event_bus.as_str(), set.format), ("PULLSAFE_EVENT_BUS", MessageFormat::Chatbot));
    assert!(MirrorSettings::read(|name| (name == FORMAT.name).then(|| "xml".to_owned())).is_err());
}

#[test]
fn the_gate_starts_with_no_bad_value() {
    let read = |pairs: &[(&str, &str)]| {
        GateSettings::read(|name| pairs.iter().find(|(key, _)| *key == name).map(|(_, value)| (*value).to_owned()))
    };
    let set = read(&[
        ("PULLSAFE_TABLE", "t"),
        ("PULLSAFE_MIRROR_REGISTRY", "r"),
        ("PULLSAFE_GATE_QUEUE_URL", "https://sqs.eu-west-1.amazonaws.com/1/q"),
    ])
    .unwrap();
    assert_eq!(set.mirror, Some(MirrorLocation { registry: "r".to_owned(), prefix: "docker-hub".to_owned() }));
    assert!(!set.allow_local_response_url && set.mirror_queue_url.is_none());
    let faults =
        read(&[("PULLSAFE_ALLOW_LOCAL_RESPONSE_URL", "yes"), ("PULLSAFE_MIRROR_QUEUE_URL", "queue")]).unwrap_err();
    let names: Vec<_> = faults.iter().map(|fault| fault.name).collect();
    assert_eq!(names, ["PULLSAFE_TABLE", "PULLSAFE_MIRROR_QUEUE_URL", "PULLSAFE_ALLOW_LOCAL_RESPONSE_URL"]);
}

#[test]
fn reports_every_fault_with_its_name() {
    let faults = read(&[("PULLSAFE_MODE", "yes"), ("PULLSAFE_PAUSE_AFTER", "0"), ("PULLSAFE_TABLE", "t")]).unwrap_err();
    let names: Vec<_> = faults.iter().map(|fault| fault.name).collect();
    assert_eq!(names, ["PULLSAFE_MODE", "PULLSAFE_TOPIC_ARN", "PULLSAFE_QUEUE_URL", "PULLSAFE_PAUSE_AFTER"]);
    assert_eq!(faults[0].to_string(), "PULLSAFE_MODE: is `yes`, expected `observe`, `ask` or `act` (or `off`)");
}
