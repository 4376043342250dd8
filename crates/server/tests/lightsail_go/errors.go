// What the SDK makes of refusals: Terraform's provider asks for these types and texts.
package main

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/lightsail"
	"github.com/aws/aws-sdk-go-v2/service/lightsail/types"
)

func typedErrors(ctx context.Context, to *lightsail.Client) error {
	_, err := to.GetContainerServices(ctx, &lightsail.GetContainerServicesInput{
		ServiceName: aws.String("nope"),
	})
	var missing *types.NotFoundException
	if !errors.As(err, &missing) || aws.ToString(missing.Code) != "DoesNotExist" {
		return fmt.Errorf("not a typed NotFoundException with its code: %#v", err)
	}
	_, err = to.DeleteContainerImage(ctx, &lightsail.DeleteContainerImageInput{
		ServiceName: aws.String("nope"),
		Image:       aws.String(":nope.www.1"),
	})
	if !errors.As(err, &missing) {
		return fmt.Errorf("not a typed NotFoundException: %#v", err)
	}
	_, err = to.CreateContainerServiceRegistryLogin(ctx, &lightsail.CreateContainerServiceRegistryLoginInput{})
	var invalid *types.InvalidInputException
	if !errors.As(err, &invalid) || !strings.Contains(err.Error(), "must create a container service") {
		return fmt.Errorf("not a typed InvalidInputException: %#v", err)
	}
	return nil
}
