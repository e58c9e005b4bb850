import { Annotations, Aspects, CfnCondition, CfnMapping, CfnOutput, CfnParameter, CfnResource, Duration, Lazy } from 'aws-cdk-lib';
import { Stack, StackProps, Token, Validations } from 'aws-cdk-lib';
import { CfnService } from 'aws-cdk-lib/aws-ecs';
import { Construct, IConstruct } from 'constructs';
import { fault, filled, read, Template } from './template';

/** What pullsafe may do. */
export enum Mode {
  /** It says what it would do, and has no permission to do it. */
  OBSERVE = 'observe',
  /** It does it once a person has said yes. */
  ASK = 'ask',
  /** It does it. */
  ACT = 'act',
}

/** The stack of an account and region. */
export interface PullsafeProps extends StackProps {
  /** The name of the bucket with the functions' zips of this package's version, in the stack's region. */
  readonly codeBucket: string;
  /**
   * What the zips' keys begin with.
   * @default - `pullsafe/VERSION/`
   */
  readonly codePrefix?: string;
  /**
   * What it may do. Observe for a week, then ask, then act.
   * @default Mode.OBSERVE
   */
  readonly mode?: Mode;
  /**
   * Who is told. AWS asks the address to confirm; until it has, nobody is told anything.
   * @default - nobody; subscribe to the topic yourself
   */
  readonly notificationEmail?: string;
  /**
   * Any other parameter of the template, by its name (docs/deploy.md has the list).
   * @default - the template's defaults
   */
  readonly parameters?: { [name: string]: string };
}

/** How a service's deployments are looked at before they start. */
export interface ProtectProps {
  /**
   * How long a deployment waits at most to be looked at; then it goes on.
   * @default Duration.minutes(5)
   */
  readonly timeout?: Duration;
}

/**
 * The pullsafe stack, once for each account and region: the packaged template of the release, with its parameters filled in.
 *
 * It is a stack of its own whatever it is created in, so that it can be updated and removed by itself.
 */
export class Pullsafe extends Stack {
  /**
   * Has each deployment of a service wait before its first task starts, until pullsafe has looked at its images, five minutes at most. A
   * deployment that nobody looks at goes on.
   *
   * @param service A service of the CDK (`FargateService`, `Ec2Service`, or a construct that holds one).
   */
  public static protect(service: IConstruct, props: ProtectProps = {}): void {
    const found = service.node.findAll().filter((child): child is CfnService => CfnService.isCfnService(child));
    if (found.length !== 1) {
      throw new Error(`${service.node.path}: holds ${found.length} services of ECS, and one can be protected at a time`);
    }
    const [cfn] = found;
    const minutes = (props.timeout ?? Duration.minutes(5)).toMinutes();
    if (minutes < 1 || minutes > 20160) {
      throw new Error(`${service.node.path}: a deployment can wait from a minute to two weeks, and not for ${minutes} minutes`);
    }
    const controller = cfn.deploymentController;
    if (Token.isUnresolved(controller) || ((controller as CfnService.DeploymentControllerProperty)?.type ?? 'ECS') !== 'ECS') {
      throw new Error(`${service.node.path}: only deployments that ECS itself controls have hooks`);
    }
    const before = cfn.deploymentConfiguration;
    if (Token.isUnresolved(before)) {
      throw new Error(`${service.node.path}: its deployment configuration is not known at synthesis; add the hook there`);
    }
    if (PROTECTED.has(cfn)) {
      return;
    }
    PROTECTED.add(cfn);
    const configuration = (before ?? {}) as CfnService.DeploymentConfigurationProperty;
    const pause: CfnService.DeploymentLifecycleHookProperty = {
      targetType: 'PAUSE',
      lifecycleStages: ['PRE_SCALE_UP'],
      timeoutConfiguration: { timeoutInMinutes: minutes, action: 'CONTINUE' },
    };
    cfn.deploymentConfiguration = {
      ...configuration,
      // The service's own hooks may still be added after this.
      lifecycleHooks: Lazy.uncachedAny({ produce: (context) => [...(context.resolve(configuration.lifecycleHooks) ?? []), pause] }),
    };
    // The app's own pullsafe stack may still be added after this; one of another app is not seen here.
    Aspects.of(cfn).add({
      visit: (node) => {
        const stacks = node === cfn ? node.node.root.node.findAll().filter((child): child is Pullsafe => child instanceof Pullsafe) : [];
        if (stacks.length > 0 && !stacks.some((stack) => stack.answersHooks)) {
          Annotations.of(node).addWarningV2(
            'pullsafe:hooks',
            `${stacks[0].node.path} does not answer deployment hooks: each deployment waits its ${minutes} minutes, then goes on. Give it parameters: { AnswerHooks: 'true' }.`,
          );
        }
      },
    });
  }

  /** Whether it answers the hooks of protected services (`AnswerHooks`), as far as that is known at synthesis. */
  public readonly answersHooks: boolean;
  /** The gate's ARN, for `PullsafeImage` in other stacks of the app. */
  public readonly imageGateArn: string;
  /** The topic that people are told by. */
  public readonly topicArn: string;

  constructor(scope: Construct, id: string, props: PullsafeProps) {
    const template = read();
    super(scope, id, { description: template.Description, ...props });
    const values = this.parameters(template, props);
    this.answersHooks = values.AnswerHooks === undefined ? false : Token.isUnresolved(values.AnswerHooks) || values.AnswerHooks === 'true';
    this.addTransform(template.Transform);
    this.declare(template, values);
    this.make(template, values);
    this.imageGateArn = this.resource('ImageGateFunction').getAtt('Arn').toString();
    this.topicArn = this.resource('Topic').ref;
  }

  /** The values of parameters that are given, each looked at. */
  private parameters(template: Template, props: PullsafeProps): { [name: string]: string } {
    const own: { [name: string]: string | undefined } = {
      CodeBucket: props.codeBucket,
      CodePrefix: props.codePrefix,
      Mode: props.mode,
      NotificationEmail: props.notificationEmail,
    };
    const values: { [name: string]: string } = {};
    for (const [name, value] of Object.entries({ ...props.parameters, ...own })) {
      if (name in own && name in (props.parameters ?? {})) {
        throw new Error(`${this.node.path}: ${name} has a property of its own, and is no entry of \`parameters\``);
      }
      if (!(name in template.Parameters)) {
        throw new Error(`${this.node.path}: the template has no parameter ${name}; it has ${Object.keys(template.Parameters).join(', ')}`);
      }
      if (value === undefined) {
        continue;
      }
      const wanted = Token.isUnresolved(value) ? undefined : fault(template.Parameters[name], value);
      if (wanted !== undefined) {
        throw new Error(`${this.node.path}: ${name} is ${wanted}, and not ${JSON.stringify(value)}`);
      }
      values[name] = value;
    }
    return values;
  }

  /** Parameters that are left, conditions and mappings, under the template's own names. */
  private declare(template: Template, values: { [name: string]: string }): void {
    for (const [name, row] of Object.entries(template.Parameters)) {
      if (!(name in values)) {
        new CfnParameter(this, name, {
          type: row.Type,
          default: row.Default === undefined ? undefined : String(row.Default),
          description: row.Description,
          allowedPattern: row.AllowedPattern,
          allowedValues: row.AllowedValues?.map(String),
          constraintDescription: row.ConstraintDescription,
          maxLength: row.MaxLength,
          minValue: row.MinValue,
          maxValue: row.MaxValue,
        }).overrideLogicalId(name);
      }
    }
    for (const [name, mapping] of Object.entries(template.Mappings)) {
      new CfnMapping(this, name, { mapping }).overrideLogicalId(name);
    }
    for (const [name, expression] of Object.entries(template.Conditions)) {
      const whole = Lazy.any({ produce: () => filled(expression, template, values) });
      new CfnCondition(this, name, { expression: whole as any }).overrideLogicalId(name);
    }
  }

  /** Resources and outputs. What the template says of all functions is said of each: a stack of the CDK has no `Globals`. */
  private make(template: Template, values: { [name: string]: string }): void {
    for (const [name, { Type: type, Properties: properties, ...rest }] of Object.entries(template.Resources)) {
      const globals = type === 'AWS::Serverless::Function' ? template.Globals.Function : {};
      const resource = new CfnResource(this, name, { type, properties: filled({ ...globals, ...properties }, template, values) });
      resource.overrideLogicalId(name);
      if (type === 'AWS::Serverless::Function') {
        // The CDK's own look at templates takes a schedule that a condition chooses, or a parameter names, for a missing one.
        const reason = 'Its schedule is chosen when it is deployed.';
        Validations.of(resource).acknowledge({ id: 'CloudFormation-Validate::E0001', reason });
      }
      for (const [key, value] of Object.entries(rest)) {
        resource.addOverride(key, filled(value, template, values));
      }
    }
    for (const [name, row] of Object.entries(template.Outputs)) {
      const value = Token.asString(filled(row.Value, template, values));
      const output = new CfnOutput(this, name, { value, description: row.Description });
      output.overrideLogicalId(name);
      if (row.Export !== undefined) {
        output.exportName = Token.asString(filled(row.Export.Name, template, values));
      }
      if (row.Condition !== undefined) {
        output.condition = this.node.findChild(row.Condition) as CfnCondition;
      }
    }
  }

  private resource(name: string): CfnResource {
    return this.node.findChild(name) as CfnResource;
  }
}

/** Services that have the hook already: to protect one twice is to protect it. */
const PROTECTED = new WeakSet<CfnService>();
