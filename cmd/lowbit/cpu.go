package main

import (
	"fmt"
	"runtime"
	"strings"

	"github.com/lowbit-go/lowbit/kernels"
)

// cpuCommand is lowbit cpu: what the choice of an implementation came from.
type cpuCommand struct{}

// Run prints the machine, its features, the implementations, and which of them is chosen and why.
func (c *cpuCommand) Run(t *tool) error {
	lines := newTable(t.stdout, column{head: "machine", most: 16}, column{head: fmt.Sprintf("%s/%s, cores %d", runtime.GOOS, runtime.GOARCH, runtime.GOMAXPROCS(0)), most: 180})
	var present, lacking []string
	for _, f := range kernels.Features() {
		if f.Present {
			present = append(present, f.Name)
		} else {
			lacking = append(lacking, f.Name)
		}
	}
	lines.add("features", list(present))
	lines.add("lacking", list(lacking))
	for _, s := range kernels.Registry() {
		if s.Available {
			lines.add(s.Name, "available: "+s.Reason)
		} else {
			lines.add(s.Name, "not available: "+s.Reason)
		}
	}
	why := kernels.Why()
	if t.isa != "" {
		why = t.isa + ": asked for by --isa"
	}
	lines.add("chosen", why)
	lines.add("past the caches", kernels.WhyStreaming())
	return lines.flush()
}

func list(names []string) string {
	if len(names) == 0 {
		return "none"
	}
	return strings.Join(names, " ")
}
