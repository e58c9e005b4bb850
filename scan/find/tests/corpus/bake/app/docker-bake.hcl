variable "TAG" { default = "dev" }
variable "ALPINE" { default = "3.20" }
group "default" { targets = ["app"] }
target "app" {
  dockerfile = "Dockerfile"
  args = { BASE = "node:22" }
  contexts = {
    base  = "target:base"
    tools = "docker-image://alpine:${ALPINE}"
  }
  tags = ["acme/app:${TAG}"]
}
