//! `pullsafe scan`: finds every image that a repository's files pull, and moves them to another registry.

mod baseline;
mod fix;
mod since;

use pullsafe_scan::report::FindingsShown;
use pullsafe_scan::rewrite::Official;
use std::io::{self, IsTerminal as _, Write as _};
use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, ValueEnum};
use pullsafe::foreign::log_line;
use pullsafe_find::finding::Level;
use pullsafe_find::walk::{self, Options, Scanned};
use pullsafe_scan::mirror_config::mirror_config;
use pullsafe_scan::report::{self, Colours};
use pullsafe_scan::rewrite::{DEFAULT_PREFIX, NewRegistry};

use crate::terminal::stop;

/// Find every image that a repository's files pull, and move them away from Docker Hub.
#[derive(Debug, Args)]
pub(crate) struct Arguments {
    /// Files and directories
    #[arg(value_name = "PATH", default_value = ".")]
    paths: Vec<PathBuf>,
    /// For people, for tools, as annotations of GitHub Actions, or for code scanning
    #[arg(long, value_enum, default_value_t = ScanOutput::Text)]
    output: ScanOutput,
    /// List images of every registry, and files that were skipped
    #[arg(long, short = 'v')]
    all: bool,
    /// Fail also where a variable decides the registry, and on every warning
    #[arg(long)]
    strict: bool,
    /// Do not fail where a file of a known format cannot be read
    #[arg(long, conflicts_with = "strict")]
    allow_unreadable: bool,
    /// Leave out what this file knows, so that only new images fail
    #[arg(long, value_name = "FILE")]
    baseline: Option<PathBuf>,
    /// Write the images of today to this file, for --baseline
    #[arg(long, value_name = "FILE", conflicts_with = "baseline")]
    write_baseline: Option<PathBuf>,
    /// Only files that differ from this commit, branch or tag of git
    #[arg(long, value_name = "REF")]
    since: Option<String>,
    /// Scan files that ignore files (.gitignore, .ignore, .pullsafeignore) name, too
    #[arg(long)]
    no_ignore: bool,
    /// Skip files with more bytes
    #[arg(long, value_name = "BYTES", default_value_t = Options::default().max_bytes)]
    max_file_size: u64,
    /// Files that are scanned at a time; 0 is one for each processor
    #[arg(long, value_name = "THREADS", default_value_t = 0)]
    threads: usize,
    /// Print a configuration for `pullsafe mirror` instead
    #[arg(long, conflicts_with_all = ["fix", "diff", "compose_override", "output"])]
    mirror_config: bool,
    /// Rewrite the files, so that Docker Hub's images come from --registry or from ECR Public
    #[arg(long, conflicts_with = "compose_override")]
    fix: bool,
    /// Show what --fix would change as a unified diff, and change nothing
    #[arg(long, conflicts_with = "compose_override")]
    diff: bool,
    /// Write a compose override file with the moved images instead of changing compose files; `-` for standard output
    #[arg(long, value_name = "FILE")]
    compose_override: Option<PathBuf>,
    /// The registry with the mirror, such as 123456789012.dkr.ecr.eu-west-1.amazonaws.com
    #[arg(long, value_name = "REGISTRY")]
    registry: Option<String>,
    /// What the mirror's repositories begin with
    #[arg(long, value_name = "PREFIX", default_value = DEFAULT_PREFIX)]
    prefix: String,
    /// Take Docker Official Images from public.ecr.aws/docker/library
    #[arg(long)]
    ecr_public: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum ScanOutput {
    /// For people
    Text,
    /// One JSON document
    Json,
    /// Workflow commands of GitHub Actions
    Github,
    /// SARIF 2.1.0
    Sarif,
}

pub(crate) fn run(arguments: &Arguments) -> ExitCode {
    let rewrites = arguments.fix || arguments.diff || arguments.compose_override.is_some();
    let target = if rewrites || arguments.registry.is_some() {
        match NewRegistry::new(arguments.registry.as_deref(), &arguments.prefix, official(arguments)) {
            Ok(target) => Some(target),
            Err(error) => return stop(&error.to_string(), 2),
        }
    } else {
        None
    };
    let options = Options {
        respect_ignore_files: !arguments.no_ignore,
        max_bytes: arguments.max_file_size,
        threads: arguments.threads,
    };
    let mut scanned = match walk::scan(&arguments.paths, options) {
        Ok(scanned) => scanned,
        Err(error) => return stop(&log_line(&error.to_string()), 2),
    };
    if let Err(message) = baseline::apply(arguments, &mut scanned).and_then(|()| since::apply(arguments, &mut scanned))
    {
        return stop(&log_line(&message), 2);
    }
    let result = match target.filter(|_| rewrites) {
        Some(target) => fix::run(arguments, &scanned, &target),
        None if arguments.mirror_config => print_mirror_config(arguments, &scanned),
        None => print_report(arguments, &scanned, target_of_report(arguments).as_ref()),
    };
    match result {
        Ok(code) => code,
        // The reader of the output has closed it, as `head` does.
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => ExitCode::SUCCESS,
        Err(error) => stop(&error.to_string(), 1),
    }
}

/// The registries that the report suggests.
fn target_of_report(arguments: &Arguments) -> Option<NewRegistry> {
    NewRegistry::new(arguments.registry.as_deref(), &arguments.prefix, official(arguments)).ok()
}

/// Where official images go.
const fn official(arguments: &Arguments) -> Official {
    match arguments.ecr_public {
        true => Official::ToEcrPublic,
        false => Official::AsOthers,
    }
}

fn print_report(arguments: &Arguments, scanned: &Scanned, target: Option<&NewRegistry>) -> io::Result<ExitCode> {
    let listed = if arguments.all { FindingsShown::All } else { FindingsShown::DockerHub };
    print(&match arguments.output {
        ScanOutput::Text if io::stdout().is_terminal() => {
            let plain = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty())
                || std::env::var_os("TERM").is_some_and(|term| term == "dumb");
            report::terminal(scanned, listed, if plain { Colours::None } else { Colours::Some }, target)
        }
        ScanOutput::Text => report::text(scanned, listed),
        ScanOutput::Json => report::json(scanned),
        ScanOutput::Github => report::github(scanned),
        ScanOutput::Sarif => report::sarif(scanned, target),
    })?;
    let from_docker_hub = scanned.findings.iter().any(|finding| finding.is_docker_hub());
    let unreadable = scanned.problems.iter().any(|problem| problem.level == Level::Unreadable);
    let open = !scanned.problems.is_empty() || scanned.findings.iter().any(|finding| finding.registry.is_none());
    let fails = from_docker_hub || unreadable && !arguments.allow_unreadable || arguments.strict && open;
    Ok(if fails { ExitCode::from(1) } else { ExitCode::SUCCESS })
}

fn print_mirror_config(arguments: &Arguments, scanned: &Scanned) -> io::Result<ExitCode> {
    print(&mirror_config(&scanned.findings, arguments.registry.as_deref(), &arguments.prefix))?;
    problems(scanned);
    if !scanned.findings.iter().any(|finding| finding.is_docker_hub()) {
        eprintln!("nothing is pulled from Docker Hub: there is nothing to mirror");
    }
    Ok(ExitCode::SUCCESS)
}

/// Prints the files that could not be read in full, for people, if the output has another purpose.
fn problems(scanned: &Scanned) {
    for problem in &scanned.problems {
        eprintln!("{}", log_line(&problem.to_string()));
    }
}

fn print(text: &str) -> io::Result<()> {
    let mut out = io::stdout().lock();
    out.write_all(text.as_bytes())?;
    out.flush()
}
