import software.amazon.awscdk.services.ecs.ContainerImage;
class S { Object a = ContainerImage.fromRegistry("amazon/cloudwatch-agent:1"); String s = "software.amazon.awscdk"; Object b = awscdk; }
