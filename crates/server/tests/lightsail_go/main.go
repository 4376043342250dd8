// A client of Lightsail on the AWS SDK for Go, which lightsailctl and Terraform's provider are built
// upon. It stands in for lightsailctl, whose module the package registry does not serve: the same
// document on standard input, the same calls in the same order, the same three lines
// (lightsail-containers.md 3.2, 3.3). Run by main.rs beside this file.
package main

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/lightsail"
)

// document is what the AWS CLI writes to the plug-in.
type document struct {
	InputVersion string
	Operation    string
	Payload      struct{ Service, Image, Label string }

	Configuration struct{ Endpoint, Region string }
}

func main() {
	ctx := context.Background()
	var err error
	switch {
	case len(os.Args) == 3 && os.Args[1] == "--plugin" && os.Args[2] == "--input-stdin":
		err = plugin(ctx)
	case len(os.Args) == 2 && os.Args[1] == "errors":
		err = typedErrors(ctx, client(os.Getenv("AWS_ENDPOINT_URL"), os.Getenv("AWS_DEFAULT_REGION")))
	default:
		err = fmt.Errorf("unknown arguments: %q", os.Args[1:])
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func plugin(ctx context.Context) error {
	var in document
	if err := json.NewDecoder(os.Stdin).Decode(&in); err != nil {
		return err
	}
	if in.Operation != "PushContainerImage" {
		return fmt.Errorf("unknown operation %q", in.Operation)
	}
	to := client(in.Configuration.Endpoint, in.Configuration.Region)
	return push(ctx, to, in.Payload.Service, in.Payload.Image, in.Payload.Label)
}

func client(endpoint, region string) *lightsail.Client {
	key := func(context.Context) (aws.Credentials, error) {
		id, secret := os.Getenv("AWS_ACCESS_KEY_ID"), os.Getenv("AWS_SECRET_ACCESS_KEY")
		return aws.Credentials{AccessKeyID: id, SecretAccessKey: secret}, nil
	}
	return lightsail.New(lightsail.Options{
		BaseEndpoint:     aws.String(strings.TrimRight(endpoint, "/")),
		Credentials:      aws.CredentialsProviderFunc(key),
		Region:           region,
		RetryMaxAttempts: 1,
	})
}
