//! The configuration of what is mirrored, from its parameter.

use crate::aws::parameter;
use crate::decide::MirrorConfig;
use pullsafe::reference::ecr_host;
use pullsafe_aws::Failure;

use crate::MirrorFunction;

/// Why there is no configuration.
#[derive(Debug)]
pub(crate) enum Unusable {
    /// The parameter could not be read.
    Unread(Failure),
    /// It says what cannot be: every fault, a line each.
    Wrong(Vec<String>),
}

impl MirrorFunction {
    /// The configuration as it is now; `None` if there is no parameter for it.
    pub(crate) async fn configuration(&self) -> Result<Option<MirrorConfig>, Unusable> {
        let Some(name) = &self.settings.config_parameter else {
            return Ok(None);
        };
        let text = parameter::value(&self.config, name).await.map_err(Unusable::Unread)?;
        let config = MirrorConfig::parse(&text)
            .map_err(|faults| Unusable::Wrong(faults.iter().map(|fault| format!("{name}: {fault}")).collect()))?;
        let mut faults = Vec::new();
        if ecr_host(&config.registry).is_none() {
            faults.push(format!(
                "{name}: `registry` is `{}`: the function mirrors to private registries of Amazon ECR; `pullsafe \
                 mirror` does to any",
                config.registry
            ));
        }
        let own = &self.settings.prefix;
        let below = config.prefix == *own || config.prefix.strip_prefix(own).is_some_and(|rest| rest.starts_with('/'));
        if !below {
            faults.push(format!(
                "{name}: `prefix` is `{}`: the stack lets the function write below `{own}` only (parameter \
                 MirrorPrefix)",
                config.prefix
            ));
        }
        if faults.is_empty() { Ok(Some(config)) } else { Err(Unusable::Wrong(faults)) }
    }
}
