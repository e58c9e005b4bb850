module "ecs_service" {
  source  = "terraform-aws-modules/ecs/aws//modules/service"
  version = "~> 5.11"
  container_definitions = {
    fluent-bit = {
      cpu   = 512
      image = nonsensitive(data.aws_ssm_parameter.fluentbit.value)
    }
    (local.container_name) = {
      image = "public.ecr.aws/aws-containers/ecsdemo-frontend:776fd50"
      dependencies = [{ containerName = "fluent-bit", condition = "START" }]
    }
  }
}
module "web" {
  source          = "cloudposse/ecs-container-definition/aws"
  container_name  = "geodesic"
  container_image = "cloudposse/geodesic"
}
module "app" {
  source       = "../modules/app"
  docker_image = "${var.registry}/app:${var.tag}"
  image_tag    = "v1"
  sidecars     = [for s in ["statsd", "cadvisor"] : { image = "prom/${s}-exporter:v1" }]
}
variable "registry" { default = "acme" }
variable "tag" { default = "0" }
