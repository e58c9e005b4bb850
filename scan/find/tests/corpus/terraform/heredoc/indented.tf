resource "aws_ecs_task_definition" "i" {
  container_definitions = <<-EOF
    [{"name": "x", "image": "traefik/whoami:v1.10"}]
  EOF
}
resource "aws_ecs_task_definition" "s" {
  container_definitions = "[{\"name\": \"y\", \"image\": \"caddy:2\"}]"
}
