//! The story, told into a string.

use crate::demo::DemoStage;
use crate::demo::stage::WIDTH;

use super::tell;

#[tokio::test]
async fn the_story_has_the_numbers_of_the_case_and_ends_well() {
    let mut out = Vec::new();
    let mut pauses = 0;
    pullsafe_aws::telemetry::send_metrics_to(|_| {});
    tell(&mut DemoStage::new(&mut out, false, &mut |_| pauses += 1, &mut |_| ())).await.unwrap();
    let story = String::from_utf8(out).unwrap();
    let sentences = [
        "19:17  Deployment 77 starts",
        "56 of 100 pulls are used, as the record counts: deployment 75, 6 tasks x 7 = 42",
        "task 6 STOPPED after 7 tries, each a pull",
        "19:47  try 2 of task 7 is the 100th pull",
        "14 launches of 7 tries empty a quota of 100",
        "task 7 STOPPED after 7 tries: 429",
        "20:10  53 minutes in, a person gives the stack up",
        "8 tasks, 56 tries: 44 pulls, 12 refusals, 0 of 2 tasks RUNNING",
        "> pullsafe: registry-unreachable",
        "> pullsafe: queued for the mirror",
        "1 pull from the mirror's own address",
        "> pullsafe: moved to the mirror",
        "task 10 RUNNING, from the mirror",
        "the stack complete",
        "> pullsafe: resolved",
        "prod/web: resolved: 2 of 2 tasks of the newest deployment run and the service is steady.",
        "5. The report of the incident",
        "# prod/web: resolved, last blocker registry-rate-limited",
        "It was hidden by registry-unreachable.",
        "What happened",
        "+ Image: 123456789012.dkr.ecr.eu-west-1.amazonaws.com/docker-hub/iseepatterns/court-case-backend:latest",
        "the cure held",
    ];
    // A sentence may go over two lines.
    let flat = |text: &str| text.split_whitespace().collect::<Vec<_>>().join(" ");
    let words = flat(&story);
    let missing: Vec<_> = sentences.into_iter().filter(|sentence| !words.contains(&flat(sentence))).collect();
    assert!(missing.is_empty(), "{missing:?} is not in\n{story}");
    assert!(pauses > 0 && !story.contains('\x1b') && !story.contains("_aws"), "{story}");
    // An image name or an address is not cut.
    let too_long = |line: &&str| line.chars().count() > WIDTH && !line.split(' ').any(|word| word.chars().count() > 65);
    assert_eq!(story.lines().find(too_long), None);
}
