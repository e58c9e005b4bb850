//! What the author of a scanned repository tries: to have other files read, written or shown; to have a program run; to
//! make the scan take for ever; to write into the reader's terminal or workflow.

use pullsafe_scan::report::FindingsShown;
use pullsafe_scan::rewrite::Official;
use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::mpsc;
use std::time::{Duration, Instant};

use pullsafe_find::disk::Disk;
use pullsafe_find::walk::{Options, Scanned, scan};
use pullsafe_scan::mirror_config::mirror_config;
use pullsafe_scan::report::{Colours, github, json, sarif, terminal, text};
use pullsafe_scan::rewrite::{NewRegistry, compose_override, plan, replace, unified};

const SECRET: &str = "s3cret-from-elsewhere";

/// A tree to scan, beside a folder that the scan must not touch.
fn tree(name: &str) -> PathBuf {
    let root = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("attacks-{name}"));
    if root.exists() {
        fs::remove_dir_all(&root).unwrap();
    }
    fs::create_dir_all(root.join("tree/app")).unwrap();
    fs::create_dir_all(root.join("outside")).unwrap();
    root
}

/// Scans a path, and panics if the scan does not end.
fn scanned(path: &Path) -> Scanned {
    let (path, (said, hears)) = (path.to_owned(), mpsc::channel());
    let shown = path.display().to_string();
    std::thread::spawn(move || drop(said.send(scan(&[path], Options::default()))));
    hears
        .recv_timeout(Duration::from_secs(60))
        .unwrap_or_else(|_| panic!("the scan of {shown} hangs"))
        .unwrap()
}

/// Everything that a scan can print.
fn outputs(root: &Path, scanned: &Scanned) -> Vec<(&'static str, String)> {
    let target = NewRegistry::new(Some("registry.example.com"), "hub", Official::AsOthers).unwrap();
    let plan = plan(&scanned.findings, &scanned.elsewhere, &target, &Disk::below(&[root.to_owned()], 1 << 20));
    let diff = plan
        .edits
        .iter()
        .filter_map(|(file, edits)| unified(file, &fs::read_to_string(file).unwrap(), edits))
        .collect();
    vec![
        ("text", text(scanned, FindingsShown::All)),
        ("terminal", terminal(scanned, FindingsShown::All, Colours::None, Some(&target))),
        ("json", json(scanned)),
        ("sarif", sarif(scanned, Some(&target))),
        ("github", github(scanned)),
        ("override", compose_override(&scanned.findings, &target).text),
        ("mirror", mirror_config(&scanned.findings, None, "hub")),
        ("diff", diff),
    ]
}

fn assert_no_secret(root: &Path, scanned: &Scanned) {
    for (name, output) in outputs(root, scanned) {
        assert!(!output.contains(SECRET), "{name}: {output}");
    }
}

pub(crate) async fn neighbours() -> String {
    let root = tree("neighbours");
    let (app, outside) = (root.join("tree/app"), root.join("outside"));
    fs::write(outside.join("env"), format!("TOKEN={SECRET}\n")).unwrap();
    fs::write(outside.join("base.yml"), format!("services:\n  x:\n    image: {SECRET}\n    build: .\n")).unwrap();
    fs::write(outside.join("Dockerfile"), format!("ARG A\nFROM {SECRET}$A\n")).unwrap();
    // An ignore file whose lines are invalid patterns. The messages about them must not show their text.
    fs::write(outside.join("ignore"), format!("[{SECRET}\n{SECRET}**[\n")).unwrap();
    let mut tried = 0;
    for (link, to) in [
        (".env", outside.join("env")),
        ("Dockerfile", outside.join("Dockerfile")),
        ("base.yml", outside.join("base.yml")),
        (".gitignore", outside.join("ignore")),
        (".ignore", outside.join("ignore")),
        (".pullsafeignore", outside.join("ignore")),
        ("sub", outside.clone()),
    ] {
        symlink(to, app.join(link)).unwrap();
        tried += 1;
    }
    let compose = format!(
        "services:\n  a: {{image: x/$TOKEN}}\n  b: {{extends: {{file: {0}/base.yml, service: x}}, image: \
         redis:7}}\n  c: {{build: {{context: {0}, args: {{A: ':1'}}}}}}\n  \
         d: {{build: {{context: ../../outside}}}}\n  e: {{build: {{context: ., args: {{A: ':1'}}}}}}\n  f: {{extends: \
         {{file: base.yml, service: x}}, image: redis:7}}\n  \
         g: {{build: sub}}\n  h: {{env_file: {0}/env, image: y/$TOKEN}}\n",
        outside.display()
    );
    fs::write(app.join("compose.yml"), compose).unwrap();
    for path in [root.join("tree"), app.clone(), app.join("compose.yml")] {
        assert_no_secret(&root, &scanned(&path));
    }
    // A variable's value from a neighbouring file is shown only where it is an image.
    let root = tree("values");
    fs::write(root.join("tree/app/.env"), format!("KEY=\"{SECRET} {SECRET}\"\nIMAGE=redis:7\n")).unwrap();
    fs::write(root.join("tree/app/compose.yml"), "services:\n  a: {image: '$KEY'}\n  b: {image: $IMAGE}\n").unwrap();
    let scanned = scanned(&root.join("tree"));
    assert_no_secret(&root, &scanned);
    assert_eq!(scanned.findings.len(), 1, "the image is found all the same");
    format!("{tried} links and 6 paths out of the tree: not read, not shown")
}

pub(crate) async fn devices() -> String {
    let mut tried = 0;
    for name in [".env", "Dockerfile", "base.yml", ".gitignore", ".ignore", ".pullsafeignore"] {
        for device in ["/dev/zero", "/proc/kmsg", "/dev/stdin", "/proc/self/mem", "fifo"] {
            let root = tree("devices");
            let path = root.join("tree/app").join(name);
            match device {
                "fifo" => assert!(Command::new("mkfifo").arg(&path).status().unwrap().success()),
                device => symlink(device, &path).unwrap(),
            }
            let compose = "services: {a: {image: 'redis:$TAG', build: {context: ., args: {A: b}}}, b: \
                {extends: {file: base.yml, service: x}, image: redis:7}}\n";
            fs::write(root.join("tree/app/compose.yml"), compose).unwrap();
            for path in [root.join("tree"), root.join("tree/app")] {
                scanned(&path);
            }
            tried += 1;
        }
    }
    format!("{tried} files that never end: none is opened")
}

pub(crate) async fn written_through_links() -> String {
    let root = tree("written");
    let outside = root.join("outside/Dockerfile");
    fs::write(&outside, "FROM redis:7\n").unwrap();
    symlink(&outside, root.join("tree/Dockerfile")).unwrap();
    symlink(root.join("outside"), root.join("tree/linked")).unwrap();
    for path in ["tree/Dockerfile", "tree/linked/Dockerfile"] {
        assert!(scanned(&root.join(path)).findings.is_empty() || path.contains("linked"), "{path}");
    }
    assert!(replace(&root.join("tree/Dockerfile"), b"FROM evil\n").is_err());
    assert_eq!(fs::read_to_string(&outside).unwrap(), "FROM redis:7\n");
    "the file behind the link is what it was".to_owned()
}

/// Neither the action nor the hook runs anything of the checkout, or lets one of our tools read it as its
/// configuration.
pub(crate) async fn toolchain() -> String {
    let project = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let read = |path: &str| fs::read_to_string(project.join(path)).unwrap();
    let action = read("action.yml");
    assert!(
        action.contains("working-directory: ${{ github.action_path }}"),
        "what is built is built where the action is"
    );
    for line in action.lines().filter(|line| line.trim_start().starts_with("run:")) {
        assert!(
            line.contains("bash --noprofile --norc \"$ACTION/packages/action/"),
            "only the action's own scripts run: {line}"
        );
        assert!(!line.contains("${{"), "no input becomes a command: {line}");
    }
    let scripts = read("packages/action/scan.sh");
    for word in ["cargo", "rustup", "npm ", "pip ", "make ", "source ./", ". ./"] {
        assert!(!scripts.lines().any(|line| line.trim_start().starts_with(word)), "{word} runs in the checkout");
    }
    assert!(scripts.contains("-- \"${paths[@]}\""), "a file's name is never an option");
    let hooks = read(".pre-commit-hooks.yaml");
    let entries: Vec<&str> = hooks.lines().filter(|line| line.trim_start().starts_with("entry:")).collect();
    assert!(!entries.is_empty() && entries.iter().all(|entry| entry.ends_with("--")), "{entries:?}");
    // Scans a tree full of files that tools read by themselves. None of them takes effect.
    let root = tree("toolchain");
    let (app, made) = (root.join("tree"), root.join("tree/made"));
    let touch = format!("touch {}", made.display());
    fs::create_dir_all(app.join(".cargo")).unwrap();
    for (file, content) in [
        ("rust-toolchain.toml", "[toolchain]\npath = \"./evil\"\n".to_owned()),
        (".cargo/config.toml", format!("[build]\nrustc = \"{touch}\"\n")),
        ("Makefile", format!("$(shell {touch})\nall:\n\tdocker run redis:7\n")),
        ("run.sh", format!("$({touch})\ndocker pull redis:7\n")),
        ("Jenkinsfile", format!("\"{touch}\".execute()\n")),
        ("compose.yml", format!("services: {{a: {{image: \"$({touch})\"}}, b: {{image: redis:7}}}}\n")),
    ] {
        fs::write(app.join(file), content).unwrap();
    }
    assert!(!scanned(&app).findings.is_empty());
    assert!(!made.exists());
    "read by one program, and nothing of it is run".to_owned()
}

pub(crate) async fn costs() -> String {
    let stages: String = (0..20_000).map(|at| format!("FROM a{at} AS s{at}\nCOPY --from=s{} x y\n", at / 2)).collect();
    let large = format!("ARG A\nFROM x$A\n{}", "RUN echo hello world and more of it\n".repeat(30_000));
    let builds: String =
        (0..50).map(|at| format!("  s{at}: {{build: {{context: ., args: {{A: ':{at}'}}}}}}\n")).collect();
    let builds = format!("services:\n{builds}");
    let mut longest = Duration::ZERO;
    for (name, files) in [
        ("stages", vec![("Dockerfile", &stages)]),
        ("builds", vec![("compose.yml", &builds), ("Dockerfile", &large)]),
    ] {
        let root = tree(name);
        for (file, content) in files {
            fs::write(root.join("tree").join(file), content).unwrap();
        }
        let began = Instant::now();
        scanned(&root.join("tree"));
        longest = longest.max(began.elapsed());
    }
    // How long a debug build takes on a busy machine says nothing. The limit only shows that the time does not grow
    // with the square of the text. For figures: `.ci/figures scan`.
    assert!(longest < Duration::from_secs(60), "{longest:?}");
    "20,000 stages and 50 builds of one file: each read once".to_owned()
}

pub(crate) async fn words() -> String {
    let root = tree("words");
    let names = [
        "::error::x.yml",
        "##[error]x.yml",
        "##vso[task.complete]y.yml",
        "a\n::error::b.yml",
        "c\u{1b}[2J.yml",
        "d\u{202e}lmy.yml",
    ];
    for name in names {
        let content = "services:\n  \"##vso[x]\\u202e::y\": {image: redis:7}\n  b: \
            {image: \"redis:${X:?##[y]}\"}\n  c: {image: \"::set-output ##vso[x]\"}\n";
        fs::write(root.join("tree").join(name), content).unwrap();
    }
    let scanned = scanned(&root.join("tree"));
    assert_eq!(scanned.findings.len(), 2 * names.len());
    let outputs = outputs(&root.join("tree"), &scanned);
    for (name, output) in &outputs {
        for line in output.lines() {
            let ours =
                *name == "github" && ["::warning file=", "::notice file="].iter().any(|begin| line.starts_with(begin));
            assert!(ours || !line.trim_start().starts_with("::"), "{name}: {line:?}");
            assert!(!line.contains("##[") && !line.contains("##vso["), "{name}: {line:?}");
            assert!(!line.chars().any(|sign| sign.is_control() || sign == '\u{202e}'), "{name}: {line:?}");
        }
    }
    format!("{} outputs: no command, no escape, no sign that is not seen", outputs.len())
}
