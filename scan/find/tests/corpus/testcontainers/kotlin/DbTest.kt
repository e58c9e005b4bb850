import org.testcontainers.containers.PostgreSQLContainer
const val TAG = "17"
class KPostgres(image: String) : PostgreSQLContainer<KPostgres>(image)
val a = PostgreSQLContainer<Nothing>("postgres:$TAG").apply { withUsername("x") }
val b = GenericContainer(DockerImageName.parse("rabbitmq:3.13-management"))
val c = MongoDBContainer(dockerImageName = "mongo:6")
