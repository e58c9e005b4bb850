// The gate for the AWS CDK: a custom resource like any other, and an image that the service is pinned to.
import { App, CustomResource, Duration, Fn, Stack } from 'aws-cdk-lib';
import { Vpc } from 'aws-cdk-lib/aws-ec2';
import { Repository, TagMutability } from 'aws-cdk-lib/aws-ecr';
import { Cluster, ContainerImage, FargateService, FargateTaskDefinition } from 'aws-cdk-lib/aws-ecs';

const stack = new Stack(new App(), 'shop');
const repository = new Repository(stack, 'Repository', { repositoryName: 'shop', imageTagMutability: TagMutability.IMMUTABLE });

const image = new CustomResource(stack, 'Image', {
  resourceType: 'Custom::PullsafeImage',
  serviceToken: Fn.importValue('pullsafe-ImageGate'),
  serviceTimeout: Duration.minutes(30),
  properties: {
    RepositoryName: repository.repositoryUri,
    ImageTag: stack.node.tryGetContext('imageTag'),
    Platforms: ['linux/amd64'],
  },
});

const task = new FargateTaskDefinition(stack, 'Task', { cpu: 256, memoryLimitMiB: 512 });
task.addContainer('shop', { image: ContainerImage.fromRegistry(image.getAttString('ImageUri')) });
// `fromRegistry` grants nothing by itself.
repository.grantPull(task.obtainExecutionRole());

const cluster = new Cluster(stack, 'Cluster', { vpc: new Vpc(stack, 'Vpc', { natGateways: 1 }) });
new FargateService(stack, 'Service', { cluster, taskDefinition: task, desiredCount: 2 });
