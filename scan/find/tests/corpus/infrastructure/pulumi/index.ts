import * as docker from "@pulumi/docker";
import * as k8s from "@pulumi/kubernetes";
const remote = new docker.RemoteImage("redis", { name: "redis:7.4" });
const built = new docker.Image("app", { imageName: "acme/app:1", build: { context: "." } });
const dep = new k8s.apps.v1.Deployment("d", { spec: { template: { spec: { containers: [{ name: "nginx", image: "nginx" }] } } } });
const vm = new gcp.compute.Instance("i", { bootDisk: { initializeParams: { image: "debian-cloud/debian-12" } } });
const drop = new digitalocean.Droplet("d", { image: "ubuntu-24-04-x64" });
