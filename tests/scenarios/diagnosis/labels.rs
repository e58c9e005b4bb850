//! Every label of the corpus holds, except those that are disputed in writing.

use crate::corpus::Stop;

/// A label that we dispute.
pub(crate) struct Argued {
    pub(crate) id: &'static str,
    /// The cause that we find instead.
    pub(crate) ours: &'static str,
    pub(crate) why: &'static str,
}

/// The labels that we dispute; as few as possible.
pub(crate) const ARGUED: &[Argued] = &[Argued {
    id: "m317",
    ours: "unknown",
    why: "The text ends at `OCI runtime create failed`, before the runtime says what failed. A missing command, a \
        mount (as m362), a cgroup or a device begin with the same words, so that naming one of them would be a guess.",
}];

#[test]
fn every_label_holds() {
    let mut wrong = Vec::new();
    for stop in Stop::all() {
        let found = stop.diagnosis();
        let argued = ARGUED.iter().find(|argued| argued.id == stop.id);
        let cause = argued.map_or(stop.expect.cause.as_str(), |argued| argued.ours);
        if found.cause.as_str() != cause {
            wrong.push(format!("{}: {} rather than {cause}", stop.id, found.cause));
        }
        if let Some(signature) = stop.expect.signature
            && found.signature != Some(signature)
        {
            wrong.push(format!("{}: signature {:?} rather than {signature}", stop.id, found.signature));
        }
        if let Some(quota) = stop.expect.docker_hub_quota
            && found.docker_hub_quota() != quota
        {
            wrong.push(format!("{}: docker_hub_quota is {}", stop.id, found.docker_hub_quota()));
        }
    }
    assert!(wrong.is_empty(), "{} labels do not hold:\n{}", wrong.len(), wrong.join("\n"));
}

#[test]
fn no_other_cause_is_ever_docker_hubs_quota() {
    for stop in Stop::all() {
        if stop.diagnosis().docker_hub_quota() {
            assert_eq!(stop.expect.docker_hub_quota, Some(true), "{}", stop.id);
        }
    }
}

#[test]
fn what_is_argued_with_is_in_the_corpus_and_differs() {
    let stops = Stop::all();
    for argued in ARGUED {
        let stop = stops.iter().find(|stop| stop.id == argued.id).expect("the row exists");
        assert_ne!(stop.expect.cause.as_str(), argued.ours, "{}: nothing is left to argue", argued.id);
        assert!(argued.why.len() > 80, "{}: say why", argued.id);
    }
}

#[test]
fn every_diagnosis_has_advice_and_evidence() {
    for stop in Stop::all() {
        let found = stop.diagnosis();
        assert!(!found.advice.is_empty(), "{}", stop.id);
        assert!(!found.evidence.is_empty(), "{}", stop.id);
        assert!(
            !found.advice.contains("{"),
            "{}: an unfilled name in `{}`",
            stop.id,
            found.advice.split('{').nth(1).unwrap_or_default()
        );
    }
}
