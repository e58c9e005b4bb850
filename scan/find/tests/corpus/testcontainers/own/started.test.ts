import { GenericContainer } from "./generic-container";

it("starts", async () => {
  await using container = await new GenericContainer("hashicorp/http-echo:1.0").withExposedPorts(5678).start();
});
