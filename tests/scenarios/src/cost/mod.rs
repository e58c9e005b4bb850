//! What a stack of pullsafe costs in a month: what its functions really do, times the prices. Pure; [`measured`] counts
//! what the functions do.

pub mod measured;

use std::fmt::Write as _;
use std::ops::Add;

pub use measured::Measured;

/// Where and when the prices apply. They are in US dollars, on demand.
pub const PRICES: &str = "eu-west-1, November 2026";

const HOURS: f64 = 730.0;
/// Assumed, not counted, and on the high side: a run at 256 MB takes 5 ms, plus 20 ms for each call, one after the
/// other. It logs this many bytes, including Lambda's own lines.
const RUN_SECONDS: f64 = 0.005;
const CALL_SECONDS: f64 = 0.020;
const MEMORY_GIGABYTES: f64 = 0.25;
const LOG_BYTES: f64 = 1000.0;
/// Lambda makes five requests to a queue at once and waits twenty seconds for each answer, even if there is no message.
const POLLS_AN_HOUR: f64 = 5.0 * 180.0;
/// A message is sent, received and deleted: three requests.
const REQUESTS_OF_A_MESSAGE: f64 = 3.0;

/// What AWS charges for.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Usage {
    /// Runs of functions.
    pub runs: f64,
    /// Calls that these runs wait for.
    pub calls: f64,
    /// DynamoDB's write units.
    pub write_units: f64,
    /// DynamoDB's read units.
    pub read_units: f64,
    /// Messages that go through queues.
    pub messages: f64,
    /// Messages to people, each to one e-mail address.
    pub notices: f64,
    /// Events for programs.
    pub events: f64,
    /// Hours in which one of our own metrics gets a value.
    pub metric_hours: f64,
}

impl Add for Usage {
    type Output = Self;

    fn add(self, other: Self) -> Self {
        Self {
            runs: self.runs + other.runs,
            calls: self.calls + other.calls,
            write_units: self.write_units + other.write_units,
            read_units: self.read_units + other.read_units,
            messages: self.messages + other.messages,
            notices: self.notices + other.notices,
            events: self.events + other.events,
            metric_hours: self.metric_hours + other.metric_hours,
        }
    }
}

impl Usage {
    /// This usage, `factor` times.
    #[must_use]
    pub fn times(self, factor: f64) -> Self {
        Self {
            runs: self.runs * factor,
            calls: self.calls * factor,
            write_units: self.write_units * factor,
            read_units: self.read_units * factor,
            messages: self.messages * factor,
            notices: self.notices * factor,
            events: self.events * factor,
            metric_hours: self.metric_hours * factor,
        }
    }
}

/// What a stack has, whether anything happens or not.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct StandingCost {
    /// Alarms.
    pub alarms: u32,
    /// Queues that Lambda works off.
    pub mappings: u32,
    /// Dashboards.
    pub dashboards: u32,
}

/// A line of the bill.
#[derive(Debug, Clone, PartialEq)]
pub struct BillLine {
    /// What is paid for.
    pub what: &'static str,
    /// How much of it is used in a month.
    pub quantity: f64,
    /// What one of it costs.
    pub price: f64,
    /// How much of it every account gets free each month, for an unlimited time.
    pub free: f64,
}

impl BillLine {
    /// The cost at list price.
    pub fn listed(&self) -> f64 {
        self.quantity * self.price
    }

    /// The cost if nothing else in the account uses the free allowance.
    pub fn allowed(&self) -> f64 {
        (self.quantity - self.free).max(0.0) * self.price
    }
}

/// The bill of a month.
pub fn bill(standing: StandingCost, used: Usage) -> Vec<BillLine> {
    let line = |what, quantity, price, free| BillLine { what, quantity, price, free };
    let seconds = used.runs * RUN_SECONDS + used.calls * CALL_SECONDS;
    let polls = f64::from(standing.mappings) * POLLS_AN_HOUR * HOURS;
    vec![
        line("Lambda, runs", used.runs, 0.20 / 1e6, 1e6),
        line("Lambda, GB-seconds (arm64)", seconds * MEMORY_GIGABYTES, 0.000_013_333_4, 400_000.0),
        line("DynamoDB, write units", used.write_units, 0.7068 / 1e6, 0.0),
        line("DynamoDB, read units", used.read_units, 0.1415 / 1e6, 0.0),
        line("SQS, requests", polls + used.messages * REQUESTS_OF_A_MESSAGE, 0.40 / 1e6, 1e6),
        line("SNS, e-mails", used.notices, 2.0 / 1e5, 1000.0),
        line("EventBridge, own events", used.events, 1.0 / 1e6, 0.0),
        line("CloudWatch Logs, GB", used.runs * LOG_BYTES / 1e9, 0.57, 5.0),
        line("CloudWatch, own metrics", used.metric_hours / HOURS, 0.30, 10.0),
        line("CloudWatch, alarms", f64::from(standing.alarms), 0.10, 10.0),
        line("CloudWatch, dashboards", f64::from(standing.dashboards), 3.0, 3.0),
    ]
}

/// The sums of a bill: at list price, and with the free allowances.
pub fn sums(bill: &[BillLine]) -> (f64, f64) {
    (bill.iter().map(BillLine::listed).sum(), bill.iter().map(BillLine::allowed).sum())
}

/// The bill of a stack for a month: what it has, this many deployments, and this many incidents.
pub fn month(measured: &Measured, standing: StandingCost, deployments: f64, incidents: f64) -> Vec<BillLine> {
    let probe = if standing == measured.probing {
        measured.probe_hour
    } else {
        Usage::default()
    };
    let idle = (measured.idle_hour + probe).times(HOURS);
    bill(standing, idle + measured.deployment.times(deployments) + measured.incident.times(incidents))
}

/// How often a service is deployed in a month.
pub const DEPLOYMENTS: f64 = 20.0;

/// The table of the README: an idle account, and what incidents add.
pub fn by_incidents(measured: &Measured) -> String {
    let mut text = "| A month of a stack | by the list, $ | with the allowances, $ |\n|---|---|---|\n".to_owned();
    let rows = [
        ("as it is by default (observing), nothing happens", measured.observing, 0.0),
        ("acting, with a mirror, nothing happens", measured.acting, 0.0),
        ("the same with a probe", measured.probing, 0.0),
        ("acting, with a mirror, 10 incidents", measured.acting, 10.0),
        ("the same with 1,000 incidents", measured.acting, 1000.0),
    ];
    for (what, standing, incidents) in rows {
        let (listed, allowed) = sums(&month(measured, standing, 0.0, incidents));
        // Writing to a string cannot fail.
        let _ = writeln!(text, "| {what} | {listed:.2} | {allowed:.2} |");
    }
    text
}

/// The table for people who deploy a stack: by the number of services, line by line.
pub fn by_services(measured: &Measured) -> String {
    let services = [0.0, 40.0, 1000.0];
    let bills = services.map(|count| month(measured, measured.acting, count * DEPLOYMENTS, count / 40.0));
    let mut text = "| $ a month, acting | 0 services | 40 services | 1,000 services |\n|---|---|---|---|\n".to_owned();
    for (index, line) in bills[0].iter().enumerate() {
        let cells: Vec<String> = bills
            .iter()
            .filter_map(|bill| bill.get(index))
            .map(|line| format!("{:.2}", line.listed()))
            .collect();
        let _ = writeln!(text, "| {} | {} |", line.what, cells.join(" | "));
    }
    let sum = |pick: fn((f64, f64)) -> f64| {
        bills.iter().map(|bill| format!("**{:.2}**", pick(sums(bill)))).collect::<Vec<_>>().join(" | ")
    };
    let _ = writeln!(text, "| **together** ({PRICES}) | {} |", sum(|sums| sums.0));
    let _ = writeln!(text, "| **with the allowances** | {} |", sum(|sums| sums.1));
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bill_is_quantities_times_prices() {
        let standing = StandingCost { alarms: 13, mappings: 2, dashboards: 1 };
        let used = Usage {
            runs: 2e6,
            calls: 1e6,
            write_units: 1e6,
            read_units: 2e6,
            messages: 1e6,
            ..Usage::default()
        };
        let lines = bill(standing, used);
        let of = |what: &str| {
            lines
                .iter()
                .find(|line| line.what.starts_with(what))
                .map(|line| (line.listed(), line.allowed()))
                .unwrap()
        };
        let near = |found: (f64, f64), wanted: (f64, f64)| {
            (found.0 - wanted.0).abs() < 1e-6 && (found.1 - wanted.1).abs() < 1e-6
        };
        assert!(near(of("Lambda, runs"), (0.4, 0.2)));
        assert!(near(of("DynamoDB, write"), (0.7068, 0.7068)));
        assert!(near(of("SQS"), ((2.0 * 657_000.0 + 3e6) * 0.4e-6, (2.0 * 657_000.0 + 2e6) * 0.4e-6)));
        assert!(near(of("CloudWatch, alarms"), (1.3, 0.3)));
        assert!(near(of("CloudWatch, dashboards"), (3.0, 0.0)));
        let (listed, allowed) = sums(&lines);
        assert!(listed > allowed && allowed > 0.0);
    }
}
