//! What the code needs from the template, for each function. The lists are those of the code.

use std::collections::BTreeSet;

use pullsafe::permission;
use pullsafe::permission::Permission;
use pullsafe::settings;
use pullsafe::settings::Setting;
use pullsafe_registry::endpoints::VARIABLE;

/// One function, as the code declares it.
pub(crate) struct Declared {
    /// The logical id of the function in the template.
    pub(crate) function: &'static str,
    settings: &'static [Setting],
    /// Variables that are not settings of the domain.
    adapters: &'static [&'static str],
    /// What the function does that needs a permission.
    pub(crate) permissions: &'static [Permission],
}

impl Declared {
    /// The environment variables that the function reads, except AWS's own.
    pub(crate) fn environment(&self) -> BTreeSet<&'static str> {
        self.settings.iter().map(|setting| setting.name).chain(self.adapters.iter().copied()).collect()
    }

    /// The AWS actions that the function needs: those that its code calls, and those that Lambda calls for it.
    pub(crate) fn actions(&self) -> BTreeSet<&'static str> {
        permission::actions(self.permissions).into_iter().collect()
    }
}

/// Every function of the template.
pub(crate) const FUNCTIONS: &[Declared] = &[
    Declared {
        function: "RemediatorFunction",
        settings: settings::ALL,
        adapters: &[VARIABLE],
        permissions: permission::REMEDIATOR,
    },
    Declared {
        function: "MirrorFunction",
        settings: settings::OF_MIRROR,
        adapters: &[VARIABLE],
        permissions: permission::MIRROR,
    },
    Declared {
        function: "WidgetFunction",
        settings: settings::OF_WIDGET,
        adapters: &[],
        permissions: permission::WIDGET,
    },
    Declared {
        function: "ProbeFunction",
        settings: settings::OF_PROBE,
        adapters: &[VARIABLE],
        permissions: permission::PROBE,
    },
    Declared {
        function: "ImageGateFunction",
        settings: settings::OF_GATE,
        adapters: &[VARIABLE],
        permissions: permission::GATE,
    },
    Declared {
        function: "GateWakerFunction",
        settings: settings::OF_GATE,
        adapters: &[VARIABLE],
        permissions: permission::WAKER,
    },
];

#[test]
fn no_action_is_listed_twice() {
    for declared in FUNCTIONS {
        assert_eq!(permission::actions(declared.permissions).len(), declared.actions().len(), "{}", declared.function);
    }
}
