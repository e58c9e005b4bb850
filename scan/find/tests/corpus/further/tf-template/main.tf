data "template_file" "td" {
  template = file("${path.module}/templates/app.json.tpl")
  vars = { app_image = "acme/app:${var.v}", sidecar = "busybox" }
}
variable "v" { default = 9 }
resource "aws_ecs_task_definition" "t" {
  container_definitions = data.template_file.td.rendered
}
