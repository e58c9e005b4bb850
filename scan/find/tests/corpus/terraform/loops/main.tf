locals {
  containers = [
    for name, c in var.containers : {
      name  = name
      image = "${c.repo}:${c.tag}"
    }
  ]
  single = {
    image = "nginx:${var.release}"
  }
}

variable "containers" {
  default = {
    web = { repo = "httpd", tag = "2.4" }
    db  = { repo = "bitnami/postgresql", tag = "16" }
  }
}

variable "release" {
  type    = string
  default = "1.0"
}

resource "aws_ecs_task_definition" "a" {
  container_definitions = jsonencode(local.containers)
}

resource "aws_ecs_task_definition" "b" {
  container_definitions = jsonencode([merge(local.single, { name = "x" })])
}

resource "aws_ecs_task_definition" "c" {
  container_definitions = "[{\"name\":\"x\",\"image\":\"memcached:1\"}]"
}

module "m" {
  for_each        = toset(["a", "b"])
  container_image = "acme/${each.key}:1"
}
