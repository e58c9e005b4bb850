//! Passwords that the ECR API hands out and the ECR registry accepts.

use std::sync::{Arc, Mutex, PoisonError};

use pullsafe::timestamp::Timestamp;

/// How long an authorization token of ECR is valid.
pub const TOKEN_SECONDS: i64 = 12 * 60 * 60;

/// The passwords that were issued. Clones share them.
#[derive(Debug, Clone, Default)]
pub struct KnownPasswords(Arc<Mutex<Vec<Timestamp>>>);

/// Whether a password is accepted, and why not.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// It was issued here and has not expired.
    Valid,
    /// It was issued here but has expired.
    Expired,
    /// It was never issued here.
    Unknown,
}

impl KnownPasswords {
    /// Issues a password. Returns it with the time at which it expires.
    pub fn issue(&self, now: Timestamp) -> (String, Timestamp) {
        let expires_at = now.plus_seconds(TOKEN_SECONDS);
        let mut issued = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        issued.push(expires_at);
        (format!("ecr-password-{}", issued.len() - 1), expires_at)
    }

    /// Checks a password as of now.
    pub fn check(&self, password: &str, now: Timestamp) -> Verdict {
        let number = password.strip_prefix("ecr-password-").and_then(|number| number.parse::<usize>().ok());
        let issued = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        match number.and_then(|number| issued.get(number)) {
            Some(expires_at) if now < *expires_at => Verdict::Valid,
            Some(_) => Verdict::Expired,
            None => Verdict::Unknown,
        }
    }

    /// How many passwords have been issued.
    pub fn issued(&self) -> usize {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).len()
    }
}
