locals {
  containers = {
    web = { image = "nginx:1.27", port = 80 }
    api = { image = "acme/api", port = 8080 }
  }
  defs = [for name, c in local.containers : {
    name  = name
    image = c.image
    portMappings = [{ containerPort = c.port }]
  }]
}
resource "aws_ecs_task_definition" "x" {
  family                = "x"
  container_definitions = jsonencode(local.defs)
}
resource "aws_ecs_task_definition" "y" {
  container_definitions = jsonencode(concat(
    [{ name = "a", image = "${local.reg}redis:7" }],
    var.debug ? [{ name = "d", image = "nicolaka/netshoot:v0.13" }] : []
  ))
}
locals { reg = "" }
variable "debug" { type = bool }
resource "kubernetes_cron_job_v1" "c" {
  spec {
    job_template {
      spec {
        template {
          spec {
            container {
              name  = "c"
              image = "curlimages/curl:8.9.1"
            }
          }
        }
      }
    }
  }
}
resource "google_compute_instance" "g" {
  boot_disk {
    initialize_params {
      image = "debian-cloud/debian-12"
    }
  }
}
resource "aws_sagemaker_model" "m" {
  primary_container {
    image = "763104351884.dkr.ecr.us-east-1.amazonaws.com/pytorch-inference:2.3"
  }
}
resource "nomad_job" "n" {
  jobspec = <<EOT
job "x" { group "g" { task "t" { config { image = "redis:9" } } } }
EOT
}
resource "azurerm_container_group" "g" {
  container {
    name  = "hello"
    image = "mcr.microsoft.com/azuredocs/aci-helloworld:latest"
  }
}
resource "google_cloud_run_v2_service" "s" {
  template {
    containers {
      image = "us-docker.pkg.dev/cloudrun/container/hello"
    }
  }
}
module "lambda" {
  source     = "terraform-aws-modules/lambda/aws"
  image_uri  = "${aws_ecr_repository.f.repository_url}:v1"
  instances  = { a = { image = "ubuntu-os-cloud/ubuntu-2204-lts" } }
  containers = [{ name = "x", image = "hashicorp/consul:1.19" }]
}
