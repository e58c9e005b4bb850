//! CloudFormation: whether the stack of a service is being deployed, and which stacks of pullsafe the region has.

use aws_sdk_cloudformation::types::{Stack, StackStatus};

use pullsafe::lookup::Lookup;
use pullsafe::stack::{Sibling, has_functions, is_pullsafe};
use pullsafe::timestamp::Timestamp;
use pullsafe_aws::failure::{Failure, FailureKind};
use remediator_decide::observation;

/// AWS CloudFormation.
#[derive(Debug, Clone)]
pub struct Stacks(aws_sdk_cloudformation::Client);

impl Stacks {
    /// Makes a client with the credentials, region and HTTP client of this configuration.
    pub fn new(config: &aws_config::SdkConfig) -> Self {
        Self(aws_sdk_cloudformation::Client::new(config))
    }

    /// A stack's status, by its name or id.
    pub async fn status(&self, name: &str) -> Lookup<observation::Stack> {
        let operation = self.0.describe_stacks().stack_name(name);
        match operation.send().await.map_err(|error| Failure::of("cloudformation:DescribeStacks", &error)) {
            Ok(answer) => match answer.stacks().first() {
                Some(stack) => Lookup::Found(observation::Stack {
                    name: stack.stack_name().unwrap_or(name).to_owned(),
                    status: stack.stack_status().map_or("", |status| status.as_str()).into(),
                }),
                None => Lookup::Absent,
            },
            Err(failure) if is_absent(&failure) => Lookup::Absent,
            Err(failure) => failure.doubt(),
        }
    }

    /// The stacks of this template in the region. For the one called `own`, only its age is looked up.
    ///
    /// They are found by `ListStacks`. `DescribeStacks` without a name is not authorised on single stacks, so it would
    /// need a grant on everything, and it reads every parameter of every stack.
    ///
    /// # Errors
    /// A call failed.
    pub async fn of_pullsafe(&self, own: &str) -> Result<Vec<Sibling>, Failure> {
        let alive = StackStatus::values()
            .iter()
            .copied()
            .filter(|status| has_functions(status))
            .map(StackStatus::from)
            .collect();
        let mut pages = self.0.list_stacks().set_stack_status_filter(Some(alive)).into_paginator().send();
        let mut found = Vec::new();
        while let Some(page) = pages.next().await {
            let page = page.map_err(|error| Failure::of("cloudformation:ListStacks", &error))?;
            found.extend(
                page.stack_summaries
                    .unwrap_or_default()
                    .into_iter()
                    .filter(|stack| is_pullsafe(stack.template_description())),
            );
        }
        let mut siblings = Vec::new();
        for stack in found {
            let (Some(name), Some(created)) =
                (stack.stack_name(), stack.creation_time().and_then(|at| at.to_millis().ok()))
            else {
                continue;
            };
            let created = Timestamp::from_millis(created);
            if name == own {
                siblings.push(Sibling::of(name, created, |_| None));
                continue;
            }
            let described = self.0.describe_stacks().stack_name(stack.stack_id().unwrap_or(name)).send().await;
            match described.map_err(|error| Failure::of("cloudformation:DescribeStacks", &error)) {
                Ok(answer) => siblings.extend(answer.stacks().iter().map(|stack| sibling(name, created, stack))),
                // The stack was deleted in between.
                Err(failure) if is_absent(&failure) => {}
                Err(failure) => return Err(failure),
            }
        }
        Ok(siblings)
    }
}

/// Whether a failure means that there is no such stack. CloudFormation has no error code of its own for that.
fn is_absent(failure: &Failure) -> bool {
    failure.kind == FailureKind::Refused
        && failure.message.as_deref().is_some_and(|text| text.contains("does not exist"))
}

fn sibling(name: &str, created: Timestamp, stack: &Stack) -> Sibling {
    let find = |wanted: &str| stack.parameters().iter().find(|parameter| parameter.parameter_key() == Some(wanted));
    Sibling::of(name, created, |wanted| find(wanted)?.parameter_value())
}
