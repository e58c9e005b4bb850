variable "app_image" { default = "acme/app:2" }
resource "aws_ecs_task_definition" "t" {
  container_definitions = templatefile("${path.module}/x.json.tpl", {
    app_image = var.app_image
    cpu       = 256
  })
}
data "template_file" "old" {
  template = file("x.json")
  vars = {
    nginx_image = "nginx:1.25"
    region      = "eu-west-1"
  }
}
