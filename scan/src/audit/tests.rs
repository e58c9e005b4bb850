use super::*;

fn service(name: &str, desired_count: u32, subnet: &str, containers: &[(&str, bool)]) -> AuditedService {
    AuditedService {
        cluster: "prod".to_owned(),
        name: name.to_owned(),
        desired_count,
        task_definition: format!("{name}:7"),
        containers: containers
            .iter()
            .enumerate()
            .map(|(index, &(image, has_credentials))| AuditedContainer {
                name: format!("c{index}"),
                image: image.to_owned(),
                has_credentials,
            })
            .collect(),
        subnets: BTreeSet::from([subnet.to_owned()]),
    }
}

fn inventory() -> AccountInventory {
    AccountInventory {
        account: "123456789012".to_owned(),
        region: "eu-west-1".to_owned(),
        services: vec![
            service("case-a", 2, "subnet-1", &[("iseepatterns/court-case-backend:latest", false)]),
            service(
                "web",
                3,
                "subnet-1",
                &[("nginx:1.27", false), ("redis:7", false), ("123456789012.dkr.ecr.eu-west-1.amazonaws.com/x", false)],
            ),
            service("paid", 1, "subnet-2", &[("acme/app:1", true)]),
            service("own", 9, "subnet-1", &[("public.ecr.aws/docker/library/nginx:1", false)]),
            service("odd", 1, "subnet-1", &[("Not An Image", false)]),
        ],
        mirror: BTreeMap::from([
            ("docker.io/library/nginx:1.27".to_owned(), Mirrored::Held { digest: "sha256:x".to_owned() }),
            ("docker.io/library/redis:7".to_owned(), Mirrored::Missing),
        ]),
        unknown: vec!["cluster `dev`: access denied".to_owned()],
    }
}

#[test]
fn counts_what_a_deployment_and_a_failure_cost() {
    let audit = audit(&inventory(), ANONYMOUS_QUOTA);
    let rows: Vec<_> = audit
        .exposed
        .iter()
        .map(|exposed| {
            (
                exposed.service.as_str(),
                exposed.pulls_per_deployment,
                exposed.pulls_per_failing_launch,
                exposed.failing_launches_to_empty_quota,
            )
        })
        .collect();
    // Case A: 100 pulls, 7 for each failing launch.
    assert_eq!(rows, [("web", 6, 8, Some(12)), ("case-a", 2, 7, Some(14)), ("paid", 1, 7, None)]);
    assert_eq!(audit.addresses.len(), 1, "credentials do not share the address's quota");
    assert_eq!(audit.addresses[0].pulls_per_deployment_of_all, 8);
    assert_eq!(audit.unreadable.len(), 1);
}

#[test]
fn reads_alone() {
    insta::assert_snapshot!(audit(&inventory(), ANONYMOUS_QUOTA).text());
}

#[test]
fn an_account_without_docker_hub_is_not_exposed() {
    let inventory = AccountInventory {
        services: vec![service("own", 9, "subnet-1", &[("public.ecr.aws/x/y:1", false)])],
        ..AccountInventory::default()
    };
    let audit = audit(&inventory, ANONYMOUS_QUOTA);
    assert!(!audit.is_exposed());
    assert!(audit.json().unwrap().contains("\"exposed\": []"));
}
