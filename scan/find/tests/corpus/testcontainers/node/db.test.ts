import { GenericContainer, Wait } from "testcontainers";
import { PostgreSqlContainer } from "@testcontainers/postgresql";

const TAG = process.env.TAG ?? "7";
describe("db", () => {
  it("starts", async () => {
    const a = await new GenericContainer("redis:" + TAG).withExposedPorts(6379).start();
    const b = await new PostgreSqlContainer('pgvector/pgvector:pg16').start();
    const c = await new GenericContainer(`mailhog/mailhog:v1.0.1`).start();
    const d = await GenericContainer.fromDockerfile("./x").build("mine:1");
    const re = /["']/;
    const e = new Container("not:this");
  });
});
