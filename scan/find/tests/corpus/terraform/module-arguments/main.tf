variable "registry" {
  type    = string
  default = "docker.io/grafana"
}
variable "images" {
  default = {
    loki = "grafana/loki:3.2.0"
    init = "busybox"
  }
}
module "service" {
  source          = "terraform-aws-modules/ecs/aws//modules/service"
  container_image = "traefik/whoami:v1.10"
  container_definitions = {
    app = {
      image     = "${var.registry}/grafana:11.3.0"
      essential = true
    }
    loki = {
      image = var.images["loki"]
    }
    init = {
      image = lookup(var.images, "init", "alpine:3")
    }
  }
}
resource "aws_instance" "vm" {
  ami  = "ami-1"
  tags = { image = "not:this-one" }
}
resource "docker_image" "n" { name = format("%s-%d:%s", "acme/n", 2, "x") }
resource "docker_container" "n" { image = docker_image.n.image_id }
