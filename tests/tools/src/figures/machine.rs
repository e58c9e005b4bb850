//! The machine that figures were taken on, without its name.

use std::fs;

/// Cores, processor and kernel in one line.
pub fn describe() -> String {
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let processor = fs::read_to_string("/proc/cpuinfo").ok().and_then(|info| processor(&info));
    let kernel = fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default();
    // Only the version: what follows it may name the machine's owner.
    let kernel: String = kernel.chars().take_while(|next| next.is_ascii_digit() || *next == '.').collect();
    format!(
        "{}, {}, {} {} {}",
        pullsafe::count::count(cores, "core"),
        processor.unwrap_or_else(|| "an unnamed processor".to_owned()),
        std::env::consts::ARCH,
        std::env::consts::OS,
        kernel.trim_end_matches('.')
    )
}

fn processor(info: &str) -> Option<String> {
    let line = info.lines().find(|line| line.starts_with("model name"))?;
    Some(line.split_once(':')?.1.trim().to_owned())
}

/// The processor's time that the threads of a process have used so far, in seconds, in the program and in the kernel.
pub fn processor_seconds(process: u32) -> Option<f64> {
    let threads = fs::read_dir(format!("/proc/{process}/task")).ok()?.filter_map(Result::ok);
    let used = threads.filter_map(|thread| nanoseconds(&fs::read_to_string(thread.path().join("schedstat")).ok()?));
    Some(used.sum::<u64>() as f64 / 1e9)
}

/// The first of the three numbers is the time that the thread ran.
fn nanoseconds(schedstat: &str) -> Option<u64> {
    schedstat.split_whitespace().next()?.parse().ok()
}

/// The memory that a process has resident now, in bytes.
pub fn resident_bytes(process: u32) -> Option<u64> {
    status_bytes(process, "VmRSS:")
}

/// The most memory that a process has had resident so far, in bytes.
pub fn peak_bytes(process: u32) -> Option<u64> {
    status_bytes(process, "VmHWM:")
}

fn status_bytes(process: u32, key: &str) -> Option<u64> {
    let status = fs::read_to_string(format!("/proc/{process}/status")).ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix(key))?;
    line.trim().strip_suffix("kB")?.trim().parse::<u64>().ok().map(|kilobytes| kilobytes * 1024)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_what_linux_shows() {
        assert_eq!(processor("processor\t: 0\nmodel name\t: A CPU @ 2 GHz\n").as_deref(), Some("A CPU @ 2 GHz"));
        assert_eq!((nanoseconds("19318912 32124 90\n"), nanoseconds("")), (Some(19_318_912), None));
    }
}
