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
        "{cores} core(s), {}, {} {} {}",
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

/// The processor's time that a process has used so far, in seconds, of itself and in the kernel.
pub fn processor_seconds(process: u32) -> Option<f64> {
    let stat = fs::read_to_string(format!("/proc/{process}/stat")).ok()?;
    ticks(&stat).map(|ticks| ticks as f64 / TICKS_PER_SECOND)
}

/// `USER_HZ`, which Linux has fixed for what it shows to programs.
const TICKS_PER_SECOND: f64 = 100.0;

fn ticks(stat: &str) -> Option<u64> {
    // The name in parentheses may have blanks; utime and stime are the 12th and 13th field after it.
    let fields: Vec<&str> = stat.rsplit_once(')')?.1.split_whitespace().collect();
    Some(fields.get(11)?.parse::<u64>().ok()? + fields.get(12)?.parse::<u64>().ok()?)
}

/// The memory that a process has resident now, in bytes.
pub fn resident_bytes(process: u32) -> Option<u64> {
    let status = fs::read_to_string(format!("/proc/{process}/status")).ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    line.trim().strip_suffix("kB")?.trim().parse::<u64>().ok().map(|kilobytes| kilobytes * 1024)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_what_linux_shows() {
        assert_eq!(processor("processor\t: 0\nmodel name\t: A CPU @ 2 GHz\n").as_deref(), Some("A CPU @ 2 GHz"));
        assert_eq!(ticks("7 (a (b) c) S 1 7 7 0 -1 4194304 100 0 0 0 25 5 0 0 20 0 1 0 100 1000 10"), Some(30));
        assert_eq!(ticks("nonsense"), None);
    }
}
