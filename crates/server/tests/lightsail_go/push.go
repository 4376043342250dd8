// The push itself: a login, a throw-away tag, the digest out of the stream, the registration.
package main

import (
	"context"
	"crypto/rand"
	"encoding/base32"
	"fmt"
	"os"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/lightsail"
)

const version = "1.0.8"

func push(ctx context.Context, to *lightsail.Client, service, image, label string) error {
	lookForUpdate(ctx, to)
	docker, err := dial(os.Getenv("DOCKER_HOST"))
	if err != nil {
		return err
	}
	if err := docker.expectPlatform(image); err != nil {
		return err
	}
	answer, err := to.CreateContainerServiceRegistryLogin(ctx, &lightsail.CreateContainerServiceRegistryLoginInput{})
	if err != nil {
		return err
	}
	login := answer.RegistryLogin
	repository := aws.ToString(login.Registry) + "/sr"
	tag := throwAwayTag()
	if err := docker.tag(image, repository, tag); err != nil {
		return err
	}
	defer docker.untag(repository + ":" + tag)
	auth := registryAuth{aws.ToString(login.Username), aws.ToString(login.Password), repository}
	digest, err := docker.push(repository, tag, auth)
	if err != nil {
		return err
	}
	made, err := to.RegisterContainerImage(ctx, &lightsail.RegisterContainerImageInput{
		ServiceName: &service,
		Label:       &label,
		Digest:      &digest,
	})
	if err != nil {
		return err
	}
	fmt.Println("Digest:", aws.ToString(made.ContainerImage.Digest))
	fmt.Printf("Image %q registered.\n", image)
	fmt.Printf("Refer to this image as %q in deployments.\n", aws.ToString(made.ContainerImage.Image))
	return nil
}

// lookForUpdate warns of a newer version; whatever goes wrong here does not matter.
func lookForUpdate(ctx context.Context, to *lightsail.Client) {
	answer, err := to.GetContainerAPIMetadata(ctx, &lightsail.GetContainerAPIMetadataInput{})
	if err != nil {
		return
	}
	for _, entry := range answer.Metadata {
		newest := strings.TrimPrefix(entry["value"], "v")
		if entry["name"] == "lightsailctlVersion" && newest != version {
			fmt.Fprintf(os.Stderr, "WARNING: version %s is out\n", newest)
		}
	}
}

// throwAwayTag is the time in nanoseconds and 13 characters of chance.
func throwAwayTag() string {
	chance := make([]byte, 8)
	if _, err := rand.Read(chance); err != nil {
		panic(err)
	}
	text := base32.HexEncoding.WithPadding(base32.NoPadding).EncodeToString(chance)
	return fmt.Sprintf("%d-%s", time.Now().UnixNano(), strings.ToLower(text))
}
