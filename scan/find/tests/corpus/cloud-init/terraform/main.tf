resource "aws_instance" "x" {
  ami       = "ami-1"
  user_data = <<-EOT
    #!/bin/bash
    docker run -d -p 80:80 caddy:2
  EOT
}
