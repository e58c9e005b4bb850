from testcontainers.postgres import PostgresContainer
from testcontainers.core.container import DockerContainer

REDIS_IMAGE = os.getenv("REDIS_IMAGE", "redis:7.2")
VERSION = "8.15.0"

def test_a():
    # PostgresContainer("nope:1")
    with PostgresContainer("postgres:15", driver=None) as pg:
        pass
    es = ElasticSearchContainer(f"elasticsearch:{VERSION}")
    r = DockerContainer(REDIS_IMAGE).with_exposed_ports(6379)
    m = MySqlContainer(image="mysql:8")
    k = KafkaContainer()
