import { CustomResource, Duration, Fn } from 'aws-cdk-lib';
import { IRepository } from 'aws-cdk-lib/aws-ecr';
import { ContainerDefinition, ContainerImage, ContainerImageConfig } from 'aws-cdk-lib/aws-ecs';
import { Construct } from 'constructs';

/** The longest that CloudFormation waits for a custom resource. */
const LONGEST = Duration.hours(1);

/** What a stack waits for. */
export interface PullsafeImageProps {
  /** The repository that the image is pushed to. */
  readonly repository: IRepository;
  /**
   * The tag to wait for.
   * @default - the digest has to be given
   */
  readonly tag?: string;
  /**
   * The digest to wait for (`sha256:...`).
   * @default - the tag has to be given
   */
  readonly digest?: string;
  /**
   * What the image has to be for, such as `linux/amd64`. An image that lacks one of them is not there yet.
   * @default - any platform
   */
  readonly platforms?: string[];
  /**
   * An image that the mirror copies to the repository if it is absent, such as `redis:7`. The repository has to be below the mirror's prefix.
   * @default - nothing is copied
   */
  readonly source?: string;
  /**
   * Any text. A change makes the stack look again, for a tag that moves.
   * @default - the image is looked for when tag or repository change
   */
  readonly trigger?: string;
  /**
   * How long the stack waits, up to an hour. The gate answers a little before.
   * @default Duration.minutes(30)
   */
  readonly timeout?: Duration;
  /**
   * The gate: the pullsafe stack's output `ImageGateArn`, or the topic `ImageGateTopicArn` of another account of the organization.
   * @default - what the stack `pullsafe` of this account and region exports
   */
  readonly gate?: string;
}

/**
 * An image that the stack waits for: whatever uses its address is created once the image exists, and is pinned to its digest.
 *
 * The wait costs nothing and lasts up to an hour. If the image does not come, the stack fails with what is there instead.
 */
export class PullsafeImage extends Construct {
  /** The image by repository and digest, for a task definition. */
  public readonly uri: string;
  /** The digest alone. */
  public readonly digest: string;
  /** The image for a container: pinned to the digest, and with the permission to pull it granted to the task's execution role. */
  public readonly containerImage: ContainerImage;

  constructor(scope: Construct, id: string, props: PullsafeImageProps) {
    super(scope, id);
    if ((props.tag === undefined) === (props.digest === undefined)) {
      throw new Error(`${this.node.path}: give either a tag or a digest to wait for`);
    }
    const timeout = props.timeout ?? Duration.minutes(30);
    if (!timeout.isUnresolved() && (timeout.toSeconds() < 1 || timeout.toSeconds() > LONGEST.toSeconds())) {
      throw new Error(`${this.node.path}: the stack can wait from a second to an hour, and not for ${timeout.toHumanString()}`);
    }
    const resource = new CustomResource(this, 'Resource', {
      resourceType: 'Custom::PullsafeImage',
      serviceToken: props.gate ?? Fn.importValue('pullsafe-ImageGate'),
      serviceTimeout: timeout,
      properties: {
        RepositoryName: props.repository.repositoryUri,
        ImageTag: props.tag,
        ImageDigest: props.digest,
        Platforms: props.platforms,
        Source: props.source,
        Trigger: props.trigger,
      },
    });
    this.uri = resource.getAttString('ImageUri');
    this.digest = resource.getAttString('ImageDigest');
    this.containerImage = new GatedImage(this.uri, props.repository);
  }
}

/** An image of ECR by its digest. The CDK's own takes tags and digests that are known beforehand. */
class GatedImage extends ContainerImage {
  constructor(
    private readonly uri: string,
    private readonly repository: IRepository,
  ) {
    super();
  }

  public bind(_scope: Construct, container: ContainerDefinition): ContainerImageConfig {
    this.repository.grantPull(container.taskDefinition.obtainExecutionRole());
    return { imageName: this.uri };
  }
}
