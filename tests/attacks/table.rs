//! Every attack is a row: what is tried, whose text it is, and a scenario that checks what did not happen.
//!
//! A new attack is a function in the file of its surface and a line here.

mod answers;
mod bounds;
mod drills;
mod evil;
mod fuzz;
mod gate;
mod limits;
mod logs;
mod mirror;
mod model;
mod names;
mod registry;
mod scanned;
mod secrets;
mod services;

use std::future::Future;
use std::pin::Pin;
use std::thread;

/// Who writes a text that pullsafe reads; see docs/security-model.md.
#[derive(Debug, Clone, Copy)]
pub(crate) enum TextAuthor {
    /// Somebody who may register task definitions, tag or deploy in this account.
    Tenant,
    /// Somebody who may deploy a stack in another account of the organization.
    OtherAccount,
    /// Somebody who runs a registry, or pushes to one.
    Registry,
    /// Somebody who writes to a repository that is scanned.
    Repository,
}

impl TextAuthor {
    const fn as_str(self) -> &'static str {
        match self {
            Self::Tenant => "tenant",
            Self::OtherAccount => "other account",
            Self::Registry => "registry",
            Self::Repository => "repository",
        }
    }
}

/// Plays an attack and returns its outcome in a few words. Panics if the attack gets further than it may.
type Play = fn() -> Pin<Box<dyn Future<Output = String>>>;

pub(crate) struct Attack {
    /// The name in docs/security-model.md: file and function.
    name: &'static str,
    what: &'static str,
    author: TextAuthor,
    play: Play,
}

/// Builds the table from its rows.
macro_rules! attacks {
    ($($what:literal, $author:ident => $play:path;)+) => {
        &[$(Attack { name: stringify!($play), what: $what, author: TextAuthor::$author, play: || Box::pin($play()) },)+]
    };
}

pub(crate) const ATTACKS: &[Attack] = attacks! {
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
    "says nonsense, or another's name, in the headers that the probe reads", Registry => limits::headers;
    "drips an answer, a byte at a time", Registry => bounds::dripping;
    "sends an index that refers to itself in every entry", Registry => bounds::laughs;
    "sends 120 manifests of 4 MiB, and a thousand pages of tags", Registry => bounds::memory;
    "leads an answer, or an upload, from https to http", Registry => registry::downgrade;
    "has the mirror show a secret, at TRACE", Registry => secrets::mirror;
    "has the remediator show a secret, at TRACE", Tenant => secrets::remediator;
    "has the gate or its waker show an address for an answer, at TRACE", OtherAccount => secrets::gate;
    "has the widget show a secret, at TRACE", Tenant => secrets::widget;
    "has a service's incident opened by a task of their own", Tenant => services::strangers_task;
    "makes up a thousand task groups", Tenant => services::made_up_groups;
    "makes up task groups while the function dies", Tenant => services::made_up_groups_and_deaths;
    "makes up a storm to hide a service in", Tenant => services::made_up_storm;
    "writes the tags of a pause, with a count of their choice", Tenant => services::made_up_marks;
    "rewrites the tags of a pause that is under way", Tenant => services::rewritten_marks;
    "writes the tags of another stack onto a service", Tenant => services::marks_of_another_stack;
    "raises an observing stack by a tag", Tenant => services::tag_to_act;
    "says yes to a question by an event, a message or a tag", Tenant => answers::forged;
    "guesses the code of a question", Tenant => answers::guessed;
    "says yes in the name of somebody else", Tenant => answers::claimed_name;
    "has the signature of an answer shown, at TRACE", Tenant => answers::shown_proof;
    "changes what runs by the mirror's tag after a move", Tenant => services::moved_is_pinned;
    "plays drills by the hundred, also as if they were more than drills", Tenant => drills::forged;
    "puts events of AWS onto the bus under another source", Tenant => services::forged_events;
    "puts readings of the probe onto the bus", Tenant => limits::made_up_readings;
    "pushes what sounds like what somebody waits for", Tenant => services::pushes_of_others;
    "has a task pull from this machine, and the function ask there", Tenant => services::loopback_images;
    "names a log of somebody else in a task definition", Tenant => logs::of_others;
    "has lines of a log on the bus that everybody reads", Tenant => logs::on_the_bus;
    "writes into a message by the names of tasks and images", Tenant => services::words;
    "has a platform dropped or added that the configuration chose", Tenant => mirror::platforms;
    "names an address for the answer that is not CloudFormation's", OtherAccount => gate::answers_elsewhere;
    "cancels the wait of another stack by a Delete", OtherAccount => gate::forged_delete;
    "asks the gate what the registry holds", OtherAccount => gate::what_the_registry_holds;
    "has the gate ask the mirror for another source", OtherAccount => gate::sources;
    "writes into the reason that a person reads", OtherAccount => gate::words;
    "has a file read that is not below the scanned paths", Repository => scanned::neighbours;
    "has the scan open what never ends", Repository => scanned::devices;
    "has a file written behind a link", Repository => scanned::written_through_links;
    "has its toolchain run by the action or the hook", Repository => scanned::toolchain;
    "has one file parsed again and again", Repository => scanned::costs;
    "writes into the terminal or the workflow of the reader", Repository => scanned::words;
};

#[test]
fn every_attack_ends_in_nothing() {
    let mut failed = Vec::new();
    println!("{:<66} {:<14} outcome", "attack", "author");
    for attack in ATTACKS {
        let play = attack.play;
        let runtime = || tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
        let outcome = thread::Builder::new()
            .stack_size(32 << 20)
            .spawn(move || runtime().block_on(play()))
            .expect("a thread")
            .join();
        let outcome = outcome.unwrap_or_else(|_| {
            failed.push(attack.what);
            "GOT THROUGH".to_owned()
        });
        println!("{:<66} {:<14} {outcome}", attack.what, attack.author.as_str());
    }
    assert!(failed.is_empty(), "these got through: {failed:#?}");
}
