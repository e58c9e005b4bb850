resource "aws_ecs_task_definition" "app" {
  family = "app"
  container_definitions = jsonencode([
    {
      name  = "web"
      image = "nginx:1.27"
    },
    {
      name  = "app"
      image = "${aws_ecr_repository.app.repository_url}:latest"
    },
    merge(local.base, {
      name  = "cache"
      image = "redis:${var.redis_version}"
    }),
    { name = "worker", image = var.worker_image },
    { name = "missing", image = var.missing },
  ])
}

resource "aws_ecr_repository" "app" {
  name = "app"
}

data "aws_ami" "x" {
  filter { values = ["image"] }
}
