resource "docker_image" "nginx" {
  name         = "nginx:latest"
  keep_locally = false
}
resource "docker_container" "nginx" {
  image = docker_image.nginx.image_id
  name  = "tutorial"
}
data "docker_registry_image" "ubuntu" { name = "ubuntu:24.04" }
resource "docker_image" "ubuntu" {
  name          = data.docker_registry_image.ubuntu.name
  pull_triggers = [data.docker_registry_image.ubuntu.sha256_digest]
}
resource "docker_image" "built" {
  name = "acme/built:1"
  build { context = "." }
}
resource "kubernetes_deployment" "d" {
  spec {
    template {
      spec {
        container {
          image = "hashicorp/http-echo:1.0"
          name  = "echo"
        }
        init_container { image = "alpine:3.20" }
      }
    }
  }
}
resource "helm_release" "r" {
  name  = "r"
  chart = "redis"
  set {
    name  = "image.repository"
    value = "bitnami/redis"
  }
}
resource "nomad_job" "x" { jobspec = file("x.nomad") }
resource "aws_lambda_function" "l" {
  package_type = "Image"
  image_uri    = "${aws_ecr_repository.r.repository_url}:v1"
}
resource "aws_lightsail_container_service_deployment_version" "v" {
  container {
    container_name = "hello"
    image          = "amazon/amazon-lightsail:hello-world"
  }
}
resource "aws_apprunner_service" "s" {
  source_configuration {
    image_repository {
      image_identifier      = "public.ecr.aws/aws-containers/hello-app-runner:latest"
      image_repository_type = "ECR_PUBLIC"
    }
  }
}
