//! temporary
use std::path::PathBuf;
#[test]
fn dump() {
    let Ok(root) = std::env::var("DUMP") else { return };
    for entry in std::fs::read_dir(&root).unwrap() {
        let dir: PathBuf = entry.unwrap().path();
        let r = dir.to_str().unwrap().to_owned() + "/";
        let s = pullsafe_scan::walk::scan(&[dir.clone()], Default::default()).unwrap();
        let mut out = String::new();
        for f in &s.findings {
            out.push_str(&format!(
                "{}:{}:{} {} {} {}",
                f.file.replace(&r, ""),
                f.line,
                f.column,
                f.place.as_str(),
                f.registry.map_or("-", |r| r.as_str()),
                f.reference
            ));
            if f.official {
                out.push_str(" official");
            }
            if f.pinned {
                out.push_str(" pinned");
            }
            for v in &f.variables {
                out.push_str(&format!(" ?{v}"));
            }
            out.push('\n');
        }
        for p in &s.problems {
            out.push_str(&format!("! {}\n", p.to_string().replace(&r, "")));
        }
        std::fs::write(dir.join("expected.txt"), out).unwrap();
    }
}
