package db

import "github.com/ory/dockertest/v3"

func pool() {
	a, err := pool.Run("mariadb", "11", []string{"X=y"})
	b, err := pool.RunWithOptions(&dockertest.RunOptions{Repository: "clickhouse/clickhouse-server", Tag: "24.8"})
}
