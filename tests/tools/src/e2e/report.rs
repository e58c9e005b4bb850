//! What the run prints: one line for each step, and the count at the end.

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

    /// Prints a step that has been done, with the time since the step before it. A failure is printed and returned.
    ///
    /// # Errors
    /// The failure of the step itself.
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

    /// Prints something worth knowing that neither passed nor failed.
    pub fn note(&self, text: &str) {
        println!("          {text}");
    }

    /// Ends the run: prints the count on the last line, and returns whether everything passed.
    pub fn finish(self) -> bool {
        println!("\n{} passed, {} failed", self.passed, self.failed);
        self.failed == 0
    }
}
