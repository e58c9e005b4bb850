resource "docker_image" "x" {
  name = "nginx
}
image
