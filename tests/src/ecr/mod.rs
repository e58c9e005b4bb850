//! The ECR API.

/// The account.
pub const ACCOUNT: &str = "123456789012";
