variable "redis_version" {
  type    = string
  default = "7.2-alpine"
}

locals {
  registry = "ghcr.io/acme"
}

# job "commented" { config { image = "nope:1" } }
job "web" {
  datacenters = ["dc1"]
  group "app" {
    task "cache" {
      driver = "docker"
      config {
        image = "redis:${var.redis_version}"
        ports = ["db"]
      }
      template {
        data = <<EOH
image = "inside-a-template:1"
EOH
        destination = "local/x"
      }
    }
    task "app" {
      driver = "docker"
      config {
        image = "${local.registry}/app:1"
        auth { username = "x" }
      }
    }
    task "proxy" {
      driver = "podman"
      config { image = "docker://docker.io/library/nginx:1.27" }
    }
    task "vm" {
      driver = "qemu"
      config { image_path = "local/disk.img" }
    }
  }
}
