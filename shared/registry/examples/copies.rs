//! Copies the images that standard input lists, a source and a target on each line, in one run of the engine; prints
//! one JSON object. The comparison with other tools uses it to measure many images.

use std::io::Read as _;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;

use pullsafe::clock;
use pullsafe_registry::endpoints::VARIABLE;
use pullsafe_registry::sign_in::docker_config::DockerConfig;
use pullsafe_registry::{AllowedHosts, Client, Config, Copier, CopyOptions, CopyRequest, Holder};

fn main() -> ExitCode {
    match run() {
        Ok(failed) => ExitCode::from(u8::from(failed > 0)),
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::from(2)
        }
    }
}

fn run() -> Result<usize, Box<dyn std::error::Error>> {
    let folder = std::env::var_os("DOCKER_CONFIG").map(PathBuf::from).unwrap_or_default();
    let credentials = Arc::new(DockerConfig::load(&folder.join("config.json"))?);
    let endpoints = std::env::var(VARIABLE).unwrap_or_default().parse()?;
    let client = Client::new(Config {
        endpoints,
        credentials,
        reach: AllowedHosts::Anywhere,
        ..Config::new(clock::system())
    });
    let mut input = String::new();
    std::io::stdin().read_to_string(&mut input)?;
    let mut requests = Vec::new();
    for line in input.lines() {
        let (source, target) = line.split_once(' ').ok_or("write a source, a space and a target on each line")?;
        requests.push(CopyRequest::new(source.parse()?, target.parse()?, client.endpoints()));
    }
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let options = CopyOptions { describe: false, ..CopyOptions::default() };
    let copier = Copier::new(client);
    // Which repository refers to which blob, kept from one run to the next as the command line and the function do.
    let memory = std::env::var_os("COPIES_MEMORY").map(PathBuf::from);
    if let Some(known) = memory.as_deref().and_then(|file| std::fs::read(file).ok()) {
        copier.recall(serde_json::from_slice::<Vec<Holder>>(&known)?);
    }
    let results = runtime.block_on(copier.copy_all(&requests, &options));
    if let Some(file) = memory {
        std::fs::write(file, serde_json::to_vec(&copier.remembered())?)?;
    }
    let sum = |count: fn(&pullsafe_registry::CopyReport) -> u64| results.iter().flatten().map(count).sum::<u64>();
    let (failed, current) =
        (results.iter().filter(|result| result.is_err()).count(), sum(|report| report.up_to_date.into()));
    println!(
        r#"{{"images": {}, "failed": {failed}, "up_to_date": {current}, "bytes_copied": {}, "blobs_copied": {}, "blobs_mounted": {}}}"#,
        results.len(),
        sum(|report| report.bytes_copied),
        sum(|report| report.blobs_copied),
        sum(|report| report.blobs_mounted)
    );
    for error in results.iter().filter_map(|result| result.as_ref().err()) {
        eprintln!("error: {error}");
    }
    Ok(failed)
}
