//! The cost of a stack, in the documents.

use scenarios::cost::{Measured, by_incidents, by_services};

#[tokio::test]
async fn the_documents_cost_what_the_code_does() {
    let measured = Measured::count(include_str!("../../template.yaml")).await;
    super::documents::check("README.md", "cost", &by_incidents(&measured));
    super::documents::check("docs/deploy.md", "cost", &by_services(&measured));
    // A month in which nothing happens costs what the stack's resources cost, not what runs.
    let idle = scenarios::cost::month(&measured, measured.observing, 0.0, 0.0);
    let runs: f64 = idle
        .iter()
        .filter(|line| line.what.starts_with("Lambda") || line.what.starts_with("DynamoDB"))
        .map(|line| line.listed())
        .sum();
    assert!(runs < 0.10, "{idle:?}");
}
