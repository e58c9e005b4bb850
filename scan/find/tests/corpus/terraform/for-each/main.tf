locals {
  services = {
    web   = { image = "nginx:1.27", cpu = 256 }
    cache = { image = "redis:7", cpu = 128 }
  }
  tag = "2.0"
}

resource "aws_ecs_task_definition" "this" {
  for_each = local.services
  family   = each.key
  container_definitions = jsonencode([
    {
      name  = each.key
      image = each.value.image
    },
    {
      name  = "log"
      image = "amazon/aws-for-fluent-bit:${local.tag}"
    }
  ])
}
