package db

import (
	"github.com/testcontainers/testcontainers-go"
	"github.com/testcontainers/testcontainers-go/modules/postgres"
)

const natsImage = "nats:2.10"

func TestDB(t *testing.T) {
	t.Run("postgres:not-an-image", func(t *testing.T) {})
	c, err := postgres.Run(ctx, "postgres:16-alpine", postgres.WithDatabase("x"))
	req := testcontainers.ContainerRequest{
		Image:        "docker.io/library/memcached:1.6",
		ExposedPorts: []string{"11211/tcp"},
	}
	r, err := redis.RunContainer(ctx, testcontainers.WithImage("redis:7"))
	n, err := testcontainers.Run(context.Background(), natsImage)
	g := testcontainers.GenericContainerRequest{ContainerRequest: testcontainers.ContainerRequest{Image: fmt.Sprintf("minio/minio:%s", tag)}}
	f := testcontainers.ContainerRequest{FromDockerfile: testcontainers.FromDockerfile{Context: "."}}
	log.Printf("image: %s", "nope:1")
}
