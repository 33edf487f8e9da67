package main

import (
	"encoding/json"
	"fmt"
	"os/exec"
	"regexp"
	"strings"
)

// prediction is what llvm-mca says of a loop.
type prediction struct {
	cycles float64 // of a turn
	binds  string  // what the turns wait for
}

// report is the part of llvm-mca's that is used.
type report struct {
	CodeRegions []struct {
		Instructions []string
		SummaryView  struct {
			DispatchWidth, Iterations, TotalCycles, TotaluOps float64
		}
		ResourcePressureView struct {
			ResourcePressureInfo []struct {
				InstructionIndex, ResourceIndex int
				ResourceUsage                   float64
			}
		}
	}
	TargetInfo struct{ Resources []string }
}

// near is what share of its time a resource must be busy to be what binds.
const near = .9

// simulate has llvm-mca run a loop many times.
func simulate(text, triple, cpu string) (p prediction, err error) {
	cmd := exec.Command("llvm-mca-19", "-mtriple="+triple, "-mcpu="+cpu, "-iterations=400", "-json")
	cmd.Stdin = strings.NewReader(text)
	out, err := output(cmd)
	if err != nil {
		return p, err
	}
	var r report
	if err := json.Unmarshal([]byte(out), &r); err != nil {
		return p, fmt.Errorf("llvm-mca: %w", err)
	}
	if len(r.CodeRegions) != 1 || r.CodeRegions[0].SummaryView.Iterations == 0 {
		return p, fmt.Errorf("llvm-mca reports on %d regions", len(r.CodeRegions))
	}
	region := r.CodeRegions[0]
	sum := region.SummaryView
	p.cycles = sum.TotalCycles / sum.Iterations
	busy := make([]float64, len(r.TargetInfo.Resources))
	for _, u := range region.ResourcePressureView.ResourcePressureInfo {
		if u.InstructionIndex < len(region.Instructions) { // the last is the sum
			busy[u.ResourceIndex] += u.ResourceUsage
		}
	}
	most := 0
	for i := range busy {
		if busy[i] > busy[most] {
			most = i
		}
	}
	switch {
	case busy[most] >= near*p.cycles:
		p.binds = unit(r.TargetInfo.Resources[most])
	case sum.TotaluOps/sum.Iterations/sum.DispatchWidth >= near*p.cycles:
		p.binds = "dispatch"
	default:
		p.binds = "latency"
	}
	return p, nil
}

// names shorten those of LLVM's resources: one of several alike goes by the name of all.
var names = []struct {
	llvm *regexp.Regexp
	says string
}{
	{regexp.MustCompile(`(?s)\..$`), ""},
	{regexp.MustCompile(`^SPRPort0?`), "port "},
	{regexp.MustCompile(`^(Zn4|CyUnit|V2Unit)`), ""},
}

// unit is what a resource is called in the table.
func unit(resource string) string {
	for _, n := range names {
		resource = n.llvm.ReplaceAllString(resource, n.says)
	}
	return resource
}
