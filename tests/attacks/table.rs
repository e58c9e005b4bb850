//! Every attack is a row: what is tried, whose text it is, and a scenario that asserts what did not happen.
//!
//! A new attack is a function in the file of its surface and a line here.

mod bounds;
mod evil;
mod fuzz;
mod mirror;
mod names;
mod registry;
mod secrets;

use std::future::Future;
use std::pin::Pin;
use std::thread;

/// Who writes a text that pullsafe reads (docs/security-model.md).
#[derive(Debug, Clone, Copy)]
pub(crate) enum Author {
    /// Whoever may register task definitions, tag or deploy in this account.
    Tenant,
    /// Whoever may deploy a stack in another account of the organization.
    OtherAccount,
    /// Whoever runs a registry, or pushes to one.
    Registry,
}

impl Author {
    const fn as_str(self) -> &'static str {
        match self {
            Self::Tenant => "tenant",
            Self::OtherAccount => "other account",
            Self::Registry => "registry",
        }
    }
}

/// Plays an attack and gives its outcome in a few words. It panics where the attack gets further than it may.
type Play = fn() -> Pin<Box<dyn Future<Output = String>>>;

/// An attack.
pub(crate) struct Attack {
    what: &'static str,
    author: Author,
    play: Play,
}

/// A row of the table.
macro_rules! attacks {
    ($($what:literal, $author:ident => $play:path;)+) => {
        &[$(Attack { what: $what, author: Author::$author, play: || Box::pin($play()) },)+]
    };
}

const ATTACKS: &[Attack] = attacks! {
    "replaces python:3.12 of the mirror by an image of its own", Tenant => mirror::poison;
    "the same through a stack's Source, from another account", OtherAccount => mirror::poison_through_the_gate;
    "moves the mirror's tag back to an old digest", Tenant => mirror::roll_back;
    "has a private image copied with the stack's secret", OtherAccount => mirror::private_image;
    "writes a plan into the queue of requests", Tenant => mirror::forged_plan;
    "has the mirror speak to this machine and its network", Tenant => names::this_machine;
    "writes another host into the region of an ECR host", Tenant => names::region_of_ecr;
    "writes another host into awslogs-region", Tenant => names::region_of_logs;
    "takes the credentials along to a second and a third host", Registry => registry::credentials_stay;
    "sends the credentials to a token service of its choice", Registry => registry::token_service;
    "takes an upload to another host's credentials", Registry => registry::upload_elsewhere;
    "states numbers that no clock can hold", Registry => bounds::numbers;
    "drips an answer, a byte at a time", Registry => bounds::dripping;
    "sends an index that refers to itself in every entry", Registry => bounds::laughs;
    "sends 120 manifests of 4 MiB, and a thousand pages of tags", Registry => bounds::memory;
    "has a secret shown, at TRACE, by refusing or repeating it", Registry => secrets::at_trace;
};

#[test]
fn every_attack_ends_in_nothing() {
    let mut failed = Vec::new();
    println!("{:<60} {:<14} outcome", "attack", "author");
    for attack in ATTACKS {
        let play = attack.play;
        let runtime = || tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
        let outcome = thread::Builder::new().stack_size(8 << 20).spawn(move || runtime().block_on(play())).expect("a thread").join();
        let outcome = outcome.unwrap_or_else(|_| {
            failed.push(attack.what);
            "GOT THROUGH".to_owned()
        });
        println!("{:<60} {:<14} {outcome}", attack.what, attack.author.as_str());
    }
    assert!(failed.is_empty(), "these got through: {failed:#?}");
}
