'use strict';
// A shop whose service is created in one deployment with its repository: the stack waits for the image in between.
const { Stack } = require('aws-cdk-lib');
const { Repository } = require('aws-cdk-lib/aws-ecr');
const { ContainerImage, FargateTaskDefinition } = require('aws-cdk-lib/aws-ecs');
const { PullsafeImage } = require('..');

function repository(stack) {
  return new Repository(stack, 'Repository', { repositoryName: 'shop' });
}

class Shop extends Stack {
  constructor(scope, id, { tag, ...props }) {
    super(scope, id, props);
    this.image = new PullsafeImage(this, 'Image', { repository: repository(this), tag, platforms: ['linux/amd64'] });
    const task = new FargateTaskDefinition(this, 'Task', { family: 'shop', cpu: 256, memoryLimitMiB: 512 });
    task.addContainer('shop', { image: this.image.containerImage });
    task.addContainer('copy', { image: ContainerImage.fromRegistry(this.image.uri), essential: false });
  }
}

module.exports = { Shop, repository };
