'use strict';
const assert = require('node:assert');
const { test } = require('node:test');
const { App, Duration, Stack } = require('aws-cdk-lib');
const { Match, Template } = require('aws-cdk-lib/assertions');
const { PullsafeImage } = require('..');
const { Shop, repository } = require('./shop');

function image(props) {
  const stack = new Stack();
  const made = new PullsafeImage(stack, 'Image', { repository: repository(stack), ...props });
  return { stack, made };
}

test('the stack waits for the tag, and its containers run the digest', () => {
  const template = Template.fromStack(new Shop(new App(), 'shop', { tag: '1.4.3' }));
  template.hasResourceProperties('Custom::PullsafeImage', {
    ServiceToken: { 'Fn::ImportValue': 'pullsafe-ImageGate' },
    ServiceTimeout: '1800',
    ImageTag: '1.4.3',
    Platforms: ['linux/amd64'],
    RepositoryName: Match.objectLike({ 'Fn::Join': Match.anyValue() }),
  });
  const [name] = Object.keys(template.findResources('Custom::PullsafeImage'));
  const uri = { 'Fn::GetAtt': [name, 'ImageUri'] };
  template.hasResourceProperties('AWS::ECS::TaskDefinition', { ContainerDefinitions: [Match.objectLike({ Image: uri }), Match.objectLike({ Image: uri })] });
});

test('the execution role may pull the image that is run', () => {
  const template = Template.fromStack(new Shop(new App(), 'shop', { tag: '1' }));
  const [repository] = Object.keys(template.findResources('AWS::ECR::Repository'));
  template.hasResourceProperties('AWS::IAM::Policy', {
    PolicyDocument: Match.objectLike({
      Statement: Match.arrayWith([
        Match.objectLike({ Action: Match.arrayWith(['ecr:BatchGetImage']), Resource: { 'Fn::GetAtt': [repository, 'Arn'] } }),
      ]),
    }),
  });
});

test('everything that the gate understands can be said', () => {
  const { stack } = image({ digest: `sha256:${'a'.repeat(64)}`, source: 'redis:7', trigger: 'x', timeout: Duration.minutes(60), gate: 'arn:gate' });
  Template.fromStack(stack).hasResourceProperties('Custom::PullsafeImage', {
    ServiceToken: 'arn:gate',
    ServiceTimeout: '3600',
    ImageDigest: `sha256:${'a'.repeat(64)}`,
    ImageTag: Match.absent(),
    Platforms: Match.absent(),
    Source: 'redis:7',
    Trigger: 'x',
  });
});

test('what cannot be is said before anything is deployed', () => {
  assert.throws(() => image({}), /Default\/Image: give either a tag or a digest/);
  assert.throws(() => image({ tag: '1', digest: 'sha256:x' }), /either a tag or a digest/);
  assert.throws(() => image({ tag: '1', timeout: Duration.minutes(61) }), /from a second to an hour, and not for/);
  assert.throws(() => image({ tag: '1', timeout: Duration.seconds(0) }), /from a second to an hour/);
});
