resource "docker_image" "nginx" {
  name = "nginx:1.27"
}
resource "docker_container" "n" {
  image = docker_image.nginx.image_id
  name  = "n"
}
resource "kubernetes_deployment" "d" {
  spec {
    template {
      spec {
        container {
          name  = "c"
          image = "memcached:1.6"
        }
      }
    }
  }
}
resource "aws_codebuild_project" "b" {
  environment {
    image = "aws/codebuild/amazonlinux2-x86_64-standard:5.0"
  }
}
resource "google_compute_instance" "vm" {
  boot_disk {
    initialize_params {
      image = "debian-cloud/debian-11"
    }
  }
}
resource "hcloud_server" "s" {
  image = "ubuntu-22.04"
}
resource "google_cloud_run_v2_service" "r" {
  template {
    containers {
      image = "us-docker.pkg.dev/cloudrun/container/hello"
    }
  }
}
module "svc" {
  source          = "./svc"
  container_image = "acme/svc:3"
  image           = "grafana/loki:3.2.0"
}
