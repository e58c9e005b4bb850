//! Prints what a tree pulls, one line each; for looking at by hand.
use std::path::PathBuf;
fn main() {
    let paths: Vec<PathBuf> = std::env::args().skip(1).map(PathBuf::from).collect();
    let start = std::time::Instant::now();
    let scanned = pullsafe_scan::walk::scan(&paths, Default::default()).unwrap();
    for f in &scanned.findings {
        println!("{}:{}:{} {} {} {} {}{}{:?} written={}", f.file, f.line, f.column, f.place.as_str(), f.registry.map_or("?", |r| r.as_str()), f.reference, if f.official {"official "} else {""}, if f.pinned {"pinned "} else {""}, f.variables, f.written);
    }
    for p in &scanned.problems { println!("PROBLEM {p}"); }
    for p in &scanned.skipped { println!("SKIPPED {} {}", p.file, p.reason); }
    eprintln!("{} seen, {} read, {:?}", scanned.seen, scanned.read, start.elapsed());
}
