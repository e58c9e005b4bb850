locals {
  images = {
    redis = "redis:7"
    kafka = format("%s/kafka:%s", "bitnami", var.kafka)
  }
  definitions = [{ name = "r", image = local.images.redis }, { name = "k", image = local.images["kafka"] }]
}
variable "kafka" { default = "3.7" }
resource "aws_ecs_task_definition" "t" {
  container_definitions = jsonencode(local.definitions)
}
resource "aws_batch_job_definition" "b" {
  container_properties = jsonencode({ image = var.on ? "busybox:1" : "alpine:3" })
}
