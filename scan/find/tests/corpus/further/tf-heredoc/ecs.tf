resource "aws_ecs_task_definition" "service" {
  family = "service"
  container_definitions = <<-DEFS
  [
    {
      "name": "first",
      "image": "wordpress:${var.wp}",
      "essential": true
    },
    {
      "name": "second",
      "image": "${aws_ecr_repository.a.repository_url}:latest"
    }
  ]
  DEFS
}
variable "wp" {
  default = "6.6"
}
resource "aws_ecr_repository" "a" { name = "a" }
resource "aws_batch_job_definition" "j" {
  type = "container"
  container_properties = jsonencode({ image = "rocker/r-ver:4.4.1", command = ["R"] })
}
resource "aws_codebuild_project" "b" {
  environment {
    compute_type = "BUILD_GENERAL1_SMALL"
    image        = "maven:3.9-eclipse-temurin-21"
    type         = "LINUX_CONTAINER"
  }
  source {
    type      = "NO_SOURCE"
    buildspec = <<EOT
version: 0.2
phases:
  build:
    commands:
      - docker pull kindest/node:v1.31.0
EOT
  }
}
