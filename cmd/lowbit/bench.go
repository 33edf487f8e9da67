package main

import (
	"encoding/json"
	"fmt"
	"io"
	"os"
	"regexp"
	"runtime"
	"strconv"
	"strings"
	"time"

	"github.com/lowbit-go/lowbit/bench"
	"github.com/lowbit-go/lowbit/kernels"
)

// benchCommand is lowbit bench: the table of package bench.
type benchCommand struct {
	JSON bool    `name:"json" help:"Print JSON."`
	Op   pattern `placeholder:"RE" help:"Only operations whose name matches; those of go doc ./bench."`
	N    []int   `placeholder:"N,..." help:"Numbers of elements; by default 4096, 65536 and 33554432, which fit L1, L2 and DRAM."`
}

// Sizes in L1, L2 and DRAM.
const (
	sizeL1   = 4096
	sizeL2   = 65536
	sizeDRAM = 32 << 20
)

// benchTime is how long each operation and each copy is measured.
const benchTime = 200 * time.Millisecond

// Run measures every operation with every implementation, or with that which is forced.
func (c *benchCommand) Run(t *tool) error {
	config := bench.Config{Ops: bench.Ops(c.Op.Regexp), Impls: kernels.Implementations(), Sizes: c.N, Workers: t.workers, MinTime: benchTime}
	for _, n := range c.N {
		if n < 1 {
			return usagef("--n: is %d, want at least 1", n)
		}
	}
	if t.isa != "" || os.Getenv("LOWBIT_ISA") != "" {
		config.Impls = []string{kernels.Implementation()}
	}
	if len(c.N) == 0 {
		config.Sizes = []int{sizeL1, sizeL2, fitting(sizeDRAM)}
	}
	if len(config.Ops) == 0 {
		return usagef("--op: no operation has a name that %q matches", c.Op.String())
	}
	count := config.Count()
	if count == 0 {
		return usagef("--n: is %v, want enough elements for a group of %s", c.N, config.Ops[0].Name)
	}
	bar := newProgress(t.stderr, "bench", int64(count), false)
	defer bar.end()
	config.Done = func() { bar.add(1) }
	results, err := bench.Run(t.ctx, config)
	if t.ctx.Err() != nil {
		return errInterrupted
	}
	if err != nil {
		return plain(err)
	}
	bar.end()
	if c.JSON {
		return printJSON(t.stdout, results)
	}
	list := table{head: []string{"OP", "IMPL", ">N", ">NS/ELEMENT", ">GB/S", ">TIMES A COPY"}}
	for _, r := range results {
		list.add(r.Op, r.Impl, strconv.Itoa(r.N), fmt.Sprintf("%.4f", r.NsPerElement), fmt.Sprintf("%.1f", r.GBPerS), fmt.Sprintf("%.2f", r.CopyRatio))
	}
	fmt.Fprintf(t.stdout, "%s, %s/%s, workers %d\n\n", cpuName(), runtime.GOOS, runtime.GOARCH, t.workers)
	return list.print(t.stdout)
}

// printJSON prints an array with a line for each result.
func printJSON(w io.Writer, results []bench.Result) error {
	var text strings.Builder
	for i, r := range results {
		line, err := json.Marshal(r)
		if err != nil {
			return err
		}
		text.WriteString([]string{"[\n", ",\n"}[min(i, 1)])
		text.Write(line)
	}
	text.WriteString("\n]\n")
	_, err := io.WriteString(w, text.String())
	return err
}

// fitting lowers a size until the buffers of the largest operation, 18 bytes per element, are a fourth of the memory that is free.
func fitting(n int) int {
	available, ok := systemMemory("MemAvailable")
	for ok && n > sizeL2 && int64(n) > available/4/18 {
		n /= 2
	}
	return n
}

// cpuName is the CPU's own name, as far as the system tells it.
func cpuName() string {
	text, err := os.ReadFile("/proc/cpuinfo")
	if err == nil {
		if name := regexp.MustCompile(`(?m)^model name\s*: (.*)$`).FindSubmatch(text); name != nil {
			return string(name[1])
		}
	}
	return "CPU of unknown name"
}
