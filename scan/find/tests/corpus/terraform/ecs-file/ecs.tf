variable "tag" {}
data "aws_caller_identity" "me" {}
resource "aws_ecs_task_definition" "a" {
  family                = "a"
  container_definitions = <<-DEFINITION
  [
    {
      "name": "a",
      "image": "${data.aws_caller_identity.me.account_id}.dkr.ecr.eu-west-1.amazonaws.com/a:${var.tag}",
      "portMappings": [{"containerPort": 80}]
    },
    {
      "name": "n",
      "image": "nginx:${var.tag}"
    },
    {
      "name": "s",
      "image": "%{ if true }datadog/agent:7%{ endif }"
    }
  ]
  DEFINITION
}
resource "aws_codebuild_project" "p" {
  environment {
    image = "aws/codebuild/standard:7.0"
    type  = "LINUX_CONTAINER"
  }
}
resource "aws_codebuild_project" "q" {
  environment {
    image = "hashicorp/terraform:1.9"
  }
  source {
    type      = "NO_SOURCE"
    buildspec = <<-EOT
      version: 0.2
      phases:
        build:
          commands:
            - docker pull aquasec/trivy:0.57.0
    EOT
  }
}
resource "kubernetes_deployment_v1" "k" {
  spec {
    template {
      spec {
        container {
          name  = "k"
          image = "memcached:1.6"
        }
      }
    }
  }
}
