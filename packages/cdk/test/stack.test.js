'use strict';
const assert = require('node:assert');
const { test } = require('node:test');
const { App, Duration, Stack } = require('aws-cdk-lib');
const { Annotations, Match, Template } = require('aws-cdk-lib/assertions');
const ec2 = require('aws-cdk-lib/aws-ec2');
const ecs = require('aws-cdk-lib/aws-ecs');
const lambda = require('aws-cdk-lib/aws-lambda');
const s3 = require('aws-cdk-lib/aws-s3');
const { Mode, Pullsafe, PullsafeImage } = require('..');
const { repository } = require('./shop');

const PACKAGED = require('../template/pullsafe.json');

function deployed(props = {}, app = new App()) {
  return new Pullsafe(app, 'pullsafe', { codeBucket: 'a-bucket', ...props });
}

function template(props) {
  return Template.fromStack(deployed(props)).toJSON();
}

test('the stack is the packaged template with the bucket filled in', () => {
  const made = template();
  assert.deepStrictEqual(Object.keys(made.Resources), Object.keys(PACKAGED.Resources));
  for (const [name, resource] of Object.entries(PACKAGED.Resources)) {
    const wanted = JSON.parse(JSON.stringify(resource));
    if (resource.Type === 'AWS::Serverless::Function') {
      wanted.Properties = { ...PACKAGED.Globals.Function, ...wanted.Properties };
      wanted.Properties.CodeUri.Bucket = 'a-bucket';
    }
    assert.deepStrictEqual(made.Resources[name], wanted, name);
  }
  const { CodeBucket: _, ...parameters } = PACKAGED.Parameters;
  const { BootstrapVersion: __, ...own } = made.Parameters;
  // The CDK writes numbers of parameters as text, which CloudFormation takes them for anyway.
  const word = (value) => (value === undefined ? undefined : String(value));
  const text = (row) => ({ ...row, Default: word(row.Default), AllowedValues: row.AllowedValues?.map(String) });
  assert.deepStrictEqual(Object.keys(own), Object.keys(parameters));
  for (const name of Object.keys(parameters)) {
    assert.deepStrictEqual(JSON.parse(JSON.stringify(own[name])), JSON.parse(JSON.stringify(text(parameters[name]))), name);
  }
  assert.deepStrictEqual(made.Conditions, PACKAGED.Conditions);
  assert.deepStrictEqual(made.Mappings, PACKAGED.Mappings);
  assert.deepStrictEqual(made.Outputs, PACKAGED.Outputs);
  assert.strictEqual(made.Transform, PACKAGED.Transform);
});

test('values are filled in and are no parameters any more', () => {
  const made = template({
    mode: Mode.ACT,
    notificationEmail: 'ops@example.com',
    codePrefix: 'releases/7/',
    parameters: { ReadableLogGroups: '/ecs/*,/mine/*', Architecture: 'x86_64' },
  });
  for (const name of ['CodeBucket', 'CodePrefix', 'Mode', 'NotificationEmail', 'ReadableLogGroups', 'Architecture']) {
    assert.ok(!(name in made.Parameters), name);
  }
  assert.ok(!JSON.stringify(made).match(/"Ref":"(Mode|CodeBucket|CodePrefix|Architecture|ReadableLogGroups)"/));
  const { Properties: remediator } = made.Resources.RemediatorFunction;
  assert.deepStrictEqual(remediator.CodeUri, {
    Bucket: 'a-bucket',
    Key: { 'Fn::Sub': ['${CodePrefix}remediator-${Architecture}.zip', { CodePrefix: 'releases/7/', Architecture: 'x86_64' }] },
  });
  assert.deepStrictEqual(remediator.Environment.Variables.PULLSAFE_LOG_GROUPS, { 'Fn::Join': [',', ['/ecs/*', '/mine/*']] });
  assert.strictEqual(remediator.Environment.Variables.PULLSAFE_MODE, 'act');
  assert.deepStrictEqual(made.Conditions.HasNotificationEmail, { 'Fn::Not': [{ 'Fn::Equals': ['ops@example.com', ''] }] });
});

test('a bucket of the same app is referred to', () => {
  const app = new App();
  const code = new Stack(app, 'code-stack');
  const made = Template.fromStack(deployed({ codeBucket: new s3.Bucket(code, 'Code').bucketName }, app)).toJSON();
  assert.ok('Fn::ImportValue' in made.Resources.RemediatorFunction.Properties.CodeUri.Bucket);
});

test('what cannot be is said before anything is deployed', () => {
  for (const [parameters, message] of [
    [{ Mood: 'act' }, /no parameter Mood; it has CodeBucket/],
    [{ Mode: 'act' }, /Mode has a property of its own/],
    [{ SweepMinutes: '0' }, /SweepMinutes is a number from 1 to 60/],
    [{ SweepMinutes: 'often' }, /SweepMinutes is a number/],
    [{ QueueConcurrency: '3' }, /QueueConcurrency is one of 2, 5/],
    [{ ServicePattern: 'prod/web; drop' }, /ServicePattern is cluster\/service with wildcards/],
    [{ OrganizationAccounts: '123456789012,12' }, /OrganizationAccounts is account numbers/],
    [{ MirrorPrefix: 'x'.repeat(101) }, /MirrorPrefix is at most 100 characters/],
  ]) {
    assert.throws(() => deployed({ parameters }), message);
  }
  assert.throws(() => deployed({ notificationEmail: 'nobody' }), /NotificationEmail is an e-mail address/);
});

test('the gate is handed to other stacks of the app', () => {
  const app = new App();
  const pullsafe = deployed({}, app);
  const shop = new Stack(app, 'shop');
  new PullsafeImage(shop, 'Image', { repository: repository(shop), tag: '1', gate: pullsafe.imageGateArn });
  const [image] = Object.values(Template.fromStack(shop).findResources('Custom::PullsafeImage'));
  assert.ok('Fn::ImportValue' in image.Properties.ServiceToken);
});

function service(stack, props = {}, kind = ecs.FargateService) {
  const vpc = new ec2.Vpc(stack, 'Vpc', { natGateways: 0 });
  const cluster = new ecs.Cluster(stack, 'Cluster', { vpc });
  if (kind === ecs.Ec2Service) {
    cluster.addCapacity('Capacity', { instanceType: new ec2.InstanceType('t3.micro') });
  }
  const Definition = kind === ecs.FargateService ? ecs.FargateTaskDefinition : ecs.Ec2TaskDefinition;
  const taskDefinition = new Definition(stack, 'Task');
  taskDefinition.addContainer('app', { image: ecs.ContainerImage.fromRegistry('x'), memoryLimitMiB: 64 });
  return new kind(stack, 'Service', { cluster, taskDefinition, ...props });
}

const PAUSE = { TargetType: 'PAUSE', LifecycleStages: ['PRE_SCALE_UP'], TimeoutConfiguration: { TimeoutInMinutes: 5, Action: 'CONTINUE' } };

function hooks(stack) {
  const [found] = Object.values(Template.fromStack(stack).findResources('AWS::ECS::Service'));
  return found.Properties.DeploymentConfiguration;
}

test('a protected service waits before its first task, and goes on', () => {
  for (const kind of [ecs.FargateService, ecs.Ec2Service]) {
    const stack = new Stack();
    const protectedOne = service(stack, { circuitBreaker: { rollback: true } }, kind);
    Pullsafe.protect(protectedOne);
    Pullsafe.protect(protectedOne);
    const configuration = hooks(stack);
    assert.deepStrictEqual(configuration.LifecycleHooks, [PAUSE]);
    assert.deepStrictEqual(configuration.DeploymentCircuitBreaker, { Enable: true, Rollback: true });
  }
});

test('hooks of its own stay, also those that are added later', () => {
  const stack = new Stack();
  const one = service(stack, { deploymentStrategy: ecs.DeploymentStrategy.BLUE_GREEN });
  const handler = new lambda.Function(stack, 'F', { runtime: lambda.Runtime.NODEJS_22_X, handler: 'a.b', code: lambda.Code.fromInline('x') });
  Pullsafe.protect(one, { timeout: Duration.minutes(7) });
  one.addLifecycleHook(new ecs.DeploymentLifecycleLambdaTarget(handler, 'Hook', { lifecycleStages: [ecs.DeploymentLifecycleStage.POST_SCALE_UP] }));
  const [first, second] = hooks(stack).LifecycleHooks;
  assert.deepStrictEqual(first.LifecycleStages, ['POST_SCALE_UP']);
  assert.deepStrictEqual(second, { ...PAUSE, TimeoutConfiguration: { TimeoutInMinutes: 7, Action: 'CONTINUE' } });
});

test('a construct that holds one service is protected by it, one of none or two is not', () => {
  const stack = new Stack();
  service(stack);
  Pullsafe.protect(stack);
  assert.deepStrictEqual(hooks(stack).LifecycleHooks, [PAUSE]);
  assert.throws(() => Pullsafe.protect(new Stack()), /holds 0 services/);
});

test('what has no hooks is refused', () => {
  const stack = new Stack();
  const other = service(stack, { deploymentController: { type: ecs.DeploymentControllerType.CODE_DEPLOY } });
  assert.throws(() => Pullsafe.protect(other), /only deployments that ECS itself controls/);
  for (const timeout of [Duration.minutes(0), Duration.days(15)]) {
    assert.throws(() => Pullsafe.protect(service(new Stack()), { timeout }), /from a minute to two weeks/);
  }
});

test("where the app's own stack does not answer hooks, it is said", () => {
  for (const [parameters, warned] of [[{}, 1], [{ AnswerHooks: 'false' }, 1], [{ AnswerHooks: 'true' }, 0], [undefined, 0]]) {
    const app = new App();
    const stack = new Stack(app, 'Shop');
    Pullsafe.protect(service(stack));
    if (parameters !== undefined) {
      const own = new Pullsafe(app, 'Pullsafe', { codeBucket: 'bucket', parameters });
      assert.strictEqual(own.answersHooks, warned === 0);
    }
    const said = Annotations.fromStack(stack).findWarning('*', Match.stringLikeRegexp('does not answer deployment hooks'));
    assert.strictEqual(said.length, warned, JSON.stringify(parameters));
  }
});
