terraform {
  required_version = ">= 1.5"
  required_providers { aws = { source = "hashicorp/aws", version = "~> 5.0" } }
}
variable "nginx_version" {
  type        = string
  default     = "1.27"
  description = "image: foo:1"
}
variable "app_image" { type = string }
variable "images" {
  type = map(string)
  default = {
    redis = "redis:7.2"
    pg    = "postgres:16"
  }
}
locals {
  hub        = "docker.io"
  otel_image = "${local.hub}/otel/opentelemetry-collector:${local.otel_tag}"
  otel_tag   = "0.108.0"
  ecr        = "${data.aws_caller_identity.current.account_id}.dkr.ecr.${var.region}.amazonaws.com"
}
resource "aws_ecs_task_definition" "app" {
  family                = "app"
  container_definitions = jsonencode([
    {
      name      = "nginx"
      image     = "nginx:${var.nginx_version}-alpine"
      essential = true
    },
    { name = "app", image = var.app_image },
    { name = "otel", image = local.otel_image },
    merge({ name = "fb", image = "fluent/fluent-bit:3.1.6" }, { cpu = 10 }),
    { name = "own", image = "${local.ecr}/own:${var.tag}" },
    { "name" : "redis", "image" : var.images["redis"] },
    { name = "tern", image = var.prod ? "haproxy:2.9" : "haproxy:3.0" },
    { name = "coal", image = coalesce(var.maybe, "vault:1.13.3") }
  ])
}
variable "maybe" { default = null }
variable "prod" { default = false }
