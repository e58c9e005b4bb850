//! Says what a message means: `cargo run -p pullsafe-diagnosis --example message -- 'CannotPullContainerError: ...'`.

use pullsafe_diagnosis::diagnose_text;
use pullsafe_diagnosis::explain::explain;

fn main() {
    let text = std::env::args().skip(1).collect::<Vec<_>>().join(" ");
    match diagnose_text(&text, None, "the message") {
        Some(found) => println!("{} ({}): {}", found.cause, found.confidence, found.advice),
        None => println!("it says nothing that is known"),
    }
    for (link, says) in explain(&text, None).links {
        println!("  {says}: {link}");
    }
}
