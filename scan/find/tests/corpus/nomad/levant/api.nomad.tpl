job "[[ .name ]]" {
  group "g" {
    task "t" {
      driver = "docker"
      config {
        image = "acme/api:[[ .tag ]]"
      }
    }
    task "u" {
      driver = "docker"
      config {
        image = "[[ .image ]]"
      }
    }
  }
}
