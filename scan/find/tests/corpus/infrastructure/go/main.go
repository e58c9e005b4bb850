package main
import "github.com/aws/aws-cdk-go/awscdk/v2/awsecs"
func x() {
	a := awsecs.ContainerImage_FromRegistry(jsii.String("redis:7"), nil)
}
