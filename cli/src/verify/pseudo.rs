//! The values that CloudFormation fills in by itself: account, region and suffix, as they are where the credentials
//! deploy. A synthesized CDK app uses them in the names of its own images.

use pullsafe::reference::{Partition, Region};
use pullsafe_aws::SdkConfig;
use pullsafe_aws::json::{JsonApi, STS, element};
use pullsafe_find::finding::{Finding, PlaceKind};

pub(super) struct Pseudo {
    values: Vec<(&'static str, String)>,
    /// Why the account is unknown.
    pub(super) why_not: Option<String>,
}

/// Whether an image's name depends on the pseudo parameters of CloudFormation.
pub(super) fn is_open(finding: &Finding) -> bool {
    finding.place == PlaceKind::CloudFormation && finding.parsed().is_none() && finding.reference.contains("${AWS::")
}

impl Pseudo {
    /// Makes the pseudo parameters of this account and region.
    pub(super) async fn of(config: &SdkConfig) -> Self {
        let region = config.region().map(ToString::to_string).unwrap_or_default();
        let partition = region.parse::<Region>().ok().map(|region| region.partition());
        let suffix = match partition {
            Some(Partition::Standard | Partition::UsGov) => Some("amazonaws.com"),
            Some(Partition::China) => Some("amazonaws.com.cn"),
            Some(Partition::Other) | None => None,
        };
        let asked = JsonApi::new(config, STS).query("sts:GetCallerIdentity", "2011-06-15", &[]).await;
        let (account, why_not) = match asked {
            Ok(answer) => (element(&answer, "Account").map(str::to_owned), None),
            Err(failure) => (None, Some(failure.to_string())),
        };
        let known = [
            ("${AWS::AccountId}", account),
            ("${AWS::Region}", Some(region).filter(|region| !region.is_empty())),
            ("${AWS::URLSuffix}", suffix.map(str::to_owned)),
        ];
        let values = known.into_iter().filter_map(|(name, value)| Some((name, value?))).collect();
        Self { values, why_not }
    }

    /// Replaces the pseudo parameters in a text by their values.
    pub(super) fn fill(&self, text: &str) -> String {
        self.values.iter().fold(text.to_owned(), |text, (name, value)| text.replace(name, value))
    }
}
