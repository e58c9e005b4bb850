import * as ecs from 'aws-cdk-lib/aws-ecs';
const VERSION = '3.1';
task.addContainer('web', {
  image: ecs.ContainerImage.fromRegistry('nginx:1.27'),
});
task.addContainer('a', { image: ecs.ContainerImage.fromRegistry(`traefik:v${VERSION}`) });
task.addContainer('b', { image: ecs.ContainerImage.fromEcrRepository(repo, 'x') });
task.addContainer('c', { image: ecs.ContainerImage.fromAsset('./app') });
new codebuild.Project(this, 'p', { environment: { buildImage: codebuild.LinuxBuildImage.fromDockerRegistry('golang:1.23') } });
const d = DockerImage.fromRegistry("public.ecr.aws/docker/library/node:22");
new ecs.CfnTaskDefinition(this, 't', { containerDefinitions: [{ name: 'x', image: 'amazon/aws-otel-collector' }] });
new ec2.Instance(this, 'i', { image: 'ami-0123456789' });
