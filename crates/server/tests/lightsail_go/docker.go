// As much of Docker's Engine API as a push needs, over the daemon's socket.
package main

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"regexp"
	"strconv"
	"strings"
)

type engine struct {
	http    http.Client
	version string
	// Whether the daemon picks one platform of an image by itself (API 1.46).
	picks bool
}

type registryAuth struct {
	Username      string `json:"username"`
	Password      string `json:"password"`
	ServerAddress string `json:"serveraddress"`
}

func dial(host string) (*engine, error) {
	socket, is := strings.CutPrefix(host, "unix://")
	if !is {
		return nil, fmt.Errorf("DOCKER_HOST is no socket: %q", host)
	}
	connect := func(ctx context.Context, _, _ string) (net.Conn, error) {
		var dialer net.Dialer
		return dialer.DialContext(ctx, "unix", socket)
	}
	e := &engine{http: http.Client{Transport: &http.Transport{DialContext: connect}}}
	answer, err := e.http.Get("http://docker/_ping")
	if err != nil {
		return nil, err
	}
	defer answer.Body.Close()
	e.version = answer.Header.Get("Api-Version")
	_, minor, _ := strings.Cut(e.version, ".")
	number, err := strconv.Atoi(minor)
	e.picks = number >= 46
	return e, err
}

// call gives the body of an answer that is no refusal.
func (e *engine) call(method, path string, query url.Values, header http.Header) (io.ReadCloser, error) {
	address := fmt.Sprintf("http://docker/v%s%s?%s", e.version, path, query.Encode())
	request, err := http.NewRequest(method, address, nil)
	if err != nil {
		return nil, err
	}
	if header != nil {
		request.Header = header
	}
	answer, err := e.http.Do(request)
	if err != nil {
		return nil, err
	}
	if answer.StatusCode >= 400 {
		defer answer.Body.Close()
		text, _ := io.ReadAll(answer.Body)
		return nil, fmt.Errorf("docker: %s: %s", answer.Status, text)
	}
	return answer.Body, nil
}

func (e *engine) expectPlatform(image string) error {
	if e.picks {
		return nil
	}
	body, err := e.call("GET", "/images/"+image+"/json", nil, nil)
	if err != nil {
		return err
	}
	defer body.Close()
	var about struct{ Os, Architecture string }
	if err := json.NewDecoder(body).Decode(&about); err != nil {
		return err
	}
	if about.Os != "linux" || about.Architecture != "amd64" {
		return fmt.Errorf("%s is of %s/%s, not of linux/amd64", image, about.Os, about.Architecture)
	}
	return nil
}

func (e *engine) tag(image, repository, tag string) error {
	query := url.Values{"repo": {repository}, "tag": {tag}}
	body, err := e.call("POST", "/images/"+image+"/tag", query, nil)
	if err != nil {
		return err
	}
	return body.Close()
}

func (e *engine) untag(reference string) {
	body, err := e.call("DELETE", "/images/"+reference, nil, nil)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return
	}
	body.Close()
}

var digestInStatus = regexp.MustCompile(`digest: (sha256:[a-f0-9]{64})`)

func (e *engine) push(repository, tag string, auth registryAuth) (string, error) {
	secret, err := json.Marshal(auth)
	if err != nil {
		return "", err
	}
	query := url.Values{"tag": {tag}}
	if e.picks {
		query.Set("platform", `{"os":"linux","architecture":"amd64"}`)
	}
	header := http.Header{"X-Registry-Auth": {base64.URLEncoding.EncodeToString(secret)}}
	body, err := e.call("POST", "/images/"+repository+"/push", query, header)
	if err != nil {
		return "", err
	}
	defer body.Close()
	digest := ""
	for stream := json.NewDecoder(body); ; {
		var message struct {
			Status, Error string
			Aux           struct{ Digest string }
		}
		err := stream.Decode(&message)
		switch {
		case errors.Is(err, io.EOF) && digest == "":
			return "", errors.New("image push response does not contain the image digest")
		case errors.Is(err, io.EOF):
			return digest, nil
		case err != nil:
			return "", err
		case message.Error != "":
			return "", errors.New(message.Error)
		}
		if found := digestInStatus.FindStringSubmatch(message.Status); found != nil {
			digest = found[1]
		} else if digest == "" {
			digest = message.Aux.Digest
		}
	}
}
