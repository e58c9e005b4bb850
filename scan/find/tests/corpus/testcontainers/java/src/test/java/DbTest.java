package x;
import org.testcontainers.containers.*;
import org.testcontainers.utility.DockerImageName;

class DbTest {
    private static final String REDIS = "redis:7.4-alpine";
    private static final DockerImageName KAFKA = DockerImageName.parse("confluentinc/cp-kafka:7.7.1");
    private static final String VERSION = "16";

    @Container
    static PostgreSQLContainer<?> postgres = new PostgreSQLContainer<>("postgres:" + VERSION)
        .withDatabaseName("test");
    @Container
    static GenericContainer<?> redis = new GenericContainer<>(REDIS).withExposedPorts(6379);
    static KafkaContainer kafka = new KafkaContainer(KAFKA);
    static MySQLContainer<?> mysql = new MySQLContainer<>(
        DockerImageName.parse("ghcr.io/acme/mysql").withTag("8.4").asCompatibleSubstituteFor("mysql"));
    static GenericContainer<?> built = new GenericContainer<>(new ImageFromDockerfile("mine:1").withDockerfile(p));
    // new GenericContainer<>("nope:1")
    static Cassandra old = new CassandraContainer("3.11.2");
    static Object log = Logger.getLogger("some.logger:name");
    static GenericContainer<?> fromEnv = new GenericContainer<>(System.getenv("SOME_IMAGE"));
    static GenericContainer<?> other = new GenericContainer<>(DockerImageName.parse(String.format("mongo:%s", "7.0")));
}
