//! What the run tells on its way: one line a step, and the count at the end.

use std::time::Instant;

use super::Result;

/// Counts and prints steps.
#[derive(Debug)]
pub struct StepReport {
    passed: u32,
    failed: u32,
    last: Instant,
}

impl Default for StepReport {
    fn default() -> Self {
        Self { passed: 0, failed: 0, last: Instant::now() }
    }
}

impl StepReport {
    /// Opens a group of steps.
    pub fn heading(&mut self, text: &str) {
        println!("\n{text}");
        self.last = Instant::now();
    }

    /// Prints a step that has been done, with the time since the step before it. A failure is printed and handed on.
    ///
    /// # Errors
    /// The step's own.
    pub fn step<T>(&mut self, what: &str, result: Result<T>) -> Result<T> {
        let seconds = self.last.elapsed().as_secs_f32();
        match &result {
            Ok(_) => {
                self.passed += 1;
                println!("  ok      {what} ({seconds:.1} s)");
            }
            Err(failure) => {
                self.failed += 1;
                println!("  FAILED  {what} ({seconds:.1} s)\n          {failure}");
            }
        }
        self.last = Instant::now();
        result
    }

    /// Prints something that is worth knowing and neither passed nor failed.
    pub fn note(&self, text: &str) {
        println!("          {text}");
    }

    /// Ends the run: the count, alone on the last line. Whether everything passed.
    pub fn finish(self) -> bool {
        println!("\n{} passed, {} failed", self.passed, self.failed);
        self.failed == 0
    }
}
