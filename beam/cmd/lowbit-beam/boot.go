package main

import (
	"context"
	"flag"
	"os"
	"strings"

	"github.com/apache/beam/sdks/v2/go/container/tools"
	"github.com/apache/beam/sdks/v2/go/pkg/beam/util/grpcx"
)

// A runner's PROCESS environment starts a worker with these flags. The worker is this program, so that machines that have it need no container
// and no staged copy of it.
var (
	provision = flag.String("provision_endpoint", "", "set by a runner that starts a worker")
	_         = flag.String("artifact_endpoint", "", "set by a runner that starts a worker")
)

// boot asks the runner where its services are, which a worker does not get as flags, and makes this process a worker.
func boot(ctx context.Context) error {
	info, err := tools.ProvisionInfo(grpcx.WriteWorkerID(ctx, flag.Lookup("id").Value.String()), *provision)
	if err != nil {
		return err
	}
	if s := info.GetStatusEndpoint(); s != nil {
		os.Setenv("STATUS_ENDPOINT", s.GetUrl())
	}
	os.Setenv("RUNNER_CAPABILITIES", strings.Join(info.GetRunnerCapabilities(), " "))
	for name, value := range map[string]string{
		"logging_endpoint": info.GetLoggingEndpoint().GetUrl(),
		"control_endpoint": info.GetControlEndpoint().GetUrl(),
		"worker":           "true",
	} {
		if err := flag.Set(name, value); err != nil {
			return err
		}
	}
	return nil
}
