//! A model of the gate that is small enough to be walked completely.

use std::collections::HashMap;

use image_gate::decide::look::{ImageLook, WhyNot};
use image_gate::decide::place::RepositoryPlace;
use image_gate::decide::properties::Properties;
use image_gate::decide::request::Envelope;
use image_gate::decide::verdict::{GateVerdict, verdict};
use image_gate::decide::wait::{AnswerClaim, Delivery, Wait, WaitState};
use pullsafe::timestamp::Timestamp;
use serde_json::json;

/// One tick of the model's clock: half the largest margin.
const TICK: i64 = 15;
/// The tick at which CloudFormation gives up. The margin is two ticks at that point, and a timer wakes at the beginning
/// of each.
pub(super) const END: i64 = 40;
/// How many ticks a process may take. Near the end of the wait it is one, because looks are shorter there.
const LIFE: i64 = 2;
/// The tick at which a sweep comes. Other sweeps would be alike, so the ticks of [`SKIPPED`] are not walked.
const SWEEP: i64 = 1;
const SKIPPED: std::ops::Range<i64> = 3..END - 3;

pub(super) fn at(tick: i64) -> Timestamp {
    Timestamp::from_millis(1_768_504_620_000).plus_seconds(tick * TICK)
}

/// The next step of a process, with what the process knows so far.
#[derive(Debug, Clone)]
enum ModelStep {
    /// The gate's first look.
    Look,
    /// The gate stores the request; if it has an answer at once, the row is claimed for that.
    Insert(Option<String>),
    /// The gate's second look.
    LookAgain(Wait),
    /// The waker reads the row.
    Read,
    /// The waker looks for the image.
    LookFor(Wait),
    /// A process claims the answer, with this body if none was decided yet.
    Claim(Wait, String),
    /// The claim is held, and the answer is sent.
    Put(Wait),
    /// The row is marked as answered.
    Mark(Wait),
    /// A Delete cancels the wait that it finds.
    Cancel,
}

#[derive(Debug, Clone)]
struct ModelProcess {
    name: char,
    begun: i64,
    step: ModelStep,
    /// Only a gate that dies is started again.
    is_gate: bool,
}

/// The state at a moment: the image, the row, what CloudFormation got, and all running processes.
#[derive(Debug, Clone)]
pub(super) struct Model {
    tick: i64,
    image: bool,
    row: Option<Wait>,
    /// The different answers that CloudFormation got, in order.
    got: Vec<String>,
    in_time: bool,
    processes: Vec<ModelProcess>,
    names: u8,
    may_push: bool,
    may_duplicate: bool,
    may_delete: bool,
    deleted: bool,
    deaths: u8,
}

impl Model {
    pub(super) fn new(may_duplicate: bool, may_delete: bool, deaths: u8) -> Self {
        let mut model = Self {
            tick: 0,
            image: false,
            row: None,
            got: Vec::new(),
            in_time: false,
            processes: Vec::new(),
            names: 0,
            may_push: true,
            may_duplicate,
            may_delete,
            deleted: false,
            deaths,
        };
        model.start(ModelStep::Look, true);
        model
    }

    fn start(&mut self, step: ModelStep, is_gate: bool) {
        let name = char::from(b'a' + self.names);
        self.names += 1;
        self.processes.push(ModelProcess { name, begun: self.tick, step, is_gate });
    }

    /// Every possible next state.
    fn next(&self) -> Vec<Self> {
        let mut states = Vec::new();
        for index in 0..self.processes.len() {
            let mut stepped = self.clone();
            stepped.run(index);
            states.push(stepped);
            if self.deaths > 0 {
                let mut died = self.clone();
                died.deaths -= 1;
                died.die(index);
                states.push(died);
                // The step took effect, but the process died before it learnt of that.
                let mut died = self.clone();
                died.deaths -= 1;
                let count = died.processes.len();
                died.run(index);
                if died.processes.len() == count {
                    died.die(index);
                }
                states.push(died);
            }
        }
        if self.may_push {
            for heard in [true, false] {
                let mut pushed = Self { may_push: false, image: true, ..self.clone() };
                if heard {
                    pushed.start(ModelStep::Read, false);
                }
                states.push(pushed);
            }
        }
        if self.may_duplicate {
            let mut twice = Self { may_duplicate: false, ..self.clone() };
            twice.start(ModelStep::Look, true);
            states.push(twice);
        }
        if self.may_delete {
            let mut deleted = Self { may_delete: false, deleted: true, ..self.clone() };
            deleted.start(ModelStep::Cancel, false);
            states.push(deleted);
        }
        if let Some(later) = self.later() {
            states.push(later);
        }
        states
    }

    /// Lets a tick pass, and at some ticks starts a sweep. Processes that have to be quick, and those at the end of
    /// their life, hold time back: they must end or die first, and deaths are counted.
    fn later(&self) -> Option<Self> {
        let next = if self.tick == SKIPPED.start { SKIPPED.end } else { self.tick + 1 };
        let life = if self.tick >= END - 2 { 1 } else { LIFE };
        let holds = |process: &ModelProcess| {
            process.is_gate || matches!(process.step, ModelStep::Put(_)) || next - process.begun >= life
        };
        if self.tick == END || self.processes.iter().any(holds) {
            return None;
        }
        let mut later = Self { tick: next, ..self.clone() };
        // The timers that the sweeps have set follow after them.
        if later.tick == SWEEP || later.tick == END - 2 || later.tick == END - 1 {
            later.start(ModelStep::Read, false);
        }
        Some(later)
    }

    fn die(&mut self, index: usize) {
        let process = self.processes.remove(index);
        if process.is_gate {
            // Lambda tries again.
            self.processes.push(ModelProcess { begun: self.tick, step: ModelStep::Look, ..process });
        }
    }

    fn body(&self, name: char, success: bool) -> String {
        format!("{success} by {name} at {}", self.tick)
    }

    fn look(&self) -> ImageLook {
        if self.image {
            ImageLook::Present(Box::default())
        } else {
            ImageLook::NotYet(WhyNot::NoImage)
        }
    }

    /// The table replaces a row only with its next version.
    fn replace(&mut self, next: &Wait) -> bool {
        let fits = self.row.as_ref().is_some_and(|row| row.version + 1 == next.version);
        if fits {
            self.row = Some(next.clone());
        }
        fits
    }

    /// Runs one step of one process, which may be its last.
    fn run(&mut self, index: usize) {
        let ModelProcess { name, step, .. } = self.processes[index].clone();
        let owner = name.to_string();
        let follow = match step {
            ModelStep::Look => match verdict(&fresh(), self.look(), at(self.tick)) {
                GateVerdict::Succeed(_) => Some(ModelStep::Insert(Some(self.body(name, true)))),
                GateVerdict::Fail(_) | GateVerdict::GiveUp(_) | GateVerdict::Wait => Some(ModelStep::Insert(None)),
            },
            ModelStep::Insert(body) => {
                let wait = match &body {
                    Some(body) => match fresh().claim(&owner, || body.clone(), at(self.tick)) {
                        AnswerClaim::Take(claimed) => *claimed,
                        AnswerClaim::Busy(_) | AnswerClaim::Over => unreachable!("nobody knows it yet"),
                    },
                    None => fresh(),
                };
                match (&self.row, body) {
                    (None, Some(_)) => {
                        self.row = Some(wait.clone());
                        Some(ModelStep::Put(wait))
                    }
                    (None, None) => {
                        self.row = Some(wait.clone());
                        Some(ModelStep::LookAgain(wait))
                    }
                    (Some(row), Some(body)) => Some(ModelStep::Claim(row.clone(), body)),
                    (Some(row), None) if row.is_undecided() => Some(ModelStep::LookAgain(row.clone())),
                    (Some(row), None) => Some(ModelStep::Claim(row.clone(), "unused".to_owned())),
                }
            }
            ModelStep::Read => self.row.clone().filter(Wait::is_open).map(|row| {
                if row.is_undecided() {
                    ModelStep::LookFor(row)
                } else {
                    ModelStep::Claim(row, "unused".to_owned())
                }
            }),
            ModelStep::LookAgain(row) | ModelStep::LookFor(row) => match verdict(&row, self.look(), at(self.tick)) {
                GateVerdict::Succeed(_) => Some(ModelStep::Claim(row, self.body(name, true))),
                GateVerdict::GiveUp(_) | GateVerdict::Fail(_) => Some(ModelStep::Claim(row, self.body(name, false))),
                GateVerdict::Wait => None,
            },
            ModelStep::Claim(row, body) => match row.claim(&owner, || body, at(self.tick)) {
                AnswerClaim::Take(claimed) if self.replace(&claimed) => Some(ModelStep::Put(*claimed)),
                AnswerClaim::Take(_) | AnswerClaim::Busy(_) | AnswerClaim::Over => None,
            },
            ModelStep::Put(row) => {
                let WaitState::Answering { body, .. } = &row.state else {
                    unreachable!("only a claimed row is sent")
                };
                if self.got.is_empty() {
                    self.in_time = self.tick < END;
                }
                if self.got.last() != Some(body) {
                    self.got.push(body.clone());
                }
                Some(ModelStep::Mark(row))
            }
            ModelStep::Mark(row) => {
                self.replace(&row.answered(Delivery::Taken, at(self.tick)));
                None
            }
            ModelStep::Cancel => {
                if let Some(cancelled) = self.row.as_ref().and_then(|row| row.cancelled(at(self.tick))) {
                    self.replace(&cancelled);
                }
                None
            }
        };
        match follow {
            Some(step) => self.processes[index].step = step,
            None => drop(self.processes.remove(index)),
        }
    }

    /// Everything that the future depends on, as a key.
    fn key(&self) -> String {
        let row = |wait: &Wait| format!("{}{:?}", wait.version, wait.state);
        let mut processes: Vec<String> = self
            .processes
            .iter()
            .map(|process| {
                let step = match &process.step {
                    ModelStep::Look => "L".to_owned(),
                    ModelStep::Insert(body) => format!("I{body:?}"),
                    ModelStep::LookAgain(wait) => format!("A{}", row(wait)),
                    ModelStep::Read => "R".to_owned(),
                    ModelStep::LookFor(wait) => format!("F{}", row(wait)),
                    ModelStep::Claim(wait, body) => format!("C{}{body}", row(wait)),
                    ModelStep::Put(wait) => format!("P{}", row(wait)),
                    ModelStep::Mark(wait) => format!("M{}", row(wait)),
                    ModelStep::Cancel => "D".to_owned(),
                };
                format!("{}{}{}{step}", process.name, process.begun, process.is_gate)
            })
            .collect();
        processes.sort();
        format!(
            "{}{}{:?}{:?}{}{:?}{}{}{}{}{}{}",
            self.tick,
            self.image,
            self.row.as_ref().map(row),
            self.got,
            self.in_time,
            processes,
            self.names,
            self.may_push,
            self.may_duplicate,
            self.may_delete,
            self.deleted,
            self.deaths
        )
    }

    /// How many ways lead from here to an end. Checks every end.
    pub(super) fn walk(&self, seen: &mut HashMap<String, u128>) -> u128 {
        assert!(self.got.len() <= 1, "CloudFormation got different answers: {self:?}");
        let key = self.key();
        if let Some(ways) = seen.get(&key) {
            return *ways;
        }
        let next = self.next();
        if next.is_empty() {
            assert!(self.deleted || (self.got.len() == 1 && self.in_time), "no answer in time: {self:?}");
        }
        let ways = if next.is_empty() {
            1
        } else {
            next.iter().map(|state| state.walk(seen)).sum()
        };
        seen.insert(key, ways);
        ways
    }
}

/// The request as it is when it arrives.
pub(super) fn fresh() -> Wait {
    let request = json!({
        "RequestType": "Create", "RequestId": "r", "LogicalResourceId": "Image", "ResponseURL": "https://x",
        "StackId": "arn:aws:cloudformation:eu-west-1:123456789012:stack/app/0a1b",
        "ResourceProperties": {"RepositoryName": "web", "ImageTag": "1", "ServiceTimeout": END * TICK},
    });
    let envelope = Envelope::find(&request).pop().expect("a request");
    let asked = Properties::parse(&envelope.properties).expect("properties");
    let place = RepositoryPlace::of(&asked, &envelope.requester, None);
    Wait::new(&envelope, asked, place, at(0))
}
