//! Hostile or broken input: the scan answers in bounded time, never panics, and names the file.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use pullsafe_find::detect::scan_text;
use pullsafe_find::neighbours::NoNeighbours;
use pullsafe_find::walk::{Options, scan};

/// File names that lead to each of the parsers.
const NAMES: [&str; 27] = [
    "main.nomad.hcl",
    "Jenkinsfile",
    "docker-bake.hcl",
    "MODULE.bazel",
    "Makefile",
    "run.sh",
    "user-data",
    "Earthfile",
    "skaffold.yaml",
    "cloudbuild.yaml",
    "tasks/main.yml",
    ".buildkite/pipeline.yml",
    "Dockerfile",
    "compose.yml",
    "task.json",
    "main.tf",
    "values.yaml",
    ".gitlab-ci.yml",
    ".github/workflows/a.yml",
    "buildspec.yml",
    "template.yaml",
    "deployment.yaml",
    "templates/x.yaml",
    "a.json.tpl",
    "kustomization.yaml",
    ".circleci/config.yml",
    "unnamed",
];

fn directory(name: &str) -> PathBuf {
    let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
    if path.exists() {
        fs::remove_dir_all(&path).unwrap();
    }
    fs::create_dir_all(&path).unwrap();
    path
}

#[test]
fn nothing_hangs_or_panics() {
    let repeated = |part: &str, count: usize| part.repeat(count);
    let mut bomb = "x: &a0 {image: redis}\n".to_owned();
    for level in 1..60 {
        let before = level - 1;
        bomb.push_str(&format!("a{level}: &a{level} [{}]\n", vec![format!("*a{before}"); 9].join(", ")));
    }
    bomb.push_str("services: {x: {<<: [*a59], image: *a59, build: *a58}}\n");
    // A list of mappings that many others merge: following all of it costs the square of the text's length.
    let bases: String = (0..1_500).map(|at| format!("- &b{at} {{image: redis:{at}, k{at}: x}}\n")).collect();
    let list: String = (0..1_500).map(|at| format!("*b{at}, ")).collect();
    let merged = format!("bases:\n{bases}list: &list [{list}]\nservices:\n{}", repeated("- {<<: *list}\n", 1_500));
    let nested = |depth: usize| (0..depth).map(|level| format!("{}image:\n", " ".repeat(level))).collect::<String>();
    let inputs = [
        repeated("[", 80_000),
        repeated("{\"image\":", 40_000),
        repeated("- ", 40_000),
        repeated("image: ", 10_000),
        nested(1_500),
        bomb,
        merged,
        format!("image: {}\n", repeated("${A:-", 10_000)),
        format!("FROM {}\n", repeated("${A:-", 10_000)),
        format!("FROM {}\n", repeated("${A:-b}", 10_000)),
        format!("services:\n  a:\n    image: \"{}\"\n", repeated("${A:-$B}", 10_000)),
        format!("FROM a \\\n{}", repeated("# c\n\\\n", 10_000)),
        format!("FROM a\nRUN {}\n", repeated("<<A ", 10_000)),
        format!("FROM a\n{}", repeated("RUN <<A\nA\n", 10_000)),
        format!("ONBUILD {}FROM x", repeated("ONBUILD ", 10_000)),
        format!("services:\n  a:\n    image: |\n{}", repeated("      x\n\n", 10_000)),
        format!("kind: a\napiVersion: b\nspec: {}\n", repeated("{{ x }} image ", 10_000)),
        format!("image: \"{}\"\n", repeated("\\u0041", 40_000)),
        format!("x = {}1{}\nimage = 2", repeated("(", 10_000), repeated(")", 10_000)),
        format!("image = {}", repeated("!", 10_000)),
        format!("image = {}", repeated("\"${", 10_000)),
        format!("image = {}", repeated("a ? ", 10_000)),
        format!("container_definitions = <<A\n{}\nA\n", repeated("${x}", 10_000)),
        "locals {\n image = local.image\n}\nresource \"docker_container\" \"a\" {\n image = local.image\n}\n"
            .to_owned(),
        "\u{feff}\u{feff}\0\u{1}\u{E000}image: \u{E000}\n".to_owned(),
        "image: \u{85}\u{2028}a\u{a0}b\n".to_owned(),
        repeated("\r", 40_000),
        repeated("a: &a *a\n", 2_000),
        "a: *missing\nimage: x:1\n".to_owned(),
        "? ? ?\n: : :\n".to_owned(),
    ]
    .into_iter()
    .chain(doubled());
    for (index, input) in inputs.enumerate() {
        for name in NAMES {
            let start = Instant::now();
            let _ = scan_text(name, &input, &NoNeighbours);
            let taken = start.elapsed();
            assert!(taken < Duration::from_secs(20), "input {index} as {name} took {taken:?}");
        }
    }
}

/// Values made of values made of values, and YAML aliases that lead back to a node above them.
fn doubled() -> Vec<String> {
    let levels = |line: &dyn Fn(usize) -> String| (0..30).map(line).collect::<String>();
    let task = |image: &str| {
        format!(
            "T:\n    Type: AWS::ECS::TaskDefinition\n    Properties: {{ContainerDefinitions: [{{Image: {image}}}]}}\n"
        )
    };
    let sub = |inner: String| format!("{{\"Fn::Sub\": [\"{}\", {{\"X\": {inner}}}]}}", "${X}".repeat(20));
    vec![
        format!("{}FROM a${{V30}}\n", levels(&|i| format!("ARG V{}=${{V{i}:-x}}${{V{i}:-x}}\n", i + 1))),
        format!("image: a$V30\nvariables:\n{}", levels(&|i| format!("  V{}: \"$V{i}$V{i}$V{i}\"\n", i + 1))),
        format!(
            "version: 0.2\nphases:\n  build:\n    commands:\n      - V0=x\n{}      - docker pull a$V30\n",
            levels(&|i| format!("      - V{}=$V{i}$V{i}$V{i}\n", i + 1))
        ),
        format!("Resources:\n  {}", task(&(0..25).fold("a".to_owned(), |inner, _| sub(inner)))),
        format!(
            "Parameters: {{A: {{Default: a}}}}\nResources:\n  {}",
            task(&format!("!Sub \"{}\"", "${A}".repeat(20_000)))
        ),
        format!(
            "x0: &x0 nginx\n{}Resources:\n  {}",
            levels(&|i| format!("x{0}: &x{0} {{\"Fn::If\": [c, *x{i}, *x{i}]}}\n", i + 1)),
            task("*x30")
        ),
        format!(
            "x0: &x0 {{Image: a}}\n{}Resources:\n  {}",
            levels(&|i| format!("x{0}: &x{0} [*x{i}, *x{i}]\n", i + 1)),
            task("*x30")
        ),
        "jobs: &a\n  - *a\n  - image: redis:7\n    run: *a\n".to_owned(),
        format!(
            "locals {{\n  v0 = \"x\"\n{}}}\nresource \"docker_image\" \"x\" {{ name = local.v14 }}\n",
            levels(&|i| format!("  v{} = \"{}\"\n", i + 1, format!("${{local.v{i}}}").repeat(20)))
        ),
        format!(
            "locals {{\n  v0 = {{ image = \"redis:7\" }}\n{}}}\nresource \"aws_ecs_task_definition\" \"x\" {{ \
             container_definitions = jsonencode(local.v30) }}\n",
            levels(&|i| format!("  v{} = {{ a = local.v{i}, b = [local.v{i}, local.v{}] }}\n", i + 1, i + 1))
        ),
        (0..100)
            .map(|i| format!(".j{i}:\n  extends: [.j{}, .j{}]\n  image: x:$V\n", (i + 1) % 100, (i + 2) % 100))
            .collect(),
    ]
}

#[test]
fn files_that_are_not_text_or_too_large_are_named() {
    let root = directory("hostile");
    fs::write(root.join("compose.yml"), "services:\n  a:\n    image: redis:7\n   b: [\n").unwrap();
    fs::write(root.join("Dockerfile"), b"FROM alpine:3\nRUN \0\0\0\n").unwrap();
    fs::write(root.join("Dockerfile.latin"), b"# caf\xe9 \xff\nFROM alpine:3\n").unwrap();
    fs::write(root.join("Dockerfile.wide"), b"\xff\xfeF\0R\0O\0M\0").unwrap();
    fs::write(root.join("Dockerfile.long"), format!("FROM alpine:3\nRUN echo {}\n", "x".repeat(1 << 20))).unwrap();
    fs::write(root.join("empty.yml"), "").unwrap();
    fs::write(root.join("main.tf"), "image = \n\nresource {{{\n").unwrap();
    let options = Options { max_bytes: 1 << 20, ..Options::default() };
    let scanned = scan(std::slice::from_ref(&root), options).unwrap();
    let name = |file: &str| file.rsplit('/').next().unwrap().to_owned();
    let skipped: Vec<String> = scanned
        .skipped
        .iter()
        .map(|skipped| format!("{}: {}", name(&skipped.file), skipped.reason))
        .collect();
    assert_eq!(
        skipped,
        [
            "Dockerfile: a binary file",
            "Dockerfile.long: 1048600 bytes, more than 1048576",
            "Dockerfile.wide: UTF-16 is not supported"
        ]
    );
    let problems: Vec<String> =
        scanned.problems.iter().map(|problem| format!("{}:{}", name(&problem.file), problem.line)).collect();
    assert_eq!(problems, ["compose.yml:4", "main.tf:1"]);
    let found: Vec<String> = scanned
        .findings
        .iter()
        .map(|finding| format!("{}:{}:{}", name(&finding.file), finding.line, finding.column))
        .collect();
    assert_eq!(found, ["Dockerfile.latin:2:6", "compose.yml:3:12"]);
}

/// Trees that would cost more than they should: the same neighbour again and again, or thousands of stages. Each must
/// be scanned within a minute.
#[test]
fn hostile_trees_take_no_longer_than_they_may() {
    let stages: String = (0..20_000).map(|at| format!("FROM a{at} AS s{at}\nCOPY --from=s{} x y\n", at / 2)).collect();
    let large = format!("ARG A\nFROM x$A\n{}", "RUN echo hello world and more of it\n".repeat(30_000));
    let builds: String =
        (0..50).map(|at| format!("  s{at}: {{build: {{context: ., args: {{A: ':{at}'}}}}}}\n")).collect();
    let extends: String = (0..2_000)
        .map(|at| format!("  s{at}: {{image: 'a:{at}', extends: {{file: big.yml, service: x}}}}\n"))
        .collect();
    let (builds, extends) = (format!("services:\n{builds}"), format!("services:\n{extends}"));
    let big = format!("services:\n{}", (0..20_000).map(|at| format!("  x{at}: {{image: b}}\n")).collect::<String>());
    let quotes = "import testcontainers\n".to_owned() + &"x = \"a\n".repeat(50_000) + &"`\\".repeat(50_000);
    let brackets = "import testcontainers\n".to_owned() + &"Container(".repeat(100_000);
    let sum = format!("import testcontainers\nx = {}\ny = FooContainer(x)\n", vec!["x"; 20_000].join(" + "));
    let make: String = (0..400).map(|at| format!("V{} = $(V{at})$(V{at})\n", at + 1)).collect::<String>()
        + "V0 = docker run x\nall:\n\t$(V400)\n";
    let heredocs = "cat <<A\n".repeat(20_000);
    let embedded = format!(
        "kind: ConfigMap\napiVersion: v1\ndata:\n{}",
        (0..5_000)
            .map(|at| format!("  k{at}: |\n    kind: Pod\n    apiVersion: v1\n    image: a:{at}\n"))
            .collect::<String>()
    );
    let flow = format!("a: [\n{}]\nb: [\n]\n", "\"x\n\", [\n],\n".repeat(20_000));
    let loops = "for a in 1 2 3 4 5 6 7 8 9; do for b in 1 2 3 4 5 6 7 8 9; do docker pull x:$a$b$a$b$a; done; done\n"
        .repeat(500);
    let deep = format!("version: 0.2\nphases: {{build: {{commands: ['{}']}}}}\n", "sh -c \"".repeat(5_000));
    let files: [(&str, Vec<(&str, &str)>); 13] = [
        ("stages", vec![("Dockerfile", &stages)]),
        ("builds", vec![("compose.yml", &builds), ("Dockerfile", &large)]),
        ("extends", vec![("compose.yml", &extends), ("big.yml", &big)]),
        (
            "quotes",
            vec![("a_test.go", &quotes), ("a.py", &quotes), ("a.ts", &quotes), ("Jenkinsfile", &quotes)],
        ),
        ("brackets", vec![("a_test.go", &brackets), ("a.py", &brackets), ("A.java", &brackets)]),
        ("sum", vec![("a.py", &sum), ("a.ts", &sum)]),
        ("make", vec![("Makefile", &make)]),
        ("heredocs", vec![("a.sh", &heredocs)]),
        ("embedded", vec![("cm.yaml", &embedded)]),
        ("flow", vec![("compose.yml", &flow)]),
        ("loops", vec![("a.sh", &loops)]),
        ("deep", vec![("buildspec.yml", &deep)]),
        ("many", (0..0).map(|_| ("", "")).collect()),
    ];
    let mut slow = Vec::new();
    for (name, files) in files {
        let root = directory(&format!("hostile-{name}"));
        for (file, text) in files {
            fs::write(root.join(file), text).unwrap();
        }
        if name == "many" {
            for at in 0..1_000 {
                fs::write(
                    root.join(format!("m{at}.tf")),
                    format!(
                        "variable \"v{at}\" {{ default = \"redis:{at}\" }}\nresource \"docker_image\" \"i{at}\" {{ \
                         name = var.v{at} }}\n"
                    ),
                )
                .unwrap();
            }
        }
        let start = Instant::now();
        scan(&[root], Options::default()).unwrap();
        let taken = start.elapsed();
        // The limit is for a debug build on a busy machine; an optimised build takes a tenth.
        if taken > Duration::from_secs(60) {
            slow.push(format!("{name}: {taken:?}"));
        }
        println!("{name}: {taken:?}");
    }
    assert!(slow.is_empty(), "{slow:?}");
}

#[cfg(target_os = "linux")]
#[test]
fn a_file_of_the_kernels_is_skipped_and_the_rest_goes_on() {
    let root = directory("unreadable");
    fs::write(root.join("Dockerfile.good"), "FROM alpine:3\n").unwrap();
    std::os::unix::fs::symlink("/proc/self/mem", root.join("Dockerfile.bad")).unwrap();
    let scanned = scan(&[root.join("Dockerfile.bad"), root.clone()], Options::default()).unwrap();
    assert_eq!(scanned.findings.len(), 1);
    let [skipped] = scanned.skipped.as_slice() else {
        panic!("{:?}", scanned.skipped)
    };
    assert!(skipped.file.ends_with("unreadable/Dockerfile.bad"), "{skipped:?}");
}

#[cfg(unix)]
#[test]
fn links_in_a_circle_and_links_to_nowhere_are_left_out() {
    let root = directory("links");
    fs::create_dir(root.join("a")).unwrap();
    fs::write(root.join("a/Dockerfile"), "FROM alpine:3\n").unwrap();
    std::os::unix::fs::symlink("..", root.join("a/up")).unwrap();
    std::os::unix::fs::symlink("nowhere", root.join("Dockerfile.link")).unwrap();
    std::os::unix::fs::symlink("a/Dockerfile", root.join("Dockerfile")).unwrap();
    let scanned = scan(std::slice::from_ref(&root), Options::default()).unwrap();
    let files: Vec<_> = scanned.findings.iter().map(|finding| finding.file.rsplit('/').next().unwrap()).collect();
    assert_eq!((files.as_slice(), scanned.problems.len()), (["Dockerfile"].as_slice(), 0), "{scanned:?}");
    let named = scan(&[root.join("Dockerfile")], Options::default()).unwrap();
    assert_eq!(named.findings.len(), 1, "a link that is named is followed");
    let circle = root.join("a/up/a/up/a");
    assert_eq!(scan(&[circle], Options::default()).unwrap().findings.len(), 1);
}

#[test]
fn a_path_that_does_not_exist_is_an_error_that_names_it() {
    let error = scan(&[PathBuf::from("no/such/path")], Options::default()).unwrap_err();
    assert!(error.to_string().starts_with("no/such/path: "), "{error}");
}

#[test]
fn ignored_files_are_found_only_when_asked_for() {
    let root = directory("ignored");
    fs::create_dir_all(root.join("vendor")).unwrap();
    fs::create_dir_all(root.join(".git")).unwrap();
    fs::write(root.join(".gitignore"), "vendor/\n").unwrap();
    fs::write(root.join("vendor/Dockerfile"), "FROM alpine:3\n").unwrap();
    fs::write(root.join(".git/Dockerfile"), "FROM alpine:3\n").unwrap();
    let count = |paths: &[PathBuf], respect_ignore_files| {
        scan(paths, Options { respect_ignore_files, ..Options::default() }).unwrap().findings.len()
    };
    assert_eq!(count(std::slice::from_ref(&root), true), 0);
    assert_eq!(count(std::slice::from_ref(&root), false), 1);
    assert_eq!(count(&[root.join("vendor/Dockerfile")], true), 1, "a file that is named is scanned");
}
